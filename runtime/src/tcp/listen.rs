//! Listeners: one socket a shard on one port, the kernel spreading connections over them (`SO_REUSEPORT`).
//!
//! It binds and looks at nothing else: whether two routes want the same port is found with the settings.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs},
};

use socket2::{Domain, Protocol, Socket, Type};

use crate::settings::Listen;

const BACKLOG: i32 = 4096;

/// The sockets of one listener, and the address they have.
#[derive(Debug)]
pub struct Listeners {
    /// One for each shard.
    pub sockets: Vec<TcpListener>,
    /// With the real port.
    pub address: SocketAddr,
}

/// Binds what `listen` says, `shards` times. Without a host, every interface, IPv6 and IPv4.
///
/// `SO_REUSEPORT` lets another process of ours share the port without anyone noticing, so a plain bind looks first.
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

pub(crate) fn candidates(listen: &Listen) -> io::Result<Vec<SocketAddr>> {
    match &listen.host {
        Some(host) => Ok((host.as_str(), listen.port).to_socket_addrs()?.collect()),
        // A machine without IPv6 has the second only.
        None => {
            Ok(vec![(Ipv6Addr::UNSPECIFIED, listen.port).into(), (Ipv4Addr::UNSPECIFIED, listen.port).into()])
        }
    }
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

fn bind(address: SocketAddr, is_shared: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(is_shared)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // The first look does not listen: a connection it took would be lost.
    if is_shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Transport;

    fn local(port: u16) -> Listen {
        Listen { transport: Transport::Tcp, host: Some("127.0.0.1".to_owned()), port }
    }

    #[test]
    fn every_shard_has_a_socket_on_the_same_port() {
        let listeners = listen(&local(0), 3).unwrap();
        assert_eq!(listeners.sockets.len(), 3);
        assert!(listeners.sockets.iter().all(|socket| socket.local_addr().unwrap() == listeners.address));
    }

    #[test]
    fn a_port_that_another_listens_on_is_refused() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = listen(&local(taken.local_addr().unwrap().port()), 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    /// Fails if `bind_all` leaves out the plain bind: `SO_REUSEPORT` would share the port silently.
    #[test]
    fn a_port_that_another_pegloom_shares_is_refused_too() {
        let first = listen(&local(0), 1).unwrap();
        let error = listen(&local(first.address.port()), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
