//! `pegloom-chat`: the same as `pegloom chat`, on its own.

use clap::Parser;
use runtime::exit::{Exit, conclude, of_command_line};

#[derive(Parser)]
#[command(
    name = "pegloom-chat",
    version,
    about = "Chats: in a room, with one other, or in a mesh",
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    args: chat::Args,
}

fn main() -> Exit {
    match Cli::try_parse() {
        Ok(cli) => conclude("pegloom-chat", chat::run(&cli.args)),
        Err(error) => of_command_line(&error),
    }
}
