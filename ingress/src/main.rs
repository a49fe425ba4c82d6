//! `pegloom-ingress`: the same as `pegloom ingress`, on its own.

use clap::Parser;
use runtime::exit::{Exit, conclude, of_command_line};

#[derive(Parser)]
#[command(name = "pegloom-ingress", version, about = "Runs the ingress node", max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: ingress::Args,
}

fn main() -> Exit {
    match Cli::try_parse() {
        Ok(cli) => conclude("pegloom-ingress", ingress::run(&cli.args)),
        Err(error) => of_command_line(&error),
    }
}
