//! Records in a file, one after the other: what a client must still know when it was killed.
//!
//! ```text
//! "pegloom chat journal 1\n"  ┌── length ──┬── checksum ──┬── record ──┐ …
//!                             └ u32, LE ───┴ u32, LE ─────┴ MessagePack ┘
//! ```
//!
//! A record is in the file as soon as it is appended, which a killed process needs, and on the disk when the file was
//! synced, which a machine that lost its power needs. A last record that was cut off is no fault: it is as if it had never
//! been. Anything else that cannot be read is damage, and nothing of such a file is used.

use std::{
    fmt,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};
use xxhash_rust::xxh3::xxh3_64;

const HEAD: &[u8] = b"pegloom chat journal 1\n";
/// What is before a record.
const BEFORE: usize = 8;
/// The longest record; the longest text and its name are much shorter.
const MAX_RECORD: usize = 64 * 1024;
/// A journal is made short when it is so long, and four times as long as it was when it was last short.
const LONG: u64 = 1024 * 1024;

/// A journal, open for more.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    path: PathBuf,
    length: u64,
    short: u64,
    /// What is added while a short one is written.
    meanwhile: Option<Vec<u8>>,
    /// Whether its name may not be on the disk.
    is_renamed: bool,
    /// Whether something may be in the file after its length: part of a record, or what was to be cut.
    is_torn: bool,
}

/// The file, for a thread that may wait for the disk.
#[derive(Debug)]
pub(crate) struct Handle {
    file: File,
    /// Where its name is new.
    renamed: Option<PathBuf>,
}

/// What a short journal begins with, for a thread that may wait for the disk.
#[derive(Debug)]
pub(crate) struct Short {
    path: PathBuf,
    bytes: Vec<u8>,
}

/// Why there is no journal.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// The system says so.
    Io(io::Error),
    /// It is another kind of file.
    Foreign,
    /// It cannot be read from this byte on.
    Damaged(u64),
}

impl Journal {
    /// The journal at this path, made if there is none, and what is in it.
    pub(crate) fn open<R: DeserializeOwned>(path: &Path) -> Result<(Self, Vec<R>), Unusable> {
        let mut file = options().create(true).open(path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let (records, length) = read(&bytes)?;
        let path = path.to_owned();
        let mut journal =
            Self { file, path, length, short: length, meanwhile: None, is_renamed: false, is_torn: false };
        journal.cut(length)?;
        if length == 0 {
            journal.begin()?;
        }
        Ok((journal, records))
    }

    /// Adds a record. What one that cannot be added leaves behind is cut, at the latest before the next is added.
    pub(crate) fn append(&mut self, record: &impl Serialize) -> io::Result<()> {
        if self.is_torn {
            self.cut(self.length)?;
        }
        let bytes = framed(record);
        if let Err(error) = self.file.write_all(&bytes) {
            // If that fails too, it is torn.
            let _ = self.cut(self.length);
            return Err(error);
        }
        self.length += bytes.len() as u64;
        if let Some(meanwhile) = &mut self.meanwhile {
            meanwhile.extend(bytes);
        }
        Ok(())
    }

    /// How long it is.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The file, to be brought to the disk.
    pub(crate) fn handle(&mut self) -> io::Result<Handle> {
        let file = self.file.try_clone()?;
        let renamed = std::mem::take(&mut self.is_renamed).then(|| self.path.clone());
        Ok(Handle { file, renamed })
    }

    /// Takes away what is after this length. Where that fails, nothing is added before it is done.
    pub(crate) fn cut(&mut self, length: u64) -> io::Result<()> {
        // What was not brought to the disk may be its name.
        self.is_renamed = true;
        (self.length, self.is_torn) = (length, true);
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::Start(length))?;
        self.is_torn = false;
        Ok(())
    }

    /// Whether it is worth being made short.
    pub(crate) fn is_long(&self) -> bool {
        self.length > LONG.max(self.short.saturating_mul(4))
    }

    /// These records are to be in the place of all others. What is added from now on follows them.
    pub(crate) fn begin_short<R: Serialize>(&mut self, records: &[R]) -> Short {
        let mut bytes = HEAD.to_vec();
        bytes.extend(records.iter().flat_map(framed));
        self.meanwhile = Some(Vec::new());
        Short { path: beside(&self.path, ".new"), bytes }
    }

    /// The short one takes its place: whatever goes wrong, one of the two is whole. How much of it is on the disk; that it is
    /// the journal is there with the next sync.
    pub(crate) fn end_short(&mut self, written: io::Result<(File, u64)>) -> io::Result<u64> {
        let meanwhile = self.meanwhile.take().unwrap_or_default();
        let (mut file, synced) = written?;
        file.write_all(&meanwhile)?;
        fs::rename(beside(&self.path, ".new"), &self.path)?;
        self.length = synced + meanwhile.len() as u64;
        (self.file, self.short) = (file, self.length);
        (self.is_renamed, self.is_torn) = (true, false);
        Ok(synced)
    }

    fn begin(&mut self) -> io::Result<()> {
        self.file.write_all(HEAD)?;
        self.file.sync_all()?;
        self.length = HEAD.len() as u64;
        self.short = self.length;
        sync_folder(&self.path)
    }
}

impl Handle {
    /// Brings it to the disk.
    pub(crate) fn sync(self) -> io::Result<()> {
        self.file.sync_data()?;
        self.renamed.map_or(Ok(()), |path| sync_folder(&path))
    }
}

impl Short {
    /// Writes it: the file, and how long it is.
    pub(crate) fn write(self) -> io::Result<(File, u64)> {
        let mut file = options().create(true).truncate(true).open(&self.path)?;
        file.write_all(&self.bytes)?;
        file.sync_all()?;
        Ok((file, self.bytes.len() as u64))
    }
}

/// The file whose name goes on so.
pub(crate) fn beside(path: &Path, further: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(further);
    name.into()
}

/// Texts are in it that are for one person alone.
fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    options
}

/// A new name in a folder is on the disk when the folder is.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn framed(record: &impl Serialize) -> Vec<u8> {
    // Writing to memory cannot fail, and all records can be written.
    let record = rmp_serde::to_vec(record).unwrap_or_default();
    let mut bytes = Vec::with_capacity(BEFORE + record.len());
    bytes.extend((record.len() as u32).to_le_bytes());
    bytes.extend(checksum(&record).to_le_bytes());
    bytes.extend(record);
    bytes
}

fn checksum(record: &[u8]) -> u32 {
    xxh3_64(record) as u32
}

/// The records, and up to where they go.
pub(crate) fn read<R: DeserializeOwned>(bytes: &[u8]) -> Result<(Vec<R>, u64), Unusable> {
    let is_begun = HEAD.starts_with(bytes) && bytes.len() < HEAD.len();
    // A file whose length came to the disk, and nothing of what is in it, never was a journal.
    if is_begun || is_zeros(bytes) {
        return Ok((Vec::new(), 0));
    }
    let mut rest = bytes.strip_prefix(HEAD).ok_or(Unusable::Foreign)?;
    let mut records = Vec::new();
    loop {
        let at = (bytes.len() - rest.len()) as u64;
        let Some((record, after)) = next(rest) else {
            return if is_cut_off(rest) { Ok((records, at)) } else { Err(Unusable::Damaged(at)) };
        };
        records.push(rmp_serde::from_slice(record).map_err(|_| Unusable::Damaged(at))?);
        rest = after;
    }
}

/// The record these bytes begin with, if it is whole.
fn next(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (sum, rest) = rest.split_first_chunk()?;
    let length = u32::from_le_bytes(*length) as usize;
    let (record, after) = rest.split_at_checked(length).filter(|_| (1..=MAX_RECORD).contains(&length))?;
    (checksum(record) == u32::from_le_bytes(*sum)).then_some((record, after))
}

fn is_zeros(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Whether these bytes are what is left of a record that was being written when the process or the machine died: it ends
/// early, or in the zeros of a page that never came to the disk, and nothing whole follows.
fn is_cut_off(bytes: &[u8]) -> bool {
    if is_zeros(bytes) {
        return true;
    }
    let ends_early = match bytes.first_chunk() {
        None => true,
        Some(length) => bytes.len() < BEFORE + u32::from_le_bytes(*length) as usize,
    };
    (ends_early || bytes.ends_with(&[0])) && (1..bytes.len()).all(|at| next(&bytes[at..]).is_none())
}

impl From<io::Error> for Unusable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Foreign => f.write_str("it is not a journal of a chat"),
            Self::Damaged(at) => write!(f, "it is damaged at byte {at}"),
        }
    }
}

impl std::error::Error for Unusable {}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn folder() -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        (folder, path)
    }

    fn read_again(path: &Path) -> Vec<String> {
        Journal::open(path).unwrap().1
    }

    fn written(path: &Path, records: &[&str]) -> Journal {
        let (mut journal, before) = Journal::open::<String>(path).unwrap();
        assert_eq!(before, [""; 0]);
        for record in records {
            journal.append(record).unwrap();
        }
        journal
    }

    #[test]
    fn what_was_appended_is_read_again_in_order() {
        let (_folder, path) = folder();
        drop(written(&path, &["one", "two"]));

        assert_eq!(read_again(&path), ["one", "two"]);
        Journal::open::<String>(&path).unwrap().0.append(&"three").unwrap();
        assert_eq!(read_again(&path), ["one", "two", "three"]);
    }

    #[test]
    fn only_its_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let (_folder, path) = folder();
        drop(written(&path, &[]));

        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    /// Fails if a record is used without a look at its end, or if what was cut off stays in the way of the next.
    #[test]
    fn wherever_a_process_dies_whole_records_stay_and_further_ones_follow() {
        let (_folder, path) = folder();
        drop(written(&path, &["one", "two"]));
        let whole = fs::read(&path).unwrap();
        let first = HEAD.len() + BEFORE + 4;
        assert_eq!(whole.len(), first + BEFORE + 4);

        for length in 0..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let kept: &[&str] = if length < first { &[] } else { &["one"] };
            let (mut journal, records) = Journal::open::<String>(&path).unwrap();
            assert_eq!(records, kept, "{length}");
            journal.append(&"more").unwrap();
            assert_eq!(read_again(&path).last().unwrap(), "more", "{length}");
        }
    }

    #[test]
    fn a_page_that_never_came_to_the_disk_is_cut_off() {
        let (_folder, path) = folder();
        drop(written(&path, &["one"]));
        let whole = fs::read(&path).unwrap();
        let mut begun = framed(&"two");
        begun.truncate(BEFORE + 1);
        for zeros in [1, BEFORE, 4096, 1 << 20] {
            for (before, kept) in
                [(&b""[..], &[][..]), (&whole, &["one"]), (&[&whole[..], &begun].concat(), &["one"])]
            {
                fs::write(&path, [before, &vec![0; zeros]].concat()).unwrap();
                assert_eq!(read_again(&path), kept, "{zeros} after {} bytes", before.len());
            }
        }
    }

    #[test]
    fn zeros_before_a_whole_record_are_damage() {
        let (_folder, path) = folder();
        drop(written(&path, &["one"]));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..], &[0; 4096], &framed(&"two")].concat()).unwrap();

        assert!(
            matches!(Journal::open::<String>(&path), Err(Unusable::Damaged(at)) if at == whole.len() as u64)
        );
    }

    /// Fails if a record follows one that was written in part and could not be cut.
    #[test]
    fn nothing_follows_a_torn_record_that_could_not_be_cut() {
        let (_folder, path) = folder();
        let mut journal = written(&path, &["one"]);
        let mut good = std::mem::replace(&mut journal.file, File::open(&path).unwrap());
        assert!(journal.append(&"neither written nor cut").is_err());
        assert!(journal.append(&"nor this").is_err());
        good.write_all(&[7; 100]).unwrap();

        journal.file = good;
        journal.append(&"two").unwrap();

        assert_eq!(read_again(&path), ["one", "two"]);
        assert_eq!(journal.length(), fs::metadata(&path).unwrap().len());
    }

    /// Fails if damage passes for the end.
    #[test]
    fn any_flipped_byte_is_damage_or_the_end_and_never_another_record() {
        let (_folder, path) = folder();
        drop(written(&path, &["one", "two", "three"]));
        let whole = fs::read(&path).unwrap();
        let last = whole.len() - (BEFORE + 6);

        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 0x41;
            fs::write(&path, bytes).unwrap();
            match Journal::open::<String>(&path) {
                Err(Unusable::Foreign) => assert!(at < HEAD.len()),
                Err(Unusable::Damaged(from)) => assert!(from <= at as u64, "{at}"),
                Err(Unusable::Io(error)) => panic!("{error}"),
                Ok((_, records)) => {
                    assert!(at >= last, "{at}");
                    assert_eq!(records, ["one", "two"], "{at}");
                }
            }
        }
    }

    #[test]
    fn it_is_made_short_without_losing_its_place() {
        let (_folder, path) = folder();
        let mut journal = written(&path, &["one", "two"]);

        let short = journal.begin_short(&["both"]);
        journal.append(&"meanwhile").unwrap();
        let failed = journal.end_short(Err(io::Error::other("full")));
        assert!(failed.is_err());
        assert_eq!(read_again(&path), ["one", "two", "meanwhile"]);
        drop(short);

        let short = journal.begin_short(&["all"]);
        journal.append(&"three").unwrap();
        journal.end_short(short.write()).unwrap();
        journal.append(&"four").unwrap();
        journal.handle().unwrap().sync().unwrap();

        assert_eq!(read_again(&path), ["all", "three", "four"]);
        assert_eq!(journal.length(), fs::metadata(&path).unwrap().len());
    }

    #[test]
    fn what_is_cut_is_gone() {
        let (_folder, path) = folder();
        let mut journal = written(&path, &["one"]);
        let length = journal.length();
        journal.append(&"two").unwrap();

        journal.cut(length).unwrap();
        journal.append(&"three").unwrap();

        assert_eq!(read_again(&path), ["one", "three"]);
    }
}
