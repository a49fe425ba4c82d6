//! The command line: which kinds of chat there are.

use clap::Subcommand;
use runtime::exit::{Exit, Failure};

use crate::{client, mesh, p2p, room};

/// Flags of `pegloom chat`.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Clone, Debug, Subcommand)]
enum Kind {
    Room(room::Args),
    Client(client::Args),
    P2p(p2p::Args),
    Mesh(mesh::Args),
}

/// Runs `pegloom chat`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    match &args.kind {
        Kind::Room(args) => room::run(args),
        Kind::Client(args) => client::run(args),
        Kind::P2p(args) => p2p::run(args),
        Kind::Mesh(args) => mesh::run(args),
    }
}
