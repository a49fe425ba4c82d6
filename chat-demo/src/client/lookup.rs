//! Whether there is a host of that name, before it is tried for ever to speak with it.

use std::{io, net::ToSocketAddrs as _, thread};

use tokio::sync::oneshot;

/// Finds the host. The system may take its time over a name; nobody waits for the thread that waits for it.
pub(super) async fn find(host: &str, port: u16) -> io::Result<()> {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let (found, is_found) = oneshot::channel();
    thread::Builder::new().name("lookup".to_owned()).spawn(move || {
        // Whoever asked may have left.
        let _ = found.send((host.as_str(), port).to_socket_addrs().map(drop));
    })?;
    is_found.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
