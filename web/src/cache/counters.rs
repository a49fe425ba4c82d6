//! What the cache counts. Everything it refuses or gives up has a reason here.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Something that happened to a request or an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Answered with what was fresh.
    Hits,
    /// Nothing was kept that could answer.
    Misses,
    /// Answered with what was stale, because the server allowed it.
    StaleServed,
    /// Found stale, and the server said that it holds.
    Revalidated,
    /// Not looked for: the method, or what the request said, is not for a cache.
    Bypassed,
    /// Waited for another request for the same.
    Collapsed,
    /// Kept.
    Stored,
    /// Dropped from memory to make room; it may still be on disk.
    EvictedFromMemory,
    /// Dropped from the disk to make room.
    EvictedFromDisk,
    /// Dropped because of a request that changes things.
    Invalidated,
    /// Dropped because an operator said so.
    Purged,
    /// Found damaged on disk, and dropped.
    Damaged,
}

impl Count {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Hits,
        Self::Misses,
        Self::StaleServed,
        Self::Revalidated,
        Self::Bypassed,
        Self::Collapsed,
        Self::Stored,
        Self::EvictedFromMemory,
        Self::EvictedFromDisk,
        Self::Invalidated,
        Self::Purged,
        Self::Damaged,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hits => "hits",
            Self::Misses => "misses",
            Self::StaleServed => "stale_served",
            Self::Revalidated => "revalidated",
            Self::Bypassed => "bypassed",
            Self::Collapsed => "collapsed",
            Self::Stored => "stored",
            Self::EvictedFromMemory => "evicted_from_memory",
            Self::EvictedFromDisk => "evicted_from_disk",
            Self::Invalidated => "invalidated",
            Self::Purged => "purged",
            Self::Damaged => "damaged",
        }
    }
}

/// Why a reply was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unkept {
    /// Replies to this method are not.
    Method,
    /// The server, the client or its status forbids it.
    Forbidden,
    /// It would be stale at once, and nothing could revalidate it.
    Useless,
    /// It is longer than an entry may be.
    TooLarge,
    /// It ended before its length, or went on after it.
    Truncated,
    /// It broke, or who read it went away.
    Left,
    /// What it is a reply for was changed in the meantime.
    Overtaken,
    /// Too many bodies are being kept at once.
    Busy,
    /// The disk is slower than what is to be kept, or refuses it.
    Disk,
}

impl Unkept {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Method,
        Self::Forbidden,
        Self::Useless,
        Self::TooLarge,
        Self::Truncated,
        Self::Left,
        Self::Overtaken,
        Self::Busy,
        Self::Disk,
    ];

    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Forbidden => "forbidden",
            Self::Useless => "useless",
            Self::TooLarge => "too_large",
            Self::Truncated => "truncated",
            Self::Left => "left",
            Self::Overtaken => "overtaken",
            Self::Busy => "busy",
            Self::Disk => "disk",
        }
    }
}

/// The counters at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    counts: [u64; Count::ALL.len()],
    unkept: [u64; Unkept::ALL.len()],
    /// Bytes held in memory, entries and their heads.
    pub memory_bytes: u64,
    /// Bytes on disk.
    pub disk_bytes: u64,
}

impl Counters {
    /// How often this happened.
    pub fn of(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    /// How many replies were not kept for this reason.
    pub fn unkept(&self, reason: Unkept) -> u64 {
        self.unkept[reason as usize]
    }
}

/// The counters as they are counted, by all threads.
#[derive(Debug, Default)]
pub(crate) struct Tallies {
    counts: [AtomicU64; Count::ALL.len()],
    unkept: [AtomicU64; Unkept::ALL.len()],
}

impl Tallies {
    pub(crate) fn count(&self, count: Count) {
        self.add(count, 1);
    }

    pub(crate) fn add(&self, count: Count, times: u64) {
        self.counts[count as usize].fetch_add(times, Relaxed);
    }

    pub(crate) fn unkept(&self, reason: Unkept) {
        self.unkept[reason as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Counters {
        Counters {
            counts: self.counts.each_ref().map(|count| count.load(Relaxed)),
            unkept: self.unkept.each_ref().map(|count| count.load(Relaxed)),
            ..Counters::default()
        }
    }
}
