//! `recvmmsg` and `sendmmsg`: many datagrams in one system call.
//!
//! [`Slots`] are where datagrams arrive, each large enough for any, so none is ever cut off. [`Sender`] sends messages,
//! each to an address of its own if need be, and cut by the kernel into datagrams of one size if asked. The headers are
//! made once; the lengths in them, which the kernel overwrites, are restored before each call.

#![expect(
    unsafe_code,
    reason = "nix reuses the headers of these calls without restoring the lengths in them"
)]

use std::{
    io, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

/// Datagrams in one call.
pub(super) const SLOTS: usize = 64;
/// No datagram is longer.
const SLOT: usize = 65_536;
/// Room for what comes beside a datagram: its local address, and a counter.
type Control = [u64; 16];

/// A datagram that has come.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// What it says.
    pub bytes: &'a [u8],
    /// Who sent it; nobody on a connected socket.
    pub from: Option<SocketAddr>,
    /// The address of ours it was sent to, if the socket tells.
    pub to: Option<IpAddr>,
    /// How many the kernel has dropped for want of room since the socket was made, modulo 2^32.
    pub dropped: Option<u32>,
    /// Whether all of it is here.
    pub is_whole: bool,
}

/// Where datagrams arrive.
pub(super) struct Slots {
    bytes: Vec<u8>,
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    // Invariant: point into `bytes`, which never moves.
    _vectors: Vec<libc::iovec>,
    // Invariant: point into the three above, none of which ever grows.
    headers: Vec<libc::mmsghdr>,
    used: usize,
}

impl Slots {
    pub(super) fn new() -> Self {
        // Zeroed memory is not there until it is written to.
        let mut bytes = vec![0; SLOTS * SLOT];
        let (mut names, mut controls) = (vec![empty_name(); SLOTS], vec![Control::default(); SLOTS]);
        let mut vectors: Vec<_> = bytes.chunks_mut(SLOT).map(vector_of).collect();
        let headers = (0..SLOTS).map(|index| {
            let mut header = empty_header();
            header.msg_hdr.msg_iov = &raw mut vectors[index];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = (&raw mut names[index]).cast();
            header.msg_hdr.msg_control = (&raw mut controls[index]).cast();
            header
        });
        let headers = headers.collect();
        Self { bytes, names, controls, _vectors: vectors, headers, used: SLOTS }
    }

    /// Receives what there is, at most a slot each; how many there were.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        for header in &mut self.headers[..self.used] {
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = size_of::<Control>();
        }
        self.used = 0;
        let (headers, none) = (self.headers.as_mut_ptr(), ptr::null_mut());
        // SAFETY: the headers point to slots, names and controls that live as long as `self`, with their true lengths.
        let count =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, SLOTS as u32, libc::MSG_DONTWAIT, none) };
        self.used = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(self.used)
    }

    /// One of those received last.
    pub(super) fn arrival(&self, index: usize) -> Arrival<'_> {
        let header = &self.headers[index];
        let len = (header.msg_len as usize).min(SLOT);
        let mut arrival = Arrival {
            bytes: &self.bytes[index * SLOT..][..len],
            from: (header.msg_hdr.msg_namelen > 0).then(|| address_of(&self.names[index])).flatten(),
            to: None,
            dropped: None,
            is_whole: header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0,
        };
        debug_assert!(self.controls.len() == SLOTS);
        read_controls(&header.msg_hdr, &mut arrival);
        arrival
    }
}

/// A message to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) bytes: &'a [u8],
    /// It is datagrams of this size; the last may be shorter.
    pub(super) segment: Option<u16>,
    /// To whom, where the socket is not connected.
    pub(super) to: Option<SocketAddr>,
    /// From which of our addresses, if it matters.
    pub(super) from: Option<IpAddr>,
}

/// What is needed to send many messages in one call.
pub(super) struct Sender {
    names: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

impl Sender {
    pub(super) fn new() -> Self {
        Self {
            names: vec![empty_name(); SLOTS],
            controls: vec![Control::default(); SLOTS],
            vectors: vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; SLOTS],
            headers: vec![empty_header(); SLOTS],
        }
    }

    /// Sends the first of these, at most [`SLOTS`]; how many the kernel took. An error is the first one's.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>, messages: &[Message<'_>]) -> io::Result<usize> {
        if let [Message { bytes, segment: None, to: None, from: None }] = messages {
            return send_one(socket, bytes).map(|()| 1);
        }
        let count = messages.len().min(SLOTS);
        for (index, message) in messages[..count].iter().enumerate() {
            self.prepare(index, message);
        }
        let headers = self.headers.as_mut_ptr();
        // SAFETY: `count` headers were prepared just now; they point into `self` and to bytes that are borrowed.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count as u32, libc::MSG_DONTWAIT) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    fn prepare(&mut self, index: usize, message: &Message<'_>) {
        self.vectors[index] =
            libc::iovec { iov_base: message.bytes.as_ptr().cast_mut().cast(), iov_len: message.bytes.len() };
        let header = &mut self.headers[index].msg_hdr;
        *header = empty_header().msg_hdr;
        header.msg_iov = &raw mut self.vectors[index];
        header.msg_iovlen = 1;
        if let Some(to) = message.to {
            header.msg_namelen = write_address(to, &mut self.names[index]);
            header.msg_name = (&raw mut self.names[index]).cast();
        }
        if message.segment.is_some() || message.from.is_some() {
            header.msg_control = (&raw mut self.controls[index]).cast();
            header.msg_controllen = size_of::<Control>();
            write_controls(header, message);
        }
    }
}

/// A datagram alone on a connected socket needs no header, which the kernel would have to read.
fn send_one(socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<()> {
    let (socket, begin) = (socket.as_raw_fd(), bytes.as_ptr().cast());
    // SAFETY: the bytes are borrowed.
    let sent = unsafe { libc::send(socket, begin, bytes.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn empty_header() -> libc::mmsghdr {
    // SAFETY: a header of zeros is one without name, bytes and controls.
    unsafe { mem::zeroed() }
}

fn empty_name() -> libc::sockaddr_storage {
    // SAFETY: an address of zeros is one of no family.
    unsafe { mem::zeroed() }
}

fn vector_of(slot: &mut [u8]) -> libc::iovec {
    libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() }
}

fn address_of(name: &libc::sockaddr_storage) -> Option<SocketAddr> {
    let name = ptr::from_ref(name);
    // SAFETY: the kernel wrote an address of the family it names, and the storage is large and aligned enough for each.
    unsafe {
        match i32::from((*name).ss_family) {
            libc::AF_INET => {
                let name = &*name.cast::<libc::sockaddr_in>();
                let ip = Ipv4Addr::from(u32::from_be(name.sin_addr.s_addr));
                Some(SocketAddrV4::new(ip, u16::from_be(name.sin_port)).into())
            }
            libc::AF_INET6 => {
                let name = &*name.cast::<libc::sockaddr_in6>();
                let (ip, port) = (Ipv6Addr::from(name.sin6_addr.s6_addr), u16::from_be(name.sin6_port));
                Some(SocketAddrV6::new(ip, port, name.sin6_flowinfo, name.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

fn write_address(address: SocketAddr, name: &mut libc::sockaddr_storage) -> libc::socklen_t {
    let name = ptr::from_mut(name);
    // SAFETY: the storage is large and aligned enough for both.
    unsafe {
        match address {
            SocketAddr::V4(address) => {
                name.cast::<libc::sockaddr_in>().write(libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: address.port().to_be(),
                    sin_addr: in_addr(*address.ip()),
                    sin_zero: [0; 8],
                });
                size_of::<libc::sockaddr_in>() as libc::socklen_t
            }
            SocketAddr::V6(address) => {
                name.cast::<libc::sockaddr_in6>().write(libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: address.port().to_be(),
                    sin6_flowinfo: address.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
                    sin6_scope_id: address.scope_id(),
                });
                size_of::<libc::sockaddr_in6>() as libc::socklen_t
            }
        }
    }
}

fn in_addr(ip: Ipv4Addr) -> libc::in_addr {
    libc::in_addr { s_addr: u32::from(ip).to_be() }
}

fn read_controls(header: &libc::msghdr, arrival: &mut Arrival<'_>) {
    // SAFETY: the kernel wrote well-formed controls of the length it told, and each kind has its own type of value.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = next.as_ref() {
            let value = libc::CMSG_DATA(control);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let found = value.cast::<libc::in_pktinfo>().read_unaligned();
                    let ip = Ipv4Addr::from(u32::from_be(found.ipi_spec_dst.s_addr));
                    // A socket for both families is told both; the other one is what it can be answered from.
                    arrival.to.get_or_insert(ip.into());
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let found = value.cast::<libc::in6_pktinfo>().read_unaligned();
                    arrival.to = Some(Ipv6Addr::from(found.ipi6_addr.s6_addr).into());
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    arrival.dropped = Some(value.cast::<u32>().read_unaligned());
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(header, control);
        }
    }
}

fn write_controls(header: &mut libc::msghdr, message: &Message<'_>) {
    let mut len = 0;
    if let Some(segment) = message.segment {
        len += write_control(header, len, libc::SOL_UDP, libc::UDP_SEGMENT, segment);
    }
    match message.from {
        Some(IpAddr::V4(ip)) => {
            let any = in_addr(Ipv4Addr::UNSPECIFIED);
            let info = libc::in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: in_addr(ip), ipi_addr: any };
            len += write_control(header, len, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
        }
        Some(IpAddr::V6(ip)) => {
            let ipi6_addr = libc::in6_addr { s6_addr: ip.octets() };
            let info = libc::in6_pktinfo { ipi6_addr, ipi6_ifindex: 0 };
            len += write_control(header, len, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
        }
        None => {}
    }
    header.msg_controllen = len;
}

/// Writes a control at `at`; how much room it takes.
fn write_control<T>(header: &libc::msghdr, at: usize, level: i32, kind: i32, value: T) -> usize {
    // SAFETY: both kinds that are ever written together fit a `Control`, which is aligned as a header of one has to be.
    unsafe {
        let control = header.msg_control.byte_add(at).cast::<libc::cmsghdr>();
        (*control).cmsg_level = level;
        (*control).cmsg_type = kind;
        (*control).cmsg_len = libc::CMSG_LEN(size_of::<T>() as u32) as usize;
        libc::CMSG_DATA(control).cast::<T>().write_unaligned(value);
        libc::CMSG_SPACE(size_of::<T>() as u32) as usize
    }
}

const _: () = assert!(size_of::<Control>() >= 96);
