//! The files of entries: where they are, how they come into being at once, how they go.
//!
//! A file is written under another name and then renamed, the head last: an entry with a head was whole when it got one.
//! Nothing is forced to the platter. A kill loses nothing that was written; what a power cut tears has a wrong checksum.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, atomic::AtomicBool},
};

use bytes::Bytes;

use super::record::{self, LONGEST_HEAD, PREFACE};
use crate::cache::entry::{Content, Entry, Held, SEGMENT};

/// Files take whole blocks.
const BLOCK: u64 = 4096;

/// What a file of so many bytes takes.
pub(crate) fn blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK).max(1) * BLOCK
}

/// The directory of a cache.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    directory: PathBuf,
}

impl Files {
    pub(crate) fn new(directory: PathBuf) -> Self {
        Self { directory }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Holds the directory against a second process, until what is returned is dropped.
    pub(crate) fn lock(&self) -> io::Result<File> {
        fs::create_dir_all(&self.directory)?;
        let lock = File::create(self.directory.join("lock"))?;
        lock.try_lock().map_err(|error| match error {
            fs::TryLockError::WouldBlock => io::Error::other("another process uses it"),
            fs::TryLockError::Error(error) => error,
        })?;
        Ok(lock)
    }

    fn path(&self, id: u64, extension: &str) -> PathBuf {
        self.directory.join(format!("{:02x}", id >> 56)).join(format!("{id:016x}.{extension}"))
    }

    fn create(&self, id: u64, extension: &str) -> io::Result<(File, PathBuf)> {
        let path = self.path(id, extension);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        Ok((File::options().read(true).write(true).create(true).truncate(true).open(&path)?, path))
    }

    /// Writes the head of `entry`, and its body if that is short. Returns how long the file is.
    pub(crate) fn write_head(&self, entry: &Entry) -> io::Result<u64> {
        let bytes =
            record::encode(entry).ok_or_else(|| io::Error::other("an entry that cannot be written"))?;
        let (file, path) = self.create(entry.id, &format!("{:x}.tmp", fastrand::u64(..)))?;
        let written =
            file.write_all_at(&bytes, 0).and_then(|()| fs::rename(&path, self.path(entry.id, "head")));
        if written.is_err() {
            let _ = fs::remove_file(&path);
        }
        written.map(|()| bytes.len() as u64)
    }

    /// A new file for a long body.
    pub(crate) fn create_body(&self, id: u64) -> io::Result<File> {
        self.create(id, "body").map(|(file, _)| file)
    }

    /// Reads and checks the entry `id`; a long body is only opened.
    pub(crate) fn load(&self, id: u64, used: &Arc<AtomicBool>) -> io::Result<Held> {
        let mut file = File::open(self.path(id, "head"))?;
        let mut bytes = Vec::with_capacity(file.metadata()?.len().min(LONGEST_HEAD as u64) as usize);
        file.by_ref().take((LONGEST_HEAD + SEGMENT + PREFACE) as u64).read_to_end(&mut bytes)?;
        let mut entry = record::decode(id, &Bytes::from(bytes)).ok_or_else(damaged)?;
        entry.used = used.clone();
        let file = match entry.content {
            Content::Memory(_) => None,
            Content::File(_) => Some(Arc::new(self.open_body(id, entry.length)?)),
        };
        Ok(Held { entry: Arc::new(entry), file })
    }

    fn open_body(&self, id: u64, length: u64) -> io::Result<File> {
        let body = File::open(self.path(id, "body"))?;
        if body.metadata()?.len() == length { Ok(body) } else { Err(damaged()) }
    }

    /// Removes the files of `id`, those that are there. The head goes first: without it there is no entry.
    pub(crate) fn remove(&self, id: u64, is_long: bool) {
        let _ = fs::remove_file(self.path(id, "head"));
        if is_long {
            let _ = fs::remove_file(self.path(id, "body"));
        }
    }

    /// Every entry there is; what is no entry, or not whole, is removed.
    pub(crate) fn scan(&self) -> io::Result<Scan> {
        let mut scan = Scan::default();
        for shelf in fs::read_dir(&self.directory)?.flatten().filter(|shelf| shelf.path().is_dir()) {
            let mut paths: Vec<_> = fs::read_dir(shelf.path())?.flatten().map(|file| file.path()).collect();
            // Heads before bodies: a body goes with a head that is found damaged.
            paths.sort_by(|one, other| other.extension().cmp(&one.extension()));
            for path in paths {
                match self.look(&path) {
                    Look::Entry(found) => scan.entries.push(*found),
                    Look::Unread(id) => scan.unread.push(id),
                    Look::Body => {}
                    Look::Nothing => {
                        scan.damaged += u64::from(path.extension() == Some(OsStr::new("head")));
                        let _ = fs::remove_file(&path);
                    }
                }
            }
        }
        Ok(scan)
    }

    fn look(&self, path: &Path) -> Look {
        let id = path.file_stem().and_then(OsStr::to_str).filter(|stem| stem.len() == 16);
        let Some(id) = id.and_then(|stem| u64::from_str_radix(stem, 16).ok()) else { return Look::Nothing };
        match path.extension().and_then(OsStr::to_str) {
            Some("head") if self.path(id, "head") == *path => match self.look_at_head(id, path) {
                Ok(found) => Look::Entry(Box::new(found)),
                Err(error) if is_damage(&error) => Look::Nothing,
                Err(_) => Look::Unread(id),
            },
            // A head that cannot be read is there all the same.
            Some("body") if self.path(id, "head").symlink_metadata().is_ok() => Look::Body,
            _ => Look::Nothing,
        }
    }

    fn look_at_head(&self, id: u64, path: &Path) -> io::Result<(Entry, u64)> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut begin = vec![0; length.min(BLOCK) as usize];
        file.read_exact_at(&mut begin, 0)?;
        let head = PREFACE + record::head_length(&begin).ok_or_else(damaged)?;
        if head > begin.len() {
            begin = vec![0; length.min(head as u64) as usize];
            file.read_exact_at(&mut begin, 0)?;
        }
        let entry = record::decode_head(id, &begin).ok_or_else(damaged)?;
        let is_long = matches!(entry.content, Content::File(_));
        let rest = if is_long { 0 } else { entry.length };
        if length != head as u64 + rest {
            return Err(damaged());
        }
        if is_long {
            self.open_body(id, entry.length)?;
        }
        let bytes = blocks(length) + if is_long { blocks(entry.length) } else { 0 };
        Ok((entry, bytes))
    }
}

/// What is in a directory when it is opened.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// With what each takes.
    pub entries: Vec<(Entry, u64)>,
    /// Heads that were removed.
    pub damaged: u64,
    /// Heads that are left, because it is the reading that failed.
    pub unread: Vec<u64>,
}

enum Look {
    Entry(Box<(Entry, u64)>),
    Unread(u64),
    Body,
    Nothing,
}

/// Whether an error at reading says that the files are not what was written. Others pass: too many open files, too little memory.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, NotFound, UnexpectedEof};
    matches!(error.kind(), InvalidData | NotFound | UnexpectedEof)
}

pub(crate) fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "a kept entry is damaged")
}

/// The segment `index` of a long body, checked.
pub(crate) fn read_segment(held: &Held, index: usize) -> io::Result<Bytes> {
    let (Content::File(sums), Some(file)) = (&held.entry.content, &held.file) else { return Err(damaged()) };
    let begin = (index * SEGMENT) as u64;
    let length = held.entry.length.saturating_sub(begin).min(SEGMENT as u64) as usize;
    let mut segment = vec![0; length];
    file.read_exact_at(&mut segment, begin)?;
    if sums.get(index) == Some(&record::checksum(held.entry.id, &segment)) {
        Ok(segment.into())
    } else {
        Err(damaged())
    }
}
