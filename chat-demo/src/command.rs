//! The command line: which kinds of chat there are.

use clap::Subcommand;
use runtime::exit::{Exit, Failure};

use crate::{mesh, p2p};

/// Flags of `pegloom chat`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Clone, Debug, Subcommand)]
enum Kind {
    Mesh(mesh::Args),
    P2p(p2p::Args),
}

/// Runs `pegloom chat`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.kind {
        Kind::Mesh(args) => mesh::run(args),
        Kind::P2p(args) => p2p::run(args),
    }
}
