//! What is known to be on the disk, and the thread that brings more to it.

use std::{fs::File, future::pending, io, time::Duration};

use proto::time::Instant;
use tokio::task::{JoinHandle, spawn_blocking};
use tracing::warn;

use super::journal::{Handle, Journal, Short};

/// What could not be made short is tried again after so long.
const SHORT_AGAIN_AFTER: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Disk {
    /// The last record in the journal, and of those on the disk.
    pub(super) written: u64,
    pub(super) synced: u64,
    pub(super) synced_length: u64,
    work: Option<Work>,
    /// Whether more was asked for meanwhile.
    pub(super) is_asked_again: bool,
    /// When the journal may be made short again, and whether somebody was told that it could not be.
    short_at: Instant,
    told_long: bool,
}

/// What the thread does: one thing at a time.
#[derive(Debug)]
enum Work {
    Sync { to: u64, length: u64, done: JoinHandle<io::Result<()>> },
    Shorten { to: u64, done: JoinHandle<io::Result<(File, u64)>> },
}

/// What it has done, up to which record.
pub(super) enum Done {
    /// All is on the disk, and so long was the journal.
    Synced(u64, io::Result<u64>),
    /// A short journal is written.
    Shortened(u64, io::Result<(File, u64)>),
}

impl Disk {
    pub(super) fn new(synced_length: u64) -> Self {
        Self { synced_length, ..Self::default() }
    }

    pub(super) fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    pub(super) fn sync(&mut self, file: Handle, length: u64) {
        let done = spawn_blocking(move || file.sync());
        self.work = Some(Work::Sync { to: self.written, length, done });
    }

    /// Whether it is time to make a journal short.
    pub(super) fn may_shorten(&self, journal: &Journal, now: Instant) -> bool {
        !self.is_busy() && journal.is_long() && now >= self.short_at
    }

    pub(super) fn shorten(&mut self, short: Short) {
        let done = spawn_blocking(move || short.write());
        self.work = Some(Work::Shorten { to: self.written, done });
    }

    /// The journal is short, with all up to this record on the disk; or it is not.
    pub(super) fn on_shortened(&mut self, to: u64, outcome: io::Result<u64>, now: Instant) {
        match outcome {
            Ok(length) => {
                (self.synced, self.synced_length) = (to, length);
                self.told_long = false;
            }
            Err(error) => {
                self.short_at = now + SHORT_AGAIN_AFTER;
                if !std::mem::replace(&mut self.told_long, true) {
                    warn!(%error, "the journal cannot be made short; it is tried again each minute");
                }
            }
        }
    }

    /// When the thread is done. May be dropped at any point.
    pub(super) async fn done(&mut self) -> Done {
        let done = match &mut self.work {
            None => pending().await,
            Some(Work::Sync { to, length, done }) => {
                let (to, length) = (*to, *length);
                Done::Synced(to, ended(done).await.map(|()| length))
            }
            Some(Work::Shorten { to, done }) => {
                let to = *to;
                Done::Shortened(to, ended(done).await)
            }
        };
        self.work = None;
        done
    }
}

async fn ended<T>(work: &mut JoinHandle<io::Result<T>>) -> io::Result<T> {
    work.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}
