//! The command line: which kinds of chat there are.

use clap::Subcommand;
use runtime::exit::{Exit, Failure};

use crate::server;

/// Flags of `pegloom chat`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Clone, Debug, Subcommand)]
enum Kind {
    Room(server::Args),
}

/// Runs `pegloom chat`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.kind {
        Kind::Room(args) => server::run(args),
    }
}
