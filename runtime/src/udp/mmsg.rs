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
    ptr, slice,
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

/// A header for each datagram of a call, with a vector, a name and controls of its own.
///
/// The kernel is given the pointers in the headers. To look at what they point to in any other way would end its right to
/// write there, so all of it is reached through them, here too.
struct Headers {
    // Invariant: point into those below, none of which ever grows or is looked at.
    all: Vec<libc::mmsghdr>,
    _vectors: Vec<libc::iovec>,
    _names: Vec<libc::sockaddr_storage>,
    _controls: Vec<Control>,
}

impl Headers {
    fn new() -> Self {
        let mut vectors = vec![libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; SLOTS];
        let (mut names, mut controls) = (vec![empty_name(); SLOTS], vec![Control::default(); SLOTS]);
        let parts = vectors.iter_mut().zip(&mut names).zip(&mut controls);
        let all = parts.map(|((vector, name), controls)| {
            let mut header = empty_header();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_control = ptr::from_mut(controls).cast();
            header
        });
        Self { all: all.collect(), _vectors: vectors, _names: names, _controls: controls }
    }

    /// Where the bytes of one are.
    fn set_bytes(&mut self, index: usize, begin: *mut u8, len: usize) {
        let vector = self.all[index].msg_hdr.msg_iov;
        // SAFETY: it points to a vector of `self`, of which there is no reference.
        unsafe { vector.write(libc::iovec { iov_base: begin.cast(), iov_len: len }) }
    }
}

/// Where datagrams arrive.
pub(super) struct Slots {
    headers: Headers,
    // Invariant: never moves or is looked at; the headers' vectors point into it.
    _bytes: Vec<u8>,
    used: usize,
}

impl Slots {
    pub(super) fn new() -> Self {
        // Zeroed memory is not there until it is written to.
        let (mut headers, mut bytes) = (Headers::new(), vec![0; SLOTS * SLOT]);
        for (index, slot) in bytes.chunks_mut(SLOT).enumerate() {
            headers.set_bytes(index, slot.as_mut_ptr(), SLOT);
        }
        Self { headers, _bytes: bytes, used: SLOTS }
    }

    /// Receives what there is, at most a slot each; how many there were.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        for header in &mut self.headers.all[..self.used] {
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
            header.msg_hdr.msg_controllen = size_of::<Control>();
        }
        self.used = 0;
        let (headers, none) = (self.headers.all.as_mut_ptr(), ptr::null_mut());
        // SAFETY: the headers point to slots, names and controls that live as long as `self`, with their true lengths,
        // and of which there is no reference: an arrival borrows `self`.
        let count =
            unsafe { libc::recvmmsg(socket.as_raw_fd(), headers, SLOTS as u32, libc::MSG_DONTWAIT, none) };
        self.used = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        Ok(self.used)
    }

    /// One of those received last.
    pub(super) fn arrival(&self, index: usize) -> Arrival<'_> {
        let header = &self.headers.all[index];
        let len = (header.msg_len as usize).min(SLOT);
        let has_name = header.msg_hdr.msg_namelen > 0;
        // SAFETY: the header points to a slot and a name that nobody writes to while `self` is borrowed.
        let (bytes, name) = unsafe {
            let begin = (*header.msg_hdr.msg_iov).iov_base.cast::<u8>();
            (slice::from_raw_parts(begin, len), &*header.msg_hdr.msg_name.cast())
        };
        let mut arrival = Arrival {
            bytes,
            from: has_name.then(|| address_of(name)).flatten(),
            to: None,
            dropped: None,
            is_whole: header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0,
        };
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
pub(super) struct Sender(Headers);

impl Sender {
    pub(super) fn new() -> Self {
        Self(Headers::new())
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
        let headers = self.0.all.as_mut_ptr();
        // SAFETY: `count` headers were prepared just now; they point into `self` and to bytes that are borrowed.
        let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers, count as u32, libc::MSG_DONTWAIT) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }

    /// What has no length the kernel does not look at.
    fn prepare(&mut self, index: usize, message: &Message<'_>) {
        self.0.set_bytes(index, message.bytes.as_ptr().cast_mut(), message.bytes.len());
        let header = &mut self.0.all[index].msg_hdr;
        header.msg_namelen = message.to.map_or(0, |to| write_address(to, header.msg_name.cast()));
        header.msg_controllen = write_controls(header, message);
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

/// Writes an address into a header's name; how long it is.
fn write_address(address: SocketAddr, name: *mut libc::sockaddr_storage) -> libc::socklen_t {
    // SAFETY: the storage is large and aligned enough for both, and there is no reference of it.
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
        // No reference: the value lies behind the header, and a reference may not be left.
        while !next.is_null() {
            let (value, head) = (libc::CMSG_DATA(next), next.read());
            match (head.cmsg_level, head.cmsg_type) {
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
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
}

/// Writes what the kernel is told beside the bytes; how long it is.
fn write_controls(header: &libc::msghdr, message: &Message<'_>) -> usize {
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
    len
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

#[cfg(test)]
pub(super) mod tests {
    use std::{net::UdpSocket, os::fd::AsFd as _, time::Duration};

    use nix::sys::socket::{setsockopt, sockopt};

    use super::*;

    /// Datagrams without checksums are those the kernel will not cut from messages.
    pub(in crate::udp) fn send_without_checksums(socket: BorrowedFd<'_>) {
        let (yes, len) = (1_i32, size_of::<i32>() as libc::socklen_t);
        let (fd, value) = (socket.as_raw_fd(), (&raw const yes).cast());
        // SAFETY: the value lives until the call is over, and is as long as it says.
        let result = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, libc::SO_NO_CHECK, value, len) };
        assert_eq!(result, 0);
    }

    /// Fails if lengths in headers are left from the call before, or headers share what they point to.
    #[test]
    fn addresses_and_cuts_go_with_their_own_message_call_after_call() {
        let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let port = socket.local_addr().unwrap().port();
        let home = |last| IpAddr::from([127, 0, 0, last]);
        let to = |last| Some(SocketAddr::new(home(last), port));
        let plain = Message { bytes: b"plain", segment: None, to: to(1), from: None };
        let cut = Message { bytes: b"aabbc", segment: Some(2), to: to(2), from: Some(home(3)) };
        let (mut sender, mut slots) = (Sender::new(), Slots::new());
        for messages in [[cut, plain], [plain, cut]] {
            assert_eq!(sender.send(socket.as_fd(), &messages).unwrap(), 2);
            let mut came = Vec::new();
            while came.len() < 4 {
                socket.peek(&mut [0]).unwrap();
                let count = slots.receive(socket.as_fd()).unwrap();
                came.extend((0..count).map(|index| slots.arrival(index)).map(|it| {
                    assert!(it.is_whole);
                    (it.bytes.to_vec(), it.from.unwrap().ip(), it.to)
                }));
            }
            came.sort();
            let cut = [b"aa".to_vec(), b"bb".to_vec(), b"c".to_vec()].map(|it| (it, home(3), Some(home(2))));
            assert_eq!(came[..3], cut);
            assert_eq!((came[3].0.as_slice(), came[3].2), (&b"plain"[..], Some(home(1))));
        }
    }
}
