//! Files that are not what was written, or cannot be read: what is found is never wrong, and what is whole stays.

use std::{
    fs,
    path::{Path, PathBuf},
};

use web::cache::{Count, Found, Settings};

use crate::{
    disk::{files, folder, on_disk, reopen},
    site::{Answer, Site, at, bytes, get, reply, word},
};

/// The answer, if there is one that is whole.
fn whole(site: &Site, target: &str) -> Option<Answer> {
    match site.look(&get(target), at(1)) {
        Found::Fresh(response) => site.try_read(response).ok(),
        Found::Missing(_) => None,
        other => panic!("{other:?}"),
    }
}

/// Fails if any checksum is not looked at, of a head, a short body or a segment of a long one.
#[test]
fn a_damaged_file_is_a_miss_and_never_wrong_bytes() {
    fastrand::seed(7);
    let (short, long) = (bytes(1, 5_000), bytes(2, 700_000));
    let mut misses = 0;
    // Each of three files, in each of three ways, before and after the start.
    for round in 0..72 {
        let folder = folder();
        let site = Site::open(on_disk(folder.path()));
        site.fetch(&get("/short"), &reply(200, &["etag: \"1\""]), &short, at(0));
        site.fetch(&get("/long"), &reply(200, &["etag: \"1\""]), &long, at(0));
        site.settle();
        drop(site);
        // Half of the time before the start, when the index is made of what is there.
        let site = (round % 2 == 0).then(|| Site::open(on_disk(folder.path())));
        damage(folder.path(), round);
        let site = site.unwrap_or_else(|| Site::open(on_disk(folder.path())));
        for (target, body) in [("/short", &short), ("/long", &long)] {
            match whole(&site, target) {
                Some(answer) => assert!(answer.body == *body && answer.header("etag") == "\"1\"", "{target}"),
                None => misses += 1,
            }
            // What was found damaged is gone, and can be kept anew.
            site.fetch(&get(target), &reply(200, &["etag: \"1\""]), body, at(0));
            assert!(whole(&site, target).unwrap().body == *body);
        }
    }
    assert_eq!(misses, 72);
}

/// Flips a bit of one file, or cuts it short, or blanks it.
fn damage(folder: &Path, round: usize) {
    let all: Vec<_> = ["head", "body"].iter().flat_map(|kind| files(folder, kind)).collect();
    assert_eq!(all.len(), 3);
    let path = &all[round / 2 % 3];
    let mut bytes = fs::read(path).unwrap();
    let at = fastrand::usize(..bytes.len());
    match round / 6 % 3 {
        0 => bytes[at] ^= 1 << fastrand::u8(..8),
        1 => bytes.truncate(at),
        _ => bytes.fill(0),
    }
    // In place, as a disk fails.
    fs::write(path, bytes).unwrap();
}

/// Fails if a file is believed because of its name.
#[test]
fn files_that_change_places_are_misses() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    site.fetch(&get("/a"), &reply(200, &[]), &bytes(1, 600_000), at(0));
    site.fetch(&get("/b"), &reply(200, &[]), &bytes(2, 600_000), at(0));
    for kind in ["head", "body"] {
        let pair = files(folder.path(), kind);
        assert_eq!(pair.len(), 2);
        let aside = folder.path().join("aside");
        fs::rename(&pair[0], &aside).unwrap();
        fs::rename(&pair[1], &pair[0]).unwrap();
        fs::rename(&aside, &pair[1]).unwrap();
    }
    assert!(whole(&site, "/a").is_none() && whole(&site, "/b").is_none());
    assert_eq!(site.cache.counters().of(Count::Damaged), 2);
}

#[test]
fn what_is_no_entry_is_cleared_away_at_the_start() {
    let folder = folder();
    fs::create_dir(folder.path().join("00")).unwrap();
    for name in
        ["0011223344556677.head", "0011223344556677.body", "0011223344556678.1.tmp", "garbage.head", "x"]
    {
        fs::write(folder.path().join("00").join(name), b"garbage").unwrap();
    }
    let site = Site::open(on_disk(folder.path()));

    assert_eq!(fs::read_dir(folder.path().join("00")).unwrap().count(), 0);
    assert_eq!(site.cache.counters().of(Count::Damaged), 2);
    assert_eq!(site.cache.counters().disk_bytes, 0);
}

/// Puts something in the place of a file that cannot be read, though nothing is wrong with what was there.
fn hide(path: &Path) -> PathBuf {
    let aside = path.with_extension("aside");
    fs::rename(path, &aside).unwrap();
    std::os::unix::fs::symlink(path, path).unwrap();
    aside
}

/// Fails if any error at reading is taken for damage.
#[test]
fn what_cannot_be_read_just_now_is_a_miss_and_stays() {
    let folder = folder();
    let site = Site::open(Settings { memory_bytes: 0, ..on_disk(folder.path()) });
    site.fetch(&get("/a"), &reply(200, &[]), &bytes(1, 600_000), at(0));
    for kind in ["head", "body"] {
        let path = files(folder.path(), kind).pop().unwrap();
        let aside = hide(&path);
        assert_eq!(word(&site.look(&get("/a"), at(1))), "missing", "{kind}");
        fs::rename(&aside, &path).unwrap();
        assert!(site.hit(&get("/a"), at(1)).body == bytes(1, 600_000), "{kind}");
    }
    assert_eq!(site.cache.counters().of(Count::Damaged), 0);
}

/// Fails if it is removed at the start, or comes back though a purge may have been about it.
#[test]
fn what_cannot_be_read_at_the_start_is_there_at_the_next_but_for_a_purge() {
    for (is_purged, found) in [(false, "fresh"), (true, "missing")] {
        let folder = folder();
        let site = Site::open(on_disk(folder.path()));
        site.fetch(&get("/a"), &reply(200, &[]), &bytes(1, 600_000), at(0));
        site.settle();
        drop(site);
        let head = files(folder.path(), "head").pop().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let aside = outside.path().join("aside");
        fs::copy(&head, &aside).unwrap();
        fs::remove_file(hide(&head)).unwrap();
        let site = Site::open(on_disk(folder.path()));
        assert_eq!(word(&site.look(&get("/a"), at(1))), "missing");
        assert_eq!(site.cache.counters().of(Count::Damaged), 0);
        if is_purged {
            assert_eq!(site.runtime.block_on(site.cache.purge("http://h/a")), Ok(false));
        }
        if fs::symlink_metadata(&head).is_ok() {
            fs::rename(&aside, &head).unwrap();
        }
        let site = reopen(site, on_disk(folder.path()));
        assert_eq!(word(&site.look(&get("/a"), at(1))), found);
    }
}
