//! The UDP copier: the simplest program that does the work, and so what pegloom is measured beside. One `recvfrom`, one
//! `sendto` for each receiver, nothing counted, nothing returned.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};

use anyhow::{Context, Result};

use super::deepen;

pub(crate) fn run(receivers: &[SocketAddr]) -> Result<()> {
    let socket = UdpSocket::bind("127.0.0.1:0").context("cannot listen on loopback")?;
    // As deep as an ordinary user may have it, as anyone who replicates datagrams would.
    deepen(&socket)?;
    writeln!(std::io::stdout(), "{}", socket.local_addr()?)?;
    let mut datagram = vec![0; 65_536];
    loop {
        let (length, _) = socket.recv_from(&mut datagram).context("cannot receive")?;
        for receiver in receivers {
            socket.send_to(&datagram[..length], receiver).context("cannot send")?;
        }
    }
}
