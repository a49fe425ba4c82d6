//! For peers that must be told their port: one that was free a moment ago, and a wait until it is served.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::Process;

/// Someone else may take the port between our closing it and the peer's binding it.
const ATTEMPTS: usize = 5;
const START_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

pub(super) fn with_free_port<T>(name: &str, mut start: impl FnMut(SocketAddr) -> Result<T>) -> Result<T> {
    let mut problem = None;
    for _ in 0..ATTEMPTS {
        match free_address().and_then(&mut start) {
            Ok(running) => return Ok(running),
            Err(error) => problem = Some(error),
        }
    }
    bail!("{name} did not start in {ATTEMPTS} attempts: {:#}", problem.context("no attempt was made")?)
}

fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot find a free port")?;
    Ok(listener.local_addr()?)
}

pub(super) fn wait_until_it_accepts(process: &mut Process, address: SocketAddr) -> Result<()> {
    let deadline = Instant::now() + START_TIMEOUT;
    while TcpStream::connect(address).is_err() {
        if !process.is_running() {
            bail!("it ended at once{}", process.last_words());
        }
        if Instant::now() > deadline {
            bail!("it does not accept at {address}{}", process.last_words());
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}
