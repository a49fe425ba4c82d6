//! TCP listeners, one socket a shard.

use std::{
    io,
    net::{SocketAddr, TcpListener},
};

use socket2::{Socket, Type};

use crate::{
    listeners::{self, Listeners},
    settings::Listen,
};

const BACKLOG: i32 = 4096;

/// Binds what `listen` says, `shards` times. Without a host, every interface, IPv6 and IPv4.
pub fn listen(listen: &Listen, shards: usize) -> io::Result<Listeners<TcpListener>> {
    listeners::listen(listen, shards, bind)
}

fn bind(address: SocketAddr, is_shared: bool) -> io::Result<Socket> {
    let socket = listeners::open(address, Type::STREAM, is_shared)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    // The first look does not listen: a connection it took would be lost.
    if is_shared {
        socket.listen(BACKLOG)?;
    }
    Ok(socket)
}
