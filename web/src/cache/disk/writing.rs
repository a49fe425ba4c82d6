//! A long body on its way to its file: one segment being written at most, one being gathered.
//!
//! The bytes count as taken as soon as they are handed over, so that bodies on their way are within the cache's bound too.

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use tokio::task::JoinHandle;

use super::{Disk, record::checksum};
use crate::cache::counters::Unkept;

/// A file that grows.
#[derive(Debug, Default)]
struct Growing {
    /// None before the first segment.
    file: Option<File>,
    length: u64,
    sums: Vec<u64>,
}

impl Growing {
    fn append(mut self, disk: &Disk, id: u64, segment: &[u8]) -> io::Result<Self> {
        let file = match self.file.take() {
            Some(file) => file,
            None => disk.0.files.create_body(id)?,
        };
        file.write_all_at(segment, self.length)?;
        self.file = Some(file);
        self.length += segment.len() as u64;
        self.sums.push(checksum(id, segment));
        Ok(self)
    }
}

#[derive(Debug)]
enum State {
    Idle(Growing),
    Busy(JoinHandle<io::Result<Growing>>),
    /// Handed over, or failed.
    Over,
}

/// A body that is being written. Dropped before its end, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Writing {
    disk: Disk,
    id: u64,
    state: State,
    /// Bytes that are counted for it.
    reserved: u64,
}

impl Writing {
    pub(crate) fn begin(disk: &Disk, id: u64) -> Self {
        Self { disk: disk.clone(), id, state: State::Idle(Growing::default()), reserved: 0 }
    }

    /// Ready when another segment may be appended; an error if one could not be written.
    pub(crate) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let State::Busy(job) = &mut self.state else { return Poll::Ready(Ok(())) };
        let written = ready!(Pin::new(job).poll(cx)).map_err(io::Error::other).flatten();
        self.disk.tell(written.as_ref().err());
        self.state = State::Over;
        Poll::Ready(written.map(|growing| self.state = State::Idle(growing)))
    }

    /// Writes a segment. Only when ready; says why if there is no room, or an earlier one failed.
    pub(crate) fn append(&mut self, segment: Bytes) -> Result<(), Unkept> {
        self.reserve(segment.len() as u64)?;
        let State::Idle(growing) = std::mem::replace(&mut self.state, State::Over) else {
            return Err(Unkept::Disk);
        };
        let (disk, id) = (self.disk.clone(), self.id);
        let job = self.disk.threads().spawn_blocking(move || growing.append(&disk, id, &segment));
        self.state = State::Busy(job);
        Ok(())
    }

    fn reserve(&mut self, bytes: u64) -> Result<(), Unkept> {
        if !self.disk.reserve(bytes) {
            return Err(Unkept::Busy);
        }
        self.reserved += bytes;
        Ok(())
    }

    /// Writes what is left, and then says what came of it, from another thread: the checksums. Says at once if there is no room.
    pub(crate) fn finish(
        mut self,
        rest: Vec<Bytes>,
        then: impl FnOnce(Result<Vec<u64>, Unkept>) + Send + 'static,
    ) {
        if let Err(reason) = self.reserve(rest.iter().map(|segment| segment.len() as u64).sum()) {
            return then(Err(reason));
        }
        self.disk.clone().job(move |disk| {
            let id = self.id;
            let append = |growing: Growing, segment: &Bytes| growing.append(disk, id, segment);
            let grown = self.grown().and_then(|growing| rest.iter().try_fold(growing, append));
            disk.tell(grown.as_ref().err());
            if grown.is_ok() {
                self.hand_over();
            }
            then(grown.map(|growing| growing.sums).map_err(|_| Unkept::Disk));
        });
    }

    /// What was written, when it is. Waits: not for shards.
    fn grown(&mut self) -> io::Result<Growing> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Idle(growing) => Ok(growing),
            State::Busy(job) => self.disk.threads().block_on(job).map_err(io::Error::other).flatten(),
            State::Over => Err(io::Error::other("an earlier part could not be written")),
        }
    }

    /// From here on the file is the entry's.
    fn hand_over(&mut self) {
        self.disk.release(std::mem::take(&mut self.reserved));
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if self.reserved == 0 {
            return;
        }
        self.disk.release(self.reserved);
        let (id, state) = (self.id, std::mem::replace(&mut self.state, State::Over));
        self.disk.job(move |disk| {
            // Removed after its last write: an open file would be written to, and a new one made.
            if let State::Busy(job) = state {
                let _ = disk.threads().block_on(job);
            }
            disk.0.files.remove(id, true);
        });
    }
}
