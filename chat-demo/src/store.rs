//! What a room keeps on the disk: one file of `redb` (docs/adr/0008 says why), written a batch a transaction.
//!
//! ```text
//! meta      "format" → 1, "log" → which log it is
//! batches   number of the first entry → the entries of one batch
//! authors   member → the last of its own numbers, the room's number then
//! ```
//!
//! A batch is on the disk when [`Store::write`] returns, or not at all. The file is for one process at a time. After a write
//! that failed the file is opened again, since nobody knows what of it the disk has; what is there then is what was
//! there before the batch.

use std::{
    collections::VecDeque,
    error, fmt, fs, io,
    path::{Path, PathBuf},
};

use redb::{Database, DatabaseError, ReadableDatabase as _, ReadableTable as _, TableDefinition, TableError};
use serde_bytes::{ByteBuf, Bytes};

use crate::{
    room::{Batch, Kept, Stored},
    wire::room::{LogId, MemberId},
};

const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const BATCHES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("batches");
const AUTHORS: TableDefinition<'_, [u8; 16], (u64, u64)> = TableDefinition::new("authors");

const FORMAT: &[u8] = &[1];
/// The log is in memory anyway.
const CACHE_BYTES: usize = 4 * 1024 * 1024;
const FILE: &str = "room.redb";

/// An open file.
pub(crate) struct Store {
    open: Box<dyn Fn() -> Result<Database, DatabaseError> + Send>,
    /// `None` after a write that failed.
    database: Option<Database>,
    /// The first number of each batch on the disk.
    batches: VecDeque<u64>,
}

/// Why there is no store, or nothing was stored.
#[derive(Debug)]
pub(crate) enum Error {
    /// There is no such directory, and none could be made.
    Directory(io::Error),
    /// Another process has the file.
    InUse,
    /// What is in the file is not what a room wrote.
    Damaged(String),
    /// The disk, or what there is instead, refused.
    Disk(redb::Error),
}

impl Store {
    /// The file of this directory, and what is in it; both are made where they are not there yet. A new log is called `new`.
    pub(crate) fn open(directory: &Path, new: LogId) -> Result<(Self, Stored), Error> {
        fs::create_dir_all(directory).map_err(Error::Directory)?;
        let file = file(directory);
        Self::open_by(Box::new(move || builder().create(&file)), new)
    }

    fn open_by(
        open: Box<dyn Fn() -> Result<Database, DatabaseError> + Send>,
        new: LogId,
    ) -> Result<(Self, Stored), Error> {
        let mut database = open()?;
        // A file that was closed well is otherwise believed without a look.
        database.check_integrity()?;
        prepare(&database, new)?;
        let stored = read(&database)?;
        let batches = firsts(&database)?;
        Ok((Self { open, database: Some(database), batches }, stored))
    }

    /// Stores a batch, and lets go of what is no longer kept.
    pub(crate) fn write(&mut self, batch: &Batch) -> Result<(), Error> {
        let database = match self.database.take() {
            Some(database) => database,
            None => (self.open)()?,
        };
        let gone = self.gone(batch.keep_from);
        commit(&database, batch, self.batches.iter().take(gone))?;
        self.database = Some(database);
        self.batches.drain(..gone);
        if !batch.entries.is_empty() {
            self.batches.push_back(batch.first);
        }
        Ok(())
    }

    /// How many of the oldest batches have nothing that is still kept.
    fn gone(&self, keep_from: u64) -> usize {
        self.batches.iter().skip(1).take_while(|first| **first <= keep_from).count()
    }
}

/// Where the file of this directory is.
pub(crate) fn file(directory: &Path) -> PathBuf {
    directory.join(FILE)
}

fn builder() -> redb::Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

/// Makes the tables of a new file; refuses one of another format.
fn prepare(database: &Database, new: LogId) -> Result<(), Error> {
    let write = database.begin_write().map_err(disk)?;
    {
        let mut meta = write.open_table(META)?;
        let format = meta.get("format").map_err(disk)?.map(|format| format.value().to_vec());
        match format.as_deref() {
            Some(FORMAT) => {}
            Some(other) => return Err(Error::Damaged(format!("it is of format {other:?}"))),
            None => {
                meta.insert("format", FORMAT).map_err(disk)?;
                meta.insert("log", &new.0[..]).map_err(disk)?;
            }
        }
        write.open_table(BATCHES)?;
        write.open_table(AUTHORS)?;
    }
    write.commit().map_err(disk)
}

fn read(database: &Database) -> Result<Stored, Error> {
    let read = database.begin_read().map_err(disk)?;
    let meta = read.open_table(META)?;
    let log = meta.get("log").map_err(disk)?.and_then(|log| log.value().try_into().ok());
    let log = LogId(log.ok_or_else(|| damaged("it does not say which log it is"))?);
    let mut stored = Stored::empty(log);
    for row in read.open_table(BATCHES)?.iter().map_err(disk)? {
        let (first, bytes) = row.map_err(disk)?;
        let next = stored.first + stored.entries.len() as u64;
        if stored.entries.is_empty() {
            stored.first = first.value();
        } else if first.value() != next {
            return Err(damaged(format!("after number {} comes {}", next - 1, first.value())));
        }
        stored.entries.extend(entries_of(bytes.value())?);
    }
    for row in read.open_table(AUTHORS)?.iter().map_err(disk)? {
        let (id, numbers) = row.map_err(disk)?;
        let (number, last) = numbers.value();
        stored.authors.push((MemberId(id.value()), number, last));
    }
    Ok(stored)
}

fn firsts(database: &Database) -> Result<VecDeque<u64>, Error> {
    let read = database.begin_read().map_err(disk)?;
    let table = read.open_table(BATCHES)?;
    let rows = table.iter().map_err(disk)?;
    rows.map(|row| row.map(|(first, _)| first.value()).map_err(disk)).collect()
}

fn commit<'a>(database: &Database, batch: &Batch, gone: impl Iterator<Item = &'a u64>) -> Result<(), Error> {
    let write = database.begin_write().map_err(disk)?;
    {
        let mut batches = write.open_table(BATCHES)?;
        if !batch.entries.is_empty() {
            batches.insert(batch.first, bytes_of(&batch.entries).as_slice()).map_err(disk)?;
        }
        for first in gone {
            batches.remove(first).map_err(disk)?;
        }
        let mut authors = write.open_table(AUTHORS)?;
        for (id, number, last) in &batch.authors {
            authors.insert(id.0, (*number, *last)).map_err(disk)?;
        }
        for id in &batch.forgotten {
            authors.remove(id.0).map_err(disk)?;
        }
    }
    write.commit().map_err(disk)
}

fn bytes_of(entries: &[Kept]) -> Vec<u8> {
    let rows: Vec<_> = entries.iter().map(|kept| (kept.author, kept.to, Bytes::new(&kept.bytes))).collect();
    // Writing to memory cannot fail.
    rmp_serde::to_vec(&rows).unwrap_or_default()
}

fn entries_of(bytes: &[u8]) -> Result<impl Iterator<Item = Kept> + use<>, Error> {
    let rows: Vec<(MemberId, Option<MemberId>, ByteBuf)> =
        rmp_serde::from_slice(bytes).map_err(|error| damaged(error.to_string()))?;
    Ok(rows.into_iter().map(|(author, to, bytes)| Kept { author, to, bytes: bytes.into_vec().into() }))
}

fn damaged(what: impl Into<String>) -> Error {
    Error::Damaged(what.into())
}

fn disk(error: impl Into<redb::Error>) -> Error {
    match error.into() {
        redb::Error::Corrupted(what) => Error::Damaged(what),
        error => Error::Disk(error),
    }
}

impl From<DatabaseError> for Error {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::InUse,
            DatabaseError::RepairAborted | DatabaseError::UpgradeRequired(_) => {
                Self::Damaged(error.to_string())
            }
            DatabaseError::Storage(redb::StorageError::Io(error))
                if error.kind() == io::ErrorKind::InvalidData =>
            {
                Self::Damaged(error.to_string())
            }
            other => disk(other),
        }
    }
}

impl From<TableError> for Error {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => disk(error),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(error) => write!(f, "no directory can be made: {error}"),
            Self::InUse => f.write_str("another room uses it"),
            Self::Damaged(what) => write!(f, "it is damaged, or no room's: {what}"),
            Self::Disk(redb::Error::Io(error)) => error.fmt(f),
            Self::Disk(error) => error.fmt(f),
        }
    }
}

impl error::Error for Error {}
