//! The file of a room: made whole or not at all, looked at before SQLite opens it, and opened.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{Error, row};
use crate::wire::room::LogId;

const NAME: &str = "room.sqlite3";
/// Says that a file is of a room: "pegl".
const APPLICATION: i32 = 0x7065_676c;
/// What the tables are like.
const FORMAT: i32 = 1;
pub(super) const TABLES: [&str; 3] = [
    "CREATE TABLE log (id BLOB NOT NULL, sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE batches (first INTEGER PRIMARY KEY, entries BLOB NOT NULL, sum INTEGER NOT NULL) STRICT",
    "CREATE TABLE authors (id BLOB PRIMARY KEY, own INTEGER NOT NULL, print INTEGER, last INTEGER NOT NULL, sum INTEGER NOT NULL) \
     STRICT, WITHOUT ROWID",
];
/// A write-ahead log of so many pages goes into the file, and begins anew.
const WAL_PAGES: u32 = 1_000;
/// A write-ahead log that grew longer, for a large batch, is cut when it begins anew.
const WAL_BYTES: u32 = 8 * 1024 * 1024;

/// What SQLite's files begin with.
const MAGIC: &[u8] = b"SQLite format 3\0";
const HEADER: usize = 100;
const VERSION_AT: usize = 60;
const APPLICATION_AT: usize = 68;

pub(super) fn in_directory(directory: &Path) -> PathBuf {
    directory.join(NAME)
}

/// Where SQLite has the write-ahead log of a file.
pub(super) fn wal(file: &Path) -> PathBuf {
    let mut wal = file.as_os_str().to_owned();
    wal.push("-wal");
    wal.into()
}

/// Whether there is a file. One that is not for us to open is told, and is not touched.
pub(super) fn is_there(file: &Path) -> Result<bool, Error> {
    let damaged = |what: &str| Error::Damaged { file: file.to_owned(), what: what.to_owned() };
    let mut header = [0; HEADER];
    let read = File::open(file).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            return Err(damaged("its end is missing"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::Disk(error)),
        // SQLite would put it into any file of that name.
        Err(_) if wal(file).exists() => {
            return Err(damaged("it is missing, and its write-ahead log is there"));
        }
        Err(_) => return Ok(false),
    }
    let number = |at: usize| i32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    if !header.starts_with(MAGIC) {
        return Err(damaged("it is no file of SQLite's"));
    }
    match (number(APPLICATION_AT), number(VERSION_AT)) {
        (APPLICATION, FORMAT) => Ok(true),
        (APPLICATION, version) => Err(Error::Later { file: file.to_owned(), version }),
        _ => Err(Error::Foreign { file: file.to_owned() }),
    }
}

/// Makes the file. It has its name only once it is whole.
pub(super) fn begin(directory: &Path, log: LogId) -> Result<(), Error> {
    let unfinished = directory.join("unfinished");
    for left in ["unfinished", "unfinished-journal", "unfinished-wal"] {
        remove(&directory.join(left)).map_err(Error::Disk)?;
    }
    make(&unfinished, log).map_err(|error| Error::of(&unfinished, error))?;
    fs::rename(&unfinished, in_directory(directory)).map_err(Error::Disk)?;
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(Error::Disk)
}

fn make(unfinished: &Path, log: LogId) -> rusqlite::Result<()> {
    let mut connection = connect(unfinished)?;
    let transaction = connection.transaction()?;
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    for table in TABLES {
        transaction.execute(table, [])?;
    }
    transaction.execute("INSERT INTO log VALUES (?1, ?2)", (log.0, row::sum_of_log(log)))?;
    transaction.commit()?;
    // All of it goes into the file, and onto the disk.
    connection.close().map_err(|(_, error)| error)
}

fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Opens a file, for this process alone: each commit is on the disk when it returns.
pub(super) fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.pragma_update(None, "cell_size_check", "ON")?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // Before the first look at the file: there is no need for shared memory then, which would be another file.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", WAL_PAGES)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES)?;
    Ok(connection)
}
