//! Files that are closed, cut off, damaged, taken or on a full disk.

use std::{
    env,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use super::*;
use crate::{
    room::{Kept, Own},
    wire::room::MemberId,
};

const LOG: LogId = LogId([3; 16]);
const ANN: MemberId = MemberId([1; 16]);

fn kept(text: &str) -> Kept {
    Kept { author: ANN, to: None, bytes: text.as_bytes().into() }
}

/// A batch of ann's next texts.
fn batch(first: u64, texts: &[&str]) -> Batch {
    let entries: Vec<_> = texts.iter().map(|text| kept(text)).collect();
    let last = first + entries.len() as u64 - 1;
    Batch { first, entries, authors: vec![last_word(last)], forgotten: Vec::new(), keep_from: 1 }
}

/// The print of each second one is not known.
fn last_word(number: u64) -> LastWord {
    let print = number.is_multiple_of(2).then_some(u64::MAX - number);
    LastWord { author: ANN, own: Own { number, print }, at: number }
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

/// The files of a room that was killed after so many batches, and those of one that was closed.
fn written(batches: u64) -> (Files, Files) {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    for (number, text) in (1..).zip(numbered(batches)) {
        store.write(&batch(number, &[&text])).unwrap();
    }
    let killed = Files::of(directory.path());
    drop(store);
    (killed, Files::of(directory.path()))
}

#[derive(Clone)]
struct Files {
    file: Vec<u8>,
    wal: Option<Vec<u8>>,
}

impl Files {
    fn of(directory: &Path) -> Self {
        let file = file::in_directory(directory);
        Self { file: fs::read(&file).unwrap(), wal: fs::read(file::wal(&file)).ok() }
    }

    /// What a room finds that is started in a directory with these.
    fn open(&self) -> (tempfile::TempDir, Result<(Store, Stored), Error>) {
        let directory = tempfile::tempdir().unwrap();
        let file = file::in_directory(directory.path());
        fs::write(&file, &self.file).unwrap();
        if let Some(wal) = &self.wal {
            fs::write(file::wal(&file), wal).unwrap();
        }
        let opened = Store::open(directory.path(), LogId([7; 16]));
        (directory, opened)
    }
}

/// Places all over so many bytes: near each boundary of what SQLite writes, and some in between.
fn places(len: usize) -> Vec<usize> {
    const FRAME: usize = 4_096 + 24;
    let near = (0..len).filter(|at| at % 4_096 < 12 || at.wrapping_sub(32) % FRAME < 24);
    let mut places: Vec<_> = near.chain((0..len).step_by(211)).collect();
    places.sort_unstable();
    places.dedup();
    assert!(places.len() > 50);
    places
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
    assert_eq!(stored.authors, [last_word(3)]);
}

/// Fails if a process that is killed within a write loses an earlier batch, cannot be started again, or cannot go on.
#[test]
fn wherever_the_write_ahead_log_is_cut_off_all_whole_batches_are_there_and_the_next_follows() {
    let (killed, _) = written(3);
    let whole = killed.wal.clone().unwrap();
    let mut counts = Vec::new();
    for len in places(whole.len()) {
        let (directory, opened) = Files { wal: Some(whole[..len].to_vec()), ..killed.clone() }.open();
        let (mut store, stored) = opened.unwrap();
        let count = stored.entries.len() as u64;
        assert_eq!(texts(&stored), numbered(count), "{len}");
        store.write(&batch(count + 1, &["next"])).unwrap();
        drop(store);
        let (_, stored) = open(directory.path());
        assert_eq!((stored.entries.len() as u64, texts(&stored).pop().unwrap()), (count + 1, "next".into()));
        counts.push(count);
    }
    assert!(counts.is_sorted());
    counts.dedup();
    assert_eq!(counts, [0, 1, 2]);
}

#[test]
fn zeros_where_a_write_was_to_be_are_what_a_crash_leaves() {
    let (mut killed, _) = written(3);
    killed.wal.as_mut().unwrap().extend([0; 9_000]);
    assert_eq!(killed.open().1.unwrap().1.entries.len(), 3);
    killed.wal = Some(vec![0; 9_000]);
    assert_eq!(killed.open().1.unwrap().1.entries.len(), 0);
}

/// Fails if damage makes the process panic, or gives entries that nobody wrote, or loses some without a word.
#[test]
fn a_damaged_file_is_told_or_has_all_that_was_written() {
    let (_, closed) = written(100);
    assert!(closed.wal.is_none());
    let mut told = 0;
    for at in places(closed.file.len()) {
        let mut damaged = closed.clone();
        damaged.file[at] ^= 0x5a;
        told += usize::from(check(&damaged, 100, at));
        let cut = Files { file: closed.file[..at].to_vec(), wal: None };
        assert!(check(&cut, 100, at), "cut off at {at}");
    }
    assert!(told > 100, "{told}");
}

/// Fails as the one above; the last batch may be one that nobody was told is kept.
#[test]
fn a_damaged_write_ahead_log_is_told_or_has_all_but_the_last_batch() {
    let (killed, _) = written(10);
    let mut told = 0;
    for at in places(killed.wal.as_ref().unwrap().len()) {
        let mut damaged = killed.clone();
        damaged.wal.as_mut().unwrap()[at] ^= 0x5a;
        told += usize::from(check(&damaged, 9, at));
    }
    assert!(told > 100, "{told}");
}

/// Whether damage is told; if it is not, at least so many batches are there.
#[track_caller]
fn check(files: &Files, least: u64, at: usize) -> bool {
    match files.open().1 {
        Ok((_, stored)) => {
            let count = stored.entries.len() as u64;
            assert!(count >= least, "{at}: {count}");
            assert_eq!(texts(&stored), numbered(count), "{at}");
            assert_eq!((stored.log, stored.authors), (LogId([9; 16]), vec![last_word(count)]), "{at}");
            false
        }
        Err(Error::Damaged { .. } | Error::Foreign { .. } | Error::Later { .. }) => true,
        Err(other) => panic!("{at}: {other:?}"),
    }
}

#[test]
fn what_no_room_wrote_is_told_and_left_as_it_is() {
    let (_, closed) = written(1);
    let other = |at: usize, byte: u8| {
        let mut file = closed.file.clone();
        file[at] = byte;
        file
    };
    let cases = [
        (vec![], "room.sqlite3 is damaged: its end is missing"),
        (b"not a room".repeat(20), "room.sqlite3 is damaged: it is no file of SQLite's"),
        (vec![0; 4_096], "room.sqlite3 is damaged: it is no file of SQLite's"),
        (other(63, 2), "room.sqlite3 is of format 2, which a later pegloom wrote"),
        (other(71, 0), "room.sqlite3 is another program's"),
    ];
    for (file, told) in cases {
        let (directory, opened) = Files { file: file.clone(), wal: Some(b"its own".to_vec()) }.open();
        let error = opened.err().unwrap().to_string();
        assert!(error.ends_with(told), "{error}");
        let after = Files::of(directory.path());
        assert_eq!((after.file, after.wal.unwrap()), (file, b"its own".to_vec()));
    }
}

#[test]
fn a_write_ahead_log_without_its_file_is_not_put_into_a_new_one() {
    let (killed, _) = written(3);
    let directory = tempfile::tempdir().unwrap();
    fs::write(file::wal(&file::in_directory(directory.path())), killed.wal.unwrap()).unwrap();
    let error = Store::open(directory.path(), LOG).err().unwrap();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[test]
fn what_is_left_of_a_file_that_was_not_made_whole_is_in_nobodys_way() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["unfinished", "unfinished-wal", "unfinished-journal"] {
        fs::write(directory.path().join(name), b"left").unwrap();
    }
    assert_eq!(open(directory.path()).1.entries.len(), 0);
}

/// Fails if batches that are no longer kept stay, or the room that they leave is not used again.
#[test]
fn files_do_not_grow_beyond_what_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let sizes = [100, 3_000, 100_000, 5_000];
    let mut largest = 0;
    for (first, size) in (1..=2_000).zip(sizes.into_iter().cycle()) {
        let keep_from = first.max(60) - 59;
        store.write(&Batch { keep_from, ..batch(first, &[&"x".repeat(size)]) }).unwrap();
        let len = |file: &Path| fs::metadata(file).map_or(0, |found| found.len());
        let file = file::in_directory(directory.path());
        largest = largest.max(len(&file) + len(&file::wal(&file)));
    }
    let kept = 15 * sizes.iter().sum::<usize>() as u64;
    assert!(largest < 2 * kept + 8 * 1024 * 1024, "{largest} bytes for {kept}");
    drop(store);

    let (_, stored) = open(directory.path());
    assert_eq!((stored.first, stored.entries.len()), (1_941, 60));
    assert_eq!(stored.authors, [last_word(2_000)]);
}

#[test]
fn a_batch_that_is_kept_in_part_is_kept_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    store.write(&batch(1, &["a", "b"])).unwrap();
    store.write(&Batch { keep_from: 4, ..batch(3, &["c", "d"]) }).unwrap();
    store.write(&Batch { entries: Vec::new(), keep_from: 5, ..batch(5, &["e"]) }).unwrap();
    drop(store);
    let (_, stored) = open(directory.path());
    assert_eq!((stored.first, texts(&stored)), (3, vec!["c".into(), "d".into()]));
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

/// Fails if a write that failed is half there, or the next one cannot succeed.
#[test]
fn a_full_disk_refuses_a_batch_and_takes_it_when_there_is_room_again() {
    let directory = tempfile::tempdir().unwrap();
    let (mut store, _) = open(directory.path());
    let pages = |store: &Store, most: u32| store.connection.pragma_update(None, "max_page_count", most);
    pages(&store, 20).unwrap();
    // What does not fit is in the write-ahead log before all of it is known to fit.
    store.connection.pragma_update(None, "cache_size", 5).unwrap();
    let wal = file::wal(&file::in_directory(directory.path()));
    let len = || fs::metadata(&wal).unwrap().len();
    store.write(&batch(1, &["a"])).unwrap();
    for _ in 0..3 {
        let error = store.write(&batch(2, &[&"b".repeat(100_000)])).unwrap_err();
        assert!(
            matches!(&error, Error::Disk(error) if error.kind() == io::ErrorKind::StorageFull),
            "{error}"
        );
    }
    let left = len();
    pages(&store, 1_000_000).unwrap();
    store.write(&batch(2, &["c"])).unwrap();
    assert!(len() < left, "{left} bytes are left of what failed");
    drop(store);
    let (_, stored) = open(directory.path());
    assert_eq!((texts(&stored), stored.authors), (vec!["a".into(), "c".into()], vec![last_word(2)]));
}

const KILLED: &str = "PEGLOOM_TEST_KILLED_IN";

/// Fails if a process that is killed had been told that something is kept which is not.
#[test]
fn who_is_killed_finds_all_that_was_kept() {
    if let Some(directory) = env::var_os(KILLED) {
        write_until_killed(Path::new(&directory));
    }
    let directory = tempfile::tempdir().unwrap();
    let mut kept = 0;
    for round in 1..=10 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "room::store::tests::who_is_killed_finds_all_that_was_kept"])
            .env(KILLED, directory.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut numbers = lines.filter_map(|line| line.parse::<u64>().ok());
        let told = numbers.by_ref().take(10 * round).last().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        kept = numbers.last().unwrap_or(told);

        let (_, stored) = open(directory.path());
        assert!(stored.entries.len() as u64 >= kept, "{} of {kept}", stored.entries.len());
        assert_eq!(texts(&stored), numbered(stored.entries.len() as u64));
    }
    assert!(kept >= 550, "{kept}");
}

fn write_until_killed(directory: &Path) -> ! {
    let (mut store, stored) = open(directory);
    for number in stored.entries.len() as u64 + 1.. {
        store.write(&batch(number, &[&number.to_string().repeat(100)])).unwrap();
        println!("{number}");
    }
    unreachable!("there are numbers enough")
}
