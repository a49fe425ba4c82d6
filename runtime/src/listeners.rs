//! One socket a shard on one port, the kernel spreading who comes over them (`SO_REUSEPORT`), for TCP and UDP.
//!
//! It promises that a port which somebody else holds is refused, even to another pegloom. It binds and looks at nothing
//! else: whether two routes want the same port is found with the settings.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _},
};

use socket2::{Domain, Socket, Type};

use crate::settings::Listen;

/// The sockets of one listener, and the address they have.
#[derive(Debug)]
pub struct Listeners<S> {
    /// One for each shard.
    pub sockets: Vec<S>,
    /// With the real port.
    pub address: SocketAddr,
}

/// Binds an address, which others may share or not.
pub(crate) type Bind = fn(address: SocketAddr, is_shared: bool) -> io::Result<Socket>;

/// Binds what `listen` says, `shards` times. Without a host, every interface, IPv6 and IPv4.
pub(crate) fn listen<S: From<Socket>>(
    listen: &Listen,
    shards: usize,
    bind: Bind,
) -> io::Result<Listeners<S>> {
    let mut refusal = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in candidates(listen)? {
        match bind_all(address, shards, bind) {
            Ok(listeners) => return Ok(listeners),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => return Err(error),
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}

fn candidates(listen: &Listen) -> io::Result<Vec<SocketAddr>> {
    match &listen.host {
        Some(host) => Ok((host.as_str(), listen.port).to_socket_addrs()?.collect()),
        // A machine without IPv6 has the second only.
        None => {
            Ok(vec![(Ipv6Addr::UNSPECIFIED, listen.port).into(), (Ipv4Addr::UNSPECIFIED, listen.port).into()])
        }
    }
}

/// `SO_REUSEPORT` lets another process of ours share the port without anyone noticing, so a plain bind looks first.
fn bind_all<S: From<Socket>>(address: SocketAddr, shards: usize, bind: Bind) -> io::Result<Listeners<S>> {
    if address.port() != 0 {
        drop(bind(address, false)?);
    }
    let first = bind(address, true)?;
    let address = first.local_addr()?.as_socket().unwrap_or(address);
    let mut sockets = vec![first.into()];
    for _ in 1..shards {
        sockets.push(bind(address, true)?.into());
    }
    Ok(Listeners { sockets, address })
}

/// A socket to be bound to this address.
pub(crate) fn open(address: SocketAddr, kind: Type, is_shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_port(is_shared)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::{settings::Transport, tcp, udp};

    fn local(transport: Transport, port: u16) -> Listen {
        Listen { transport, host: Some("127.0.0.1".to_owned()), port }
    }

    #[test]
    fn every_shard_has_a_socket_on_the_same_port() {
        let listeners = tcp::listen(&local(Transport::Tcp, 0), 3).unwrap();
        assert_eq!(listeners.sockets.len(), 3);
        assert!(listeners.sockets.iter().all(|socket| socket.local_addr().unwrap() == listeners.address));
        let listeners = udp::listen(&local(Transport::Udp, 0), 3).unwrap();
        assert_eq!(listeners.sockets.len(), 3);
        assert!(listeners.sockets.iter().all(|socket| socket.local_addr().unwrap() == listeners.address));
    }

    #[test]
    fn a_port_that_another_listens_on_is_refused() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = tcp::listen(&local(Transport::Tcp, taken.local_addr().unwrap().port()), 2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }

    /// Fails if `bind_all` leaves out the plain bind: `SO_REUSEPORT` would share the port silently.
    #[test]
    fn a_port_that_another_pegloom_shares_is_refused_too() {
        let first = tcp::listen(&local(Transport::Tcp, 0), 1).unwrap();
        let error = tcp::listen(&local(Transport::Tcp, first.address.port()), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        let first = udp::listen(&local(Transport::Udp, 0), 1).unwrap();
        let error = udp::listen(&local(Transport::Udp, first.address.port()), 1).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
    }
}
