//! `pegloom-stats-node`: the same as `pegloom stats-node`, on its own.

use clap::Parser;
use runtime::exit::{Exit, conclude, of_command_line};

#[derive(Parser)]
#[command(name = "pegloom-stats-node", version, about = "Runs the stats-node", max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: stats_node::Args,
}

fn main() -> Exit {
    match Cli::try_parse() {
        Ok(cli) => conclude("pegloom-stats-node", stats_node::run(&cli.args)),
        Err(error) => of_command_line(&error),
    }
}
