//! A reply's body on its way into the cache, beside its way to the client.
//!
//! Short bodies are gathered in memory; longer ones go to the disk as they come, where there is one. What does not end as it
//! should is not kept. A filling never fails the reply: the client gets its bytes whatever becomes of the entry.

use std::{
    mem,
    pin::Pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::{
    Cache,
    claims::{Lead, Outcome},
    counters::Unkept,
    disk::{Disk, Writing},
    entry::{Content, Entry, SEGMENT},
};

/// Bodies on their way may have this much memory together, however little the cache has for entries.
const LEAST_HELD: u64 = 4 * 1024 * 1024;

/// An entry that has its head and waits for its body. Dropped, it leaves nothing.
#[derive(Debug)]
pub struct Filling {
    cache: Cache,
    /// None when it is over.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    lead: Lead,
    entry: Entry,
    /// What `Content-Length` says.
    expected: Option<u64>,
    length: u64,
    /// Not more than a segment, but for the last thing pushed.
    gathered: Vec<u8>,
    /// Bytes of this body that are in memory, as the cache counts them.
    held: u64,
    sink: Sink,
}

#[derive(Debug)]
enum Sink {
    Memory(Vec<Bytes>),
    File(Writing),
}

impl Filling {
    pub(crate) fn new(cache: Cache, lead: Lead, entry: Entry, expected: Option<u64>) -> Self {
        let sink = Sink::Memory(Vec::new());
        let open = Open { lead, entry, expected, length: 0, gathered: Vec::new(), held: 0, sink };
        Self { cache, open: Some(open) }
    }

    /// Whether it still may become an entry.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Ready when there is room for more: what was pushed is on its way to the disk, or stays in memory.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(open) = &mut self.open
            && open.gathered.len() > SEGMENT
        {
            match &mut open.sink {
                Sink::Memory(segments) => match &self.cache.0.disk {
                    Some(disk) => open.sink = Sink::File(Writing::begin(disk, open.entry.id)),
                    None => segments.push(cut(&mut open.gathered)),
                },
                Sink::File(writing) => {
                    let is_written = ready!(writing.poll_ready(cx)).is_ok();
                    let segment = cut(&mut open.gathered);
                    let length = segment.len() as u64;
                    let appended = if is_written { writing.append(segment) } else { Err(Unkept::Disk) };
                    if let Err(reason) = appended {
                        self.give_up(reason);
                        break;
                    }
                    open.held -= length;
                    self.cache.0.held.fetch_sub(length, Relaxed);
                }
            }
        }
        Poll::Ready(())
    }

    /// Takes the next bytes. Call `poll_ready` before.
    pub fn push(&mut self, data: &[u8]) {
        let Some(open) = &mut self.open else { return };
        let length = data.len() as u64;
        open.length += length;
        open.held += length;
        let held = self.cache.0.held.fetch_add(length, Relaxed) + length;
        if open.length > self.cache.0.settings.max_entry_bytes {
            self.give_up(Unkept::TooLarge);
        } else if open.expected.is_some_and(|expected| open.length > expected) {
            self.give_up(Unkept::Truncated);
        } else if held > self.cache.0.settings.memory_bytes.max(LEAST_HELD) {
            self.give_up(Unkept::Busy);
        } else {
            open.gathered.extend_from_slice(data);
        }
    }

    /// The body has ended as it should: keeps the entry. A long one is found when the disk has all of it.
    pub fn finish(mut self) {
        let Some(open) = self.open.take() else { return };
        self.cache.0.held.fetch_sub(open.held, Relaxed);
        if open.expected.is_some_and(|expected| open.length != expected) {
            self.cache.0.tallies.unkept(Unkept::Truncated);
            return open.lead.decide(Outcome::NotStorable);
        }
        open.keep(self.cache.clone());
    }

    /// Whether all that was announced is there.
    fn is_whole(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.expected == Some(open.length))
    }

    /// A body that passes through, and fills the entry on its way.
    pub fn beside<B: Body>(self, body: B) -> Tee<B> {
        // Nobody asks an empty body for its end.
        if body.is_end_stream() {
            self.finish();
            return Tee { body, filling: None };
        }
        Tee { body, filling: Some(self) }
    }

    fn give_up(&mut self, reason: Unkept) {
        let Some(open) = self.open.take() else { return };
        self.cache.0.held.fetch_sub(open.held, Relaxed);
        self.cache.0.tallies.unkept(reason);
        open.lead.decide(Outcome::NotStorable);
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.cache.0.held.fetch_sub(open.held, Relaxed);
        self.cache.0.tallies.unkept(Unkept::Left);
        open.lead.decide(Outcome::Failed);
    }
}

impl Open {
    fn keep(mut self, cache: Cache) {
        self.entry.set_length(self.length);
        let is_long = self.gathered.len() > SEGMENT;
        let mut rest = Vec::new();
        while !self.gathered.is_empty() {
            rest.push(cut(&mut self.gathered));
        }
        match (self.sink, cache.0.disk.clone()) {
            (Sink::File(writing), Some(disk)) => {
                keep_long(disk, writing, rest, self.entry, self.lead, cache);
            }
            (Sink::File(_), None) => {}
            (Sink::Memory(_), Some(disk)) if is_long => {
                let writing = Writing::begin(&disk, self.entry.id);
                keep_long(disk, writing, rest, self.entry, self.lead, cache);
            }
            (Sink::Memory(mut segments), _) => {
                segments.append(&mut rest);
                self.entry.content = Content::Memory(segments.into());
                cache.keep(&Arc::new(self.entry), &self.lead);
            }
        }
    }
}

/// The head is written before anybody is told: who has waited finds the entry.
fn keep_long(disk: Disk, writing: Writing, rest: Vec<Bytes>, mut entry: Entry, lead: Lead, cache: Cache) {
    writing.finish(rest, move |written| {
        let kept = written.and_then(|sums| {
            entry.content = Content::File(sums.into());
            if lead.is_overtaken() {
                disk.discard_now(entry.id);
                return Err(Unkept::Overtaken);
            }
            disk.write_now(&entry).map_err(|_| Unkept::Disk)
        });
        match kept {
            Ok(()) => cache.keep(&Arc::new(entry), &lead),
            Err(reason) => {
                cache.0.tallies.unkept(reason);
                lead.decide(Outcome::NotStorable);
            }
        }
    });
}

/// Takes the first segment, in memory of its own size.
fn cut(gathered: &mut Vec<u8>) -> Bytes {
    let rest = gathered.split_off(gathered.len().min(SEGMENT));
    let mut segment = mem::replace(gathered, rest);
    segment.shrink_to_fit();
    segment.into()
}

/// A body, and the filling that sees it pass.
#[derive(Debug)]
pub struct Tee<B> {
    body: B,
    filling: Option<Filling>,
}

impl<B: Body<Data = Bytes>> Tee<B> {
    fn see(&mut self, frame: Option<&Result<Frame<Bytes>, B::Error>>) {
        let Some(mut filling) = self.filling.take() else { return };
        match frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    filling.push(data);
                }
                // Who reads may not ask again after the last frame.
                if frame.is_trailers() || self.body.is_end_stream() || filling.is_whole() {
                    filling.finish();
                } else {
                    self.filling = Some(filling);
                }
            }
            Some(Err(_)) => {}
            None => filling.finish(),
        }
    }
}

impl<B> Tee<B> {
    /// Whether what passes still may become an entry.
    pub fn is_filling(&self) -> bool {
        self.filling.as_ref().is_some_and(Filling::is_open)
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for Tee<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if let Some(filling) = &mut self.filling {
            ready!(filling.poll_ready(cx));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.see(frame.as_ref());
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.filling.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
