//! Files that are closed, cut off, damaged, taken or on a full disk.

use std::sync::{Arc, Mutex};

use super::{segment::Medium, *};
use crate::room::Kept;

const LOG: LogId = LogId([3; 16]);
const ANN: MemberId = MemberId([1; 16]);

fn kept(text: &str) -> Kept {
    Kept { author: ANN, to: None, bytes: text.as_bytes().into() }
}

/// A batch of ann's next texts.
fn batch(first: u64, texts: &[&str]) -> Batch {
    let entries: Vec<_> = texts.iter().map(|text| kept(text)).collect();
    let last = first + entries.len() as u64 - 1;
    Batch { first, entries, authors: vec![(ANN, last, last)], forgotten: Vec::new(), keep_from: 1 }
}

fn open(directory: &Path) -> (Store, Stored) {
    Store::open(directory, LogId([9; 16])).unwrap()
}

fn texts(stored: &Stored) -> Vec<String> {
    stored.entries.iter().map(|kept| String::from_utf8(kept.bytes.to_vec()).unwrap()).collect()
}

fn numbered(count: u64) -> Vec<String> {
    (1..=count).map(|number| number.to_string().repeat(100)).collect()
}

/// A closed store of so many batches, and the bytes of its one file.
fn written(directory: &Path, batches: u64) -> Vec<u8> {
    let (mut store, _) = open(directory);
    for (number, text) in (1..).zip(numbered(batches)) {
        store.write(&batch(number, &[&text])).unwrap();
    }
    fs::read(file(directory, 1)).unwrap()
}

#[test]
fn what_was_written_is_there_when_it_is_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, stored) = Store::open(directory.path(), LOG).unwrap();
    assert_eq!((stored.log, stored.first, stored.entries.len()), (LOG, 1, 0));
    store.write(&batch(1, &["a", "b"])).unwrap();
    let mut second = batch(3, &["c"]);
    second.entries[0].to = Some(MemberId([2; 16]));
    store.write(&second).unwrap();
    drop(store);

    let (_, stored) = open(directory.path());

    assert_eq!(
        (stored.log, stored.first, texts(&stored)),
        (LOG, 1, vec!["a".into(), "b".into(), "c".into()])
    );
    assert_eq!(stored.entries[2], second.entries[0]);
    assert_eq!(stored.authors, [(ANN, 3, 3)]);
}

/// Fails if a process that is killed within a write loses an earlier batch, cannot be started again, or cannot go on.
#[test]
fn wherever_a_file_is_cut_off_all_whole_batches_are_there_and_the_next_follows() {
    let directory = tempfile::tempdir().unwrap();
    let whole = written(directory.path(), 3);
    let head = record::head(&Head { log: LogId([9; 16]), first: 1, authors: Vec::new() }).len();
    for len in head..whole.len() {
        fs::write(file(directory.path(), 1), &whole[..len]).unwrap();
        let (mut store, stored) = open(directory.path());
        let count = stored.entries.len() as u64;
        assert_eq!(texts(&stored), numbered(count), "{len}");
        store.write(&batch(count + 1, &["next"])).unwrap();
        drop(store);
        let (_, stored) = open(directory.path());
        assert_eq!((stored.entries.len() as u64, texts(&stored).pop().unwrap()), (count + 1, "next".into()));
    }
}

#[test]
fn zeros_at_the_end_are_what_a_crash_leaves() {
    let directory = tempfile::tempdir().unwrap();
    let mut whole = written(directory.path(), 3);
    whole.extend([0; 500]);
    fs::write(file(directory.path(), 1), &whole).unwrap();
    let (store, stored) = open(directory.path());
    assert_eq!((stored.entries.len(), store.cut_off()), (3, 500));
}

/// Fails if damage makes the process panic, or gives entries that nobody wrote, or loses some without a word.
#[test]
fn a_damaged_file_is_told_wherever_the_damage_is_but_in_the_last_batch() {
    let directory = tempfile::tempdir().unwrap();
    let whole = written(directory.path(), 10);
    let last = whole.len() - record::batch(&batch(10, &[&numbered(10)[9]]))(0).len();
    for at in 0..last {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x5a;
        fs::write(file(directory.path(), 1), damaged).unwrap();
        let error = Store::open(directory.path(), LOG).err().unwrap();
        assert!(matches!(error, Error::Damaged { .. }), "{at}: {error:?}");
    }
    for other in [&b""[..], b"not a room", &[0; 4096], &vec![0xff; 100_000]] {
        fs::write(file(directory.path(), 1), other).unwrap();
        let error = Store::open(directory.path(), LOG).err().unwrap().to_string();
        assert!(error.contains("00000000000000000001.log is damaged: "), "{error}");
    }
}

#[test]
fn files_that_have_nothing_that_is_kept_go_and_the_rest_is_read_in_order() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let text = "x".repeat(100_000);
    for first in 1..=200 {
        let keep_from = first.max(60) - 59;
        store.write(&Batch { keep_from, ..batch(first, &[&text]) }).unwrap();
    }
    let files = firsts(directory.path()).unwrap();
    assert!((2..=3).contains(&files.len()), "{files:?}");
    assert_eq!(files.len(), store.older.len() + 1);
    drop(store);

    let (_, stored) = open(directory.path());
    assert!(stored.first <= 141, "{}", stored.first);
    assert_eq!(stored.first + stored.entries.len() as u64 - 1, 200);
    assert_eq!(stored.authors, [(ANN, 200, 200)]);

    fs::remove_file(file(directory.path(), files[files.len() - 1])).unwrap();
    let cut = fs::read(file(directory.path(), files[0])).unwrap();
    fs::write(file(directory.path(), files[0]), &cut[..cut.len() - 1]).unwrap();
    let opened = Store::open(directory.path(), LOG);
    assert_eq!(opened.is_err(), files.len() > 2, "only the last may have lost its end");
}

#[test]
fn who_is_forgotten_is_not_there_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.write(&batch(1, &["x"])).unwrap();
    store.write(&Batch { authors: Vec::new(), forgotten: vec![ANN], ..batch(2, &["y"]) }).unwrap();
    drop(store);
    assert_eq!(open(directory.path()).1.authors, []);
}

#[test]
fn a_second_room_is_told_that_the_directory_is_in_use() {
    let directory = tempfile::tempdir().unwrap();
    let _open = open(directory.path());
    let error = Store::open(directory.path(), LOG).err().unwrap();
    assert!(matches!(error, Error::InUse), "{error}");
}

#[test]
fn a_directory_that_cannot_be_made_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let in_the_way = directory.path().join("file");
    fs::write(&in_the_way, b"").unwrap();
    let error = Store::open(&in_the_way.join("room"), LOG).err().unwrap();
    assert!(matches!(error, Error::Directory(_)), "{error}");
}

/// A disk with room for so many bytes, of which as many are written as fit.
#[derive(Clone, Default)]
struct Disk(Arc<Mutex<(Vec<u8>, usize)>>);

impl Medium for Disk {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (written, room) = &mut *self.0.lock().unwrap();
        let fits = bytes.len().min(room.saturating_sub(written.len()));
        written.extend(&bytes[..fits]);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.0.lock().unwrap().0.truncate(len as usize);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fails if a write that failed is half there, or the next one cannot succeed.
#[test]
fn a_full_disk_refuses_a_batch_and_takes_it_when_there_is_room_again() {
    let disk = Disk::default();
    let mut segment = Segment::new(Box::new(disk.clone()), 0, false);
    let appended = |segment: &mut Segment, text: &str| segment.append(&record::batch(&batch(1, &[text])));
    disk.0.lock().unwrap().1 = 200;
    appended(&mut segment, "a").unwrap();
    let len = segment.len();
    for _ in 0..3 {
        let error = appended(&mut segment, &"b".repeat(200)).unwrap_err();
        assert!(
            matches!(&error, Error::Disk(error) if error.kind() == io::ErrorKind::StorageFull),
            "{error}"
        );
        assert_eq!((segment.len(), disk.0.lock().unwrap().0.len() as u64), (len, len));
    }
    disk.0.lock().unwrap().1 = 10_000;
    appended(&mut segment, "c").unwrap();
    let bytes = disk.0.lock().unwrap().0.clone();
    assert_eq!(record::read(&bytes).flatten().count(), 2);
    assert_eq!(record::read(&bytes).count(), 2);
}
