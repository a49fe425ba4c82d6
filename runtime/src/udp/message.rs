//! What a shard sends and receives with, and datagrams put together into messages.
//!
//! A [`Desk`] is shared by all sockets of a shard: its slots are used for the length of one read, what is to be kept is
//! copied out of them close together.

use std::{cell::RefCell, io, net::IpAddr, os::fd::BorrowedFd};

use bytes::{Bytes, BytesMut};

use super::mmsg::{Arrival, Message, Sender, Slots};

/// Datagrams that the kernel may be asked to cut from one message are at most so long: longer ones may not fit a packet.
const MAX_SEGMENT: u32 = 1_400;
/// The kernel cuts a message into at most so many.
const MAX_SEGMENTS: usize = 64;
/// A message is at most so long, before it is cut.
const MAX_MESSAGE: u32 = 65_000;
/// What is kept of datagrams is copied into buffers of this size.
const BUFFER: usize = 64 * 1024;

/// Slots and headers, made when they are first needed, and where datagrams are copied to.
#[derive(Default)]
pub struct Desk {
    slots: RefCell<Option<Slots>>,
    sender: RefCell<Option<Sender>>,
    buffer: RefCell<BytesMut>,
}

impl Desk {
    /// Receives what there is, many datagrams with one system call, and shows them to `look`. How many there were, and
    /// what it found.
    pub(super) fn receive<T>(
        &self,
        socket: BorrowedFd<'_>,
        look: impl FnOnce(&mut dyn Iterator<Item = Arrival<'_>>) -> T,
    ) -> io::Result<(usize, T)> {
        let mut slots = self.slots.borrow_mut();
        let slots = slots.get_or_insert_with(Slots::new);
        let count = slots.receive(socket)?;
        let slots = &*slots;
        Ok((count, look(&mut (0..count).map(|index| slots.arrival(index)))))
    }

    /// Sends the first of these messages; how many the kernel took.
    pub(super) fn send(&self, socket: BorrowedFd<'_>, messages: &[Message<'_>]) -> io::Result<usize> {
        self.sender.borrow_mut().get_or_insert_with(Sender::new).send(socket, messages)
    }

    /// Copies datagrams close together; at `ends` is told where each ends.
    pub fn gather<'a>(&self, datagrams: impl Iterator<Item = &'a [u8]>, ends: &mut Vec<u32>) -> Bytes {
        let mut buffer = self.buffer.borrow_mut();
        ends.clear();
        for datagram in datagrams {
            if buffer.capacity() - buffer.len() < datagram.len() {
                buffer.reserve(BUFFER.max(datagram.len()));
            }
            buffer.extend_from_slice(datagram);
            ends.push(buffer.len() as u32);
        }
        buffer.split().freeze()
    }
}

/// Whether a message was not sent because it was to be cut: the way out cannot cut, or not into so long datagrams. Which
/// error says so depends on the kernel.
pub(super) fn is_about_cutting(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE))
}

/// Datagrams that follow each other and may go as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) from: u32,
    pub(super) end: u32,
    pub(super) datagrams: usize,
    /// The size of all but the last, where there are several.
    pub(super) segment: Option<u16>,
}

impl Run {
    pub(super) fn message(self, bytes: &[u8]) -> Message<'_> {
        let bytes = &bytes[self.from as usize..self.end as usize];
        Message { bytes, segment: self.segment, to: None, from: None }
    }
}

/// Puts the datagrams that end at `ends` together, those of one size if `may_segment`.
pub(super) fn runs(ends: &[u32], from: u32, may_segment: bool) -> impl Iterator<Item = Run> {
    let (mut rest, mut from) = (ends, from);
    std::iter::from_fn(move || {
        let size = rest.first()? - from;
        let count = if may_segment { alike(rest, from, size) } else { 1 };
        let (run, others) = rest.split_at(count);
        let segment = (count > 1).then_some(size as u16);
        let run = Run { from, end: run[count - 1], datagrams: count, segment };
        (rest, from) = (others, run.end);
        Some(run)
    })
}

/// How many of the datagrams, the first of which has this size, the kernel could cut from one message.
fn alike(ends: &[u32], from: u32, size: u32) -> usize {
    if size == 0 || size > MAX_SEGMENT {
        return 1;
    }
    let longest = MAX_SEGMENTS.min((MAX_MESSAGE / size) as usize);
    let sizes = ends.iter().scan(from, |from, &end| Some(end - std::mem::replace(from, end)));
    let same = sizes.clone().take(longest).take_while(|&other| other == size).count();
    let is_shorter = |&last: &u32| last > 0 && last < size;
    same + usize::from(same < longest && sizes.clone().nth(same).as_ref().is_some_and(is_shorter))
}

/// Which address of ours, as it is told where it matters.
pub(super) type Local = Option<IpAddr>;

#[cfg(test)]
mod tests {
    use super::*;

    fn shapes(ends: &[u32], may_segment: bool) -> Vec<(u32, u32, usize, Option<u16>)> {
        runs(ends, 0, may_segment).map(|run| (run.from, run.end, run.datagrams, run.segment)).collect()
    }

    #[test]
    fn datagrams_of_one_size_go_together_and_a_shorter_one_may_end_them() {
        assert_eq!(
            shapes(&[4, 8, 10, 14, 14, 20, 30], true),
            [(0, 10, 3, Some(4)), (10, 14, 1, None), (14, 14, 1, None), (14, 20, 1, None), (20, 30, 1, None)]
        );
        assert_eq!(shapes(&[4, 8], false), [(0, 4, 1, None), (4, 8, 1, None)]);
    }

    #[test]
    fn no_message_has_more_than_the_kernel_cuts() {
        let ends: Vec<u32> = (1..=100).map(|index| index * 10).collect();
        assert_eq!(shapes(&ends, true), [(0, 640, 64, Some(10)), (640, 1000, 36, Some(10))]);
        let ends: Vec<u32> = (1..=50).map(|index| index * 1400).collect();
        assert!(shapes(&ends, true).iter().all(|(from, end, ..)| end - from <= MAX_MESSAGE));
        assert_eq!(shapes(&[2000, 4000], true).len(), 2);
    }
}
