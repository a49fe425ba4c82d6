//! `pegloom-fanout`: the same as `pegloom fanout`, on its own.

use clap::Parser;
use runtime::exit::{Exit, conclude, of_command_line};

#[derive(Parser)]
#[command(name = "pegloom-fanout", version, about = "Runs the fanout node", max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: fanout::Args,
}

fn main() -> Exit {
    match Cli::try_parse() {
        Ok(cli) => conclude("pegloom-fanout", fanout::run(&cli.args)),
        Err(error) => of_command_line(&error),
    }
}
