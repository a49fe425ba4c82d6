//! The floor of a chat on ZeroMQ: a process with one ROUTER that sends what it hears to everyone else it has heard of. It
//! knows no names, keeps nothing, and prints its endpoint on stdout.

use std::io::Write;

use anyhow::{Context as _, Result};
use runtime::shard::run_local;
use runtime::zeromq::{Context, PeerId, Router};

/// Messages before the runtime has its turn.
const TURN: usize = 256;

pub(crate) fn run() -> Result<()> {
    run_local(relay())?
}

async fn relay() -> Result<()> {
    let router = Router::bind(&Context::new(), "tcp://127.0.0.1:0").context("cannot listen on loopback")?;
    writeln!(std::io::stdout(), "{}", router.endpoint())?;
    let mut peers = Vec::new();
    loop {
        router.readable().await;
        for received in std::iter::from_fn(|| router.try_receive()).take(TURN) {
            // Who sends something else is nobody the bench knows.
            let Ok((peer, text)) = received else { continue };
            if text.is_empty() {
                peers.push(peer);
                send(&router, peer, &[])?;
            }
            for other in peers.iter().filter(|other| **other != peer && !text.is_empty()) {
                send(&router, *other, &text)?;
            }
        }
    }
}

fn send(router: &Router, peer: PeerId, text: &[u8]) -> Result<()> {
    router.try_send(peer, text.to_vec()).context("a member has gone")
}
