//! UDP listeners, one socket a shard.
//!
//! A listener of every interface is told which address each datagram was sent to, so that answers leave from there.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
};

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Socket, Type};

use crate::{
    listeners::{self, Listeners},
    settings::Listen,
};

/// Datagrams that wait for a busy shard wait here; the kernel gives less to whoever may not have so much.
const RECEIVE_BUFFER: usize = 8 * 1024 * 1024;

/// Binds what `listen` says, `shards` times. Without a host, every interface, IPv6 and IPv4.
pub fn listen(listen: &Listen, shards: usize) -> io::Result<Listeners<UdpSocket>> {
    listeners::listen(listen, shards, bind)
}

fn bind(address: SocketAddr, is_shared: bool) -> io::Result<Socket> {
    let socket = listeners::open(address, Type::DGRAM, is_shared)?;
    widen(&socket, RECEIVE_BUFFER);
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    if address.ip().is_unspecified() {
        match address {
            SocketAddr::V4(_) => setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?,
            SocketAddr::V6(_) => setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?,
        }
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// Asks for a receive buffer of this size, beyond the machine's limit if we may.
fn widen(socket: &Socket, size: usize) {
    if setsockopt(socket, sockopt::RcvBufForce, &size).is_err() {
        let _ = socket.set_recv_buffer_size(size);
    }
}
