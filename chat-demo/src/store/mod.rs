//! What a room keeps on the disk: some files of records, each written to at its end only (docs/adr/0008 says why).
//!
//! ```text
//! DIRECTORY/lock                        whoever has it locked is the room
//!           00000000000000000001.log    a head, and batches from number 1 on
//!           00000000000000031007.log    a head, and batches from number 31007 on: the one that is written to
//! ```
//!
//! A head says which log it is and what is known of its authors; so the oldest file can go, whole, once nothing in it is
//! kept any more. A batch is on the disk when [`Store::write`] returns, or not at all: what a crash or a full disk cuts off
//! is cut off for good, and was never acknowledged. Anything else that is not as it was written is told, and nothing is guessed.

mod record;
mod segment;
#[cfg(test)]
mod tests;

use std::{
    collections::{HashMap, VecDeque},
    error, fmt,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use record::{Head, Record};
use segment::Segment;

use crate::{
    room::{Batch, Stored},
    wire::room::{LogId, MemberId},
};

/// A file that has as much is left, and another begun.
const SEGMENT_BYTES: u64 = 4 * 1024 * 1024;
/// What files end with that are complete; others are not looked at.
const ENDING: &str = "log";

/// Reads the bytes of a file, whatever they are.
#[cfg(any(test, fuzzing))]
pub(crate) fn read(bytes: &[u8]) {
    for record in record::read(bytes) {
        if let Ok(Record::Batch(batch)) = record {
            assert!(batch.entries().count() <= bytes.len());
        }
    }
}

/// A directory that this process has.
pub(crate) struct Store {
    directory: PathBuf,
    log: LogId,
    /// The first number that each of the older files may have.
    older: VecDeque<u64>,
    current: Segment,
    current_first: u64,
    authors: HashMap<MemberId, (u64, u64)>,
    /// Bytes that a crash had left of a batch, and that are gone now.
    cut_off: u64,
    // Locked as long as it is open.
    _lock: File,
}

/// Why there is no store, or nothing was stored.
#[derive(Debug)]
pub(crate) enum Error {
    /// There is no such directory, and none could be made.
    Directory(io::Error),
    /// Another process has it.
    InUse,
    /// What is in a file is not what a room wrote.
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The disk refused.
    Disk(io::Error),
}

impl Store {
    /// What is in this directory. Where there is nothing yet, a log called `new` begins.
    pub(crate) fn open(directory: &Path, new: LogId) -> Result<(Self, Stored), Error> {
        fs::create_dir_all(directory).map_err(Error::Directory)?;
        let lock = lock(directory)?;
        let mut firsts = firsts(directory)?;
        if firsts.is_empty() {
            begin(directory, 1, &Head { log: new, first: 1, authors: Vec::new() })?;
            firsts.push_back(1);
        }
        let mut reading = Reading::default();
        let mut cut_off = 0;
        for (index, first) in firsts.iter().enumerate() {
            let is_last = index + 1 == firsts.len();
            cut_off = reading.read(&file(directory, *first), is_last)?;
        }
        let stored = reading.stored;
        let current_first = firsts.pop_back().unwrap_or(1);
        let current = Segment::open(&file(directory, current_first), cut_off)?;
        let authors = stored.authors.iter().map(|(id, own, last)| (*id, (*own, *last))).collect();
        let (directory, log) = (directory.to_owned(), stored.log);
        let store =
            Self { directory, log, older: firsts, current, current_first, authors, cut_off, _lock: lock };
        Ok((store, stored))
    }

    /// Bytes that a crash had left of a batch which nobody was told is kept.
    pub(crate) fn cut_off(&self) -> u64 {
        self.cut_off
    }

    /// Stores a batch, and lets go of what is no longer kept.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), Error> {
        if self.current.len() >= SEGMENT_BYTES && batch.first > self.current_first {
            self.begin_segment(batch.first)?;
        }
        self.current.append(&record::batch(batch))?;
        for (id, own, last) in &batch.authors {
            self.authors.insert(*id, (*own, *last));
        }
        for id in &batch.forgotten {
            self.authors.remove(id);
        }
        self.remove_before(batch.keep_from);
        Ok(())
    }

    fn begin_segment(&mut self, first: u64) -> Result<(), Error> {
        let mut authors: Vec<_> = self.authors.iter().map(|(id, (own, last))| (*id, *own, *last)).collect();
        authors.sort_unstable();
        self.current = begin(&self.directory, first, &Head { log: self.log, first, authors })?;
        self.older.push_back(std::mem::replace(&mut self.current_first, first));
        Ok(())
    }

    /// Removes files that have nothing that is kept. One that stays because it cannot be removed is tried again next time.
    fn remove_before(&mut self, number: u64) {
        while let Some(first) = self.older.front().copied() {
            let next = self.older.get(1).copied().unwrap_or(self.current_first);
            if next > number || fs::remove_file(file(&self.directory, first)).is_err() {
                return;
            }
            self.older.pop_front();
        }
    }
}

/// What the files said so far.
struct Reading {
    stored: Stored,
    is_begun: bool,
}

impl Default for Reading {
    fn default() -> Self {
        Self { stored: Stored::empty(LogId([0; 16])), is_begun: false }
    }
}

impl Reading {
    /// Reads one file, and says how many bytes at its end were cut off, which only the last one may have.
    fn read(&mut self, file: &Path, is_last: bool) -> Result<u64, Error> {
        let damaged = |what: String| Error::Damaged { file: file.to_owned(), what };
        let bytes = fs::read(file).map_err(Error::Disk)?;
        let mut records = record::read(&bytes);
        match records.next() {
            Some(Ok(Record::Head(head))) => self.on_head(head).map_err(damaged)?,
            Some(Err(record::Unreadable::Damaged { what, .. })) => return Err(damaged(what)),
            _ => return Err(damaged("it does not begin with a head".to_owned())),
        }
        for record in records {
            match record {
                Ok(Record::Batch(batch)) => self.on_batch(batch).map_err(damaged)?,
                Ok(Record::Head(_)) => return Err(damaged("it has a second head".to_owned())),
                Err(record::Unreadable::CutOff { bytes }) if is_last => return Ok(bytes),
                Err(record::Unreadable::CutOff { .. }) => {
                    return Err(damaged("its end is missing".to_owned()));
                }
                Err(record::Unreadable::Damaged { what, .. }) => return Err(damaged(what)),
            }
        }
        Ok(0)
    }

    fn on_head(&mut self, head: Head) -> Result<(), String> {
        if !self.is_begun {
            self.is_begun = true;
            self.stored = Stored { first: head.first, authors: head.authors, ..Stored::empty(head.log) };
        } else if head.log != self.stored.log {
            return Err("it is of another log than the file before it".to_owned());
        }
        self.expect(head.first)
    }

    fn on_batch(&mut self, batch: record::Written) -> Result<(), String> {
        self.expect(batch.first)?;
        self.stored.entries.extend(batch.entries());
        let authors = &mut self.stored.authors;
        authors.retain(|(id, ..)| {
            !batch.forgotten.contains(id) && !batch.authors.iter().any(|(other, ..)| other == id)
        });
        authors.extend(batch.authors);
        Ok(())
    }

    fn expect(&self, first: u64) -> Result<(), String> {
        let next = self.stored.first + self.stored.entries.len() as u64;
        if first == next { Ok(()) } else { Err(format!("number {first} comes where {next} should")) }
    }
}

fn lock(directory: &Path) -> Result<File, Error> {
    let lock = File::create(directory.join("lock")).map_err(Error::Directory)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::InUse),
        Err(TryLockError::Error(error)) => Err(Error::Disk(error)),
    }
}

/// Makes a file with this head. It has its name only once it is whole.
fn begin(directory: &Path, first: u64, head: &Head) -> Result<Segment, Error> {
    let (file, unfinished) = (file(directory, first), directory.join("unfinished"));
    let write = || {
        fs::write(&unfinished, record::head(head))?;
        File::open(&unfinished)?.sync_all()?;
        fs::rename(&unfinished, &file)?;
        File::open(directory)?.sync_all()
    };
    write().map_err(Error::Disk)?;
    Segment::open(&file, 0)
}

fn file(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.{ENDING}"))
}

/// The files of this directory, by their first numbers, in their order.
fn firsts(directory: &Path) -> Result<VecDeque<u64>, Error> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::Disk)? {
        let path = entry.map_err(Error::Disk)?.path();
        let stem = path.file_stem().filter(|_| path.extension().is_some_and(|ending| ending == ENDING));
        firsts.extend(stem.and_then(|stem| stem.to_str()?.parse::<u64>().ok()));
    }
    firsts.sort_unstable();
    Ok(firsts.into())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) | Self::Disk(error) => error.fmt(f),
            Self::InUse => f.write_str("another room uses it"),
            Self::Damaged { file, what } => write!(f, "{} is damaged: {what}", file.display()),
        }
    }
}

impl error::Error for Error {}
