//! What a room keeps on the disk: one file of SQLite's (docs/adr/0008 says why), written a batch a transaction.
//!
//! ```text
//! DIRECTORY/lock                whoever has it locked is the room
//!           room.sqlite3        log       which log it is
//!                               batches   number of the first entry → the entries of one batch
//!                               authors   member → the last of its own numbers, the print of that text, the room's number then
//!           room.sqlite3-wal    batches that are not in the file yet; there while a room is open, or after it was killed
//! ```
//!
//! A batch is on the disk when [`Store::write`] returns, or not at all. Each row has a checksum of ours, since SQLite has none
//! for what is in the file. What is not as it was written is told, and nothing is guessed.

mod file;
mod reading;
mod row;
#[cfg(test)]
mod tests;
mod wal;

use std::{
    error, fmt,
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use reading::Fault;
use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use rustix::io::Errno;

use crate::{
    room::{Batch, LastWord, Stored},
    wire::room::LogId,
};

/// A directory that this process has.
pub(crate) struct Store {
    connection: Connection,
    file: PathBuf,
    log: LogId,
    /// There may be something in the write-ahead log that is of no batch.
    is_torn: bool,
    // Held until the file is closed.
    _lock: Lock,
}

/// Why there is no store, or nothing was stored.
#[derive(Debug)]
pub(crate) enum Error {
    /// There is no such directory, and none could be made.
    Directory(io::Error),
    /// Another process has it.
    InUse,
    /// It was written by another program.
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// It was written by a later version of this one.
    Later {
        /// The file.
        file: PathBuf,
        /// Its format.
        version: i32,
    },
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
        // SQLite would take a name that begins with `file:` for an address.
        let directory = std::path::absolute(directory).map_err(Error::Directory)?;
        let lock = Lock::take(&directory)?;
        let file = file::in_directory(&directory);
        if !file::is_there(&file)? {
            file::begin(&directory, new)?;
        }
        wal::check(&file::wal(&file))?;
        let connection = file::connect(&file).map_err(|error| Error::of(&file, error))?;
        let stored = reading::read(&connection).map_err(|fault| match fault {
            Fault::Told(error) => Error::of(&file, error),
            Fault::Found(what) => Error::Damaged { file: file.clone(), what },
        })?;
        let log = stored.log;
        Ok((Self { connection, file, log, is_torn: false, _lock: lock }, stored))
    }

    /// Stores a batch, and lets go of what is no longer kept.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), Error> {
        let written = self.mend().and_then(|()| self.commit(batch));
        self.is_torn = written.is_err();
        written.map_err(|error| Error::of(&self.file, error))
    }

    fn commit(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if !batch.entries.is_empty() {
            let entries = row::entries(&batch.entries);
            let sum = row::sum_of_batch(self.log, batch.first, &entries);
            let mut add = transaction.prepare_cached("INSERT INTO batches VALUES (?1, ?2, ?3)")?;
            add.execute((batch.first.cast_signed(), entries, sum))?;
        }
        for last in &batch.authors {
            let sum = row::sum_of_author(self.log, last);
            let LastWord { author, own, at } = *last;
            let print = own.print.map(u64::cast_signed);
            let mut add = transaction.prepare_cached("REPLACE INTO authors VALUES (?1, ?2, ?3, ?4, ?5)")?;
            add.execute((author.0, own.number.cast_signed(), print, at.cast_signed(), sum))?;
        }
        for id in &batch.forgotten {
            transaction.prepare_cached("DELETE FROM authors WHERE id = ?1")?.execute([id.0])?;
        }
        transaction.prepare_cached(LET_GO)?.execute([batch.keep_from.cast_signed()])?;
        transaction.commit()
    }

    /// Empties the write-ahead log after a write that failed: what it left there is not to be taken for damage later.
    fn mend(&mut self) -> rusqlite::Result<()> {
        if self.is_torn {
            self.connection.pragma(None, "wal_checkpoint", "TRUNCATE", |_| Ok(()))?;
            self.is_torn = false;
        }
        Ok(())
    }
}

/// Removes the batches before the one that has, or could have, this number: the last one always stays.
const LET_GO: &str = "DELETE FROM batches WHERE first < (SELECT max(first) FROM batches WHERE first <= ?1)";

/// A directory that nobody else has.
struct Lock(File);

impl Lock {
    fn take(directory: &Path) -> Result<Self, Error> {
        let file = File::create(directory.join("lock")).map_err(Error::Directory)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(Error::InUse),
            Err(TryLockError::Error(error)) => Err(Error::Disk(error)),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A process that is being started may have the file open for a moment still, and the lock with it.
        let _ = self.0.unlock();
    }
}

impl Error {
    /// What SQLite said about this file.
    fn of(file: &Path, error: rusqlite::Error) -> Self {
        use ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly,
            SystemIoFailure,
        };
        match error.sqlite_error_code() {
            Some(DatabaseBusy | DatabaseLocked) => Self::InUse,
            Some(DiskFull) => Self::Disk(Errno::NOSPC.into()),
            Some(CannotOpen | OutOfMemory | PermissionDenied | ReadOnly | SystemIoFailure) => {
                Self::Disk(io::Error::other(error))
            }
            _ => Self::Damaged { file: file.to_owned(), what: error.to_string() },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) | Self::Disk(error) => error.fmt(f),
            Self::InUse => f.write_str("another room uses it"),
            Self::Foreign { file } => write!(f, "{} is another program's", file.display()),
            Self::Later { file, version } => {
                write!(f, "{} is of format {version}, which a later pegloom wrote", file.display())
            }
            Self::Damaged { file, what } => write!(f, "{} is damaged: {what}", file.display()),
        }
    }
}

impl error::Error for Error {}

/// Reads the bytes of a row, whatever they are.
#[cfg(any(test, fuzzing))]
pub(crate) fn read(bytes: &[u8]) {
    if let Ok(entries) = row::kept(bytes) {
        assert!(entries.count() <= bytes.len());
    }
}
