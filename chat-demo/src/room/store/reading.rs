//! Reads all that is in a file, and tells of anything that is not as it was written.

use rusqlite::Connection;

use super::{file::TABLES, row};
use crate::{
    room::{LastWord, Own, Stored},
    wire::room::{LogId, MemberId},
};

/// Why a file cannot be read.
pub(super) enum Fault {
    /// What SQLite says.
    Told(rusqlite::Error),
    /// What was found in it.
    Found(String),
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        Self::Told(error)
    }
}

/// What is in this file.
pub(super) fn read(connection: &Connection) -> Result<Stored, Fault> {
    look_at_pages(connection)?;
    look_at_tables(connection)?;
    let mut stored = Stored::empty(log(connection)?);
    read_batches(connection, &mut stored)?;
    read_authors(connection, &mut stored)?;
    Ok(stored)
}

fn look_at_pages(connection: &Connection) -> Result<(), Fault> {
    let verdict: String = connection.pragma_query_value(None, "quick_check", |row| row.get(0))?;
    if verdict == "ok" { Ok(()) } else { found(verdict.replace('\n', ", ")) }
}

fn look_at_tables(connection: &Connection) -> Result<(), Fault> {
    let mut tables = connection.prepare("SELECT sql FROM sqlite_schema ORDER BY rowid")?;
    let tables = tables.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    if tables == TABLES { Ok(()) } else { found("its tables are not a room's") }
}

fn log(connection: &Connection) -> Result<LogId, Fault> {
    let row: ([u8; 16], i64) =
        connection.query_one("SELECT id, sum FROM log", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let log = LogId(row.0);
    if row::sum_of_log(log) == row.1 { Ok(log) } else { found("which log it is, is not what was written") }
}

fn read_batches(connection: &Connection, stored: &mut Stored) -> Result<(), Fault> {
    let mut all = connection.prepare("SELECT first, entries, sum FROM batches ORDER BY first")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let first = row.get::<_, i64>(0)?.cast_unsigned();
        let Ok(bytes) = row.get_ref(1)?.as_blob() else {
            return found(format!("number {first} is no bytes"));
        };
        if row::sum_of_batch(stored.log, first, bytes) != row.get::<_, i64>(2)? {
            return found(format!("number {first} has other bytes than were written"));
        }
        let next = stored.first + stored.entries.len() as u64;
        if stored.entries.is_empty() {
            stored.first = first;
        } else if first != next {
            return found(format!("number {first} comes where {next} should"));
        }
        match row::kept(bytes) {
            Ok(kept) => stored.entries.extend(kept),
            Err(error) => return found(format!("number {first} is not understood ({error})")),
        }
    }
    Ok(())
}

fn read_authors(connection: &Connection, stored: &mut Stored) -> Result<(), Fault> {
    // What has a number of its author's only, and is no entry, has the number of the next one.
    let next = stored.first + stored.entries.len() as u64;
    let mut all = connection.prepare("SELECT id, own, print, last, sum FROM authors")?;
    let mut rows = all.query([])?;
    while let Some(row) = rows.next()? {
        let author = MemberId(row.get(0)?);
        let print = row.get::<_, Option<i64>>(2)?.map(i64::cast_unsigned);
        let own = Own { number: row.get::<_, i64>(1)?.cast_unsigned(), print };
        let last = LastWord { author, own, at: row.get::<_, i64>(3)?.cast_unsigned() };
        if row::sum_of_author(stored.log, &last) != row.get::<_, i64>(4)? {
            return found("an author has other bytes than were written");
        }
        if last.at > next {
            let at = last.at;
            return found(format!("an author has said number {at}, and the last one is {}", next - 1));
        }
        stored.authors.push(last);
    }
    Ok(())
}

fn found<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Found(what.into()))
}
