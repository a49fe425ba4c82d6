//! The command line: which kinds of chat there are.

use clap::Subcommand;
use runtime::exit::{Exit, Failure};

use crate::{client, server};

/// Flags of `pegloom chat`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Clone, Debug, Subcommand)]
enum Kind {
    Client(client::Args),
    Room(server::Args),
}

/// Runs `pegloom chat`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.kind {
        Kind::Client(args) => client::run(args),
        Kind::Room(args) => server::run(args),
    }
}
