//! UDP listeners: one socket a shard on one port, the kernel spreading sources over them (`SO_REUSEPORT`).
//!
//! A listener of every interface is told which address each datagram was sent to, so that answers leave from there.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use crate::{settings::Listen, tcp::candidates};

/// Datagrams that wait for a busy shard wait here; the kernel gives less to whoever may not have so much.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// The sockets of one listener, and the address they have.
#[derive(Debug)]
pub struct Listeners {
    /// One for each shard.
    pub sockets: Vec<UdpSocket>,
    /// With the real port.
    pub address: SocketAddr,
}

/// Binds what `listen` says, `shards` times, as [`crate::tcp::listen`] does.
pub fn listen(listen: &Listen, shards: usize) -> io::Result<Listeners> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in candidates(listen)? {
        match bind_all(address, shards) {
            Ok(listeners) => return Ok(listeners),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn bind_all(address: SocketAddr, shards: usize) -> io::Result<Listeners> {
    if address.port() != 0 {
        drop(bind(address, false)?);
    }
    let first = bind(address, true)?;
    let address = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..shards {
        sockets.push(bind(address, true)?);
    }
    Ok(Listeners { sockets, address })
}

fn bind(address: SocketAddr, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(is_shared)?;
    socket.set_nonblocking(true)?;
    widen(&socket, RECEIVE_BUFFER);
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Asks for a receive buffer of this size, beyond the machine's limit if we may.
fn widen(socket: &Socket, size: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &size).is_err() {
        let _ = socket.set_recv_buffer_size(size);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Transport;

    fn local(port: u16) -> Listen {
        Listen { transport: Transport::Udp, host: Some("127.0.0.1".to_owned()), port }
    }

    #[test]
    fn every_shard_has_a_socket_on_the_same_port() {
        let listeners = listen(&local(0), 3).unwrap();
        assert_eq!(listeners.sockets.len(), 3);
        assert!(listeners.sockets.iter().all(|socket| socket.local_addr().unwrap() == listeners.address));
    }

    /// Fails if `bind_all` leaves out the plain bind: `SO_REUSEPORT` would share the port silently.
    #[test]
    fn a_port_that_another_pegloom_shares_is_refused() {
        let first = listen(&local(0), 1).unwrap();
        let error = listen(&local(first.address.port()), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
