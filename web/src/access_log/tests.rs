//! The writer, with files that are there, moved away, and full.

use std::{
    fs,
    net::SocketAddr,
    os::unix::fs::symlink,
    path::PathBuf,
    time::{Duration, Instant, UNIX_EPOCH},
};

use http::Version;
use tempfile::TempDir;

use super::*;

fn line(number: usize, target: &str) -> Line {
    Line {
        at: UNIX_EPOCH,
        client: SocketAddr::from(([192, 0, 2, 1], 1)),
        request: RequestLine::new("GET", target.as_bytes(), Version::HTTP_11),
        status: 200,
        bytes: number as u64,
        took: Duration::ZERO,
        source: Source::Cache,
    }
}

fn log_in(folder: &TempDir) -> (PathBuf, AccessLog, Writer) {
    let path = folder.path().join("access.log");
    let (log, writer) = AccessLog::open(&path, Format::Text).unwrap();
    (path, log, writer)
}

#[track_caller]
fn eventually(mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never held");
        thread::yield_now();
    }
}

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// Fails if lines are put together by more than one thread, or written in pieces.
#[test]
fn concurrent_writers_never_tear_a_line() {
    let folder = TempDir::new().unwrap();
    let (path, log, writer) = log_in(&folder);
    let each = ROOM / 4;
    let target = "/".repeat(300);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..each).for_each(|number| log.write(line(number, &target))));
        }
    });
    assert_eq!(log.lost(), 0, "there is room for all");
    drop(log);
    writer.finish();

    let lines = lines(&path);
    assert_eq!(lines.len(), 4 * each);
    let is_whole = |text: &String| {
        let number = text.split(' ').nth_back(2).and_then(|bytes| bytes.parse().ok());
        number.is_some_and(|number| *text == line(number, &target).text())
    };
    assert!(lines.iter().all(is_whole));
}

/// Fails if lines wait for others before they are written.
#[test]
fn a_line_is_written_when_nothing_more_waits() {
    let folder = TempDir::new().unwrap();
    let (path, log, _writer) = log_in(&folder);
    log.write(line(1, "/a"));
    eventually(|| lines(&path) == [line(1, "/a").text()]);
}

/// Fails if the file is not opened anew, or the old one is written to after it was.
#[test]
fn after_a_move_and_a_reopening_lines_go_to_a_new_file() {
    let folder = TempDir::new().unwrap();
    let (path, log, writer) = log_in(&folder);
    let moved = folder.path().join("access.log.1");
    log.write(line(1, "/old"));
    eventually(|| lines(&path).len() == 1);
    fs::rename(&path, &moved).unwrap();
    log.write(line(2, "/old"));
    eventually(|| lines(&moved).len() == 2);

    log.reopen();
    eventually(|| path.exists());
    log.write(line(3, "/new"));
    drop(log);
    writer.finish();

    assert_eq!(lines(&moved), [line(1, "/old").text(), line(2, "/old").text()]);
    assert_eq!(lines(&path), [line(3, "/new").text()]);
}

#[test]
fn where_the_new_file_cannot_be_opened_the_old_one_goes_on() {
    let folder = TempDir::new().unwrap();
    let (path, log, writer) = log_in(&folder);
    let moved = folder.path().join("moved");
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    log.reopen();
    log.write(line(1, "/a"));
    drop(log);
    writer.finish();
    assert_eq!(lines(&moved), [line(1, "/a").text()]);
}

/// Fails if what a full disk does not take is not counted, or ends the writer, or is never told.
#[test]
fn lines_that_a_full_disk_does_not_take_are_counted_and_told_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    symlink("/dev/full", &path).unwrap();
    let (log, writer) = AccessLog::open(&path, Format::Json).unwrap();
    (0..3).for_each(|number| log.write(line(number, "/a")));
    eventually(|| log.lost() == 3);

    fs::remove_file(&path).unwrap();
    log.reopen();
    log.write(line(4, "/a"));
    drop(log);
    writer.finish();

    let lines = lines(&path);
    assert!(lines[0].ends_with(",\"lost\":3}"), "{}", lines[0]);
    assert_eq!(lines[1..], [line(4, "/a").json()]);
}

/// Fails if `write` waits for room, or what finds none is not counted. Opening a pipe waits for who reads it, so the
/// thread stands still until the test lets it go on.
#[test]
fn who_writes_never_waits_and_what_finds_no_room_is_told_of() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    let (log, writer) = AccessLog::open(&path, Format::Text).unwrap();
    fs::remove_file(&path).unwrap();
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    log.reopen();
    eventually(|| !log.shared.is_reopening.load(Relaxed));

    (0..ROOM + 7).for_each(|number| log.write(line(number, "/a")));
    assert_eq!(log.lost(), 7);

    let read = thread::spawn(move || fs::read_to_string(&path).unwrap());
    drop(log);
    writer.finish();
    let text = read.join().unwrap();
    assert!(text.lines().any(|line| line.ends_with(" 7 lines lost")));
    assert_eq!(text.lines().count(), ROOM + 1);
}
