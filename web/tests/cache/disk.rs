//! What is on disk: found after a restart, and in bounds.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use web::cache::{Cache, Claim, Count, Found, Outcome, Settings, Unkept};

use crate::site::{MIB, Site, at, bytes, get, reply, request, settings, word};

pub(crate) fn on_disk(folder: &Path) -> Settings {
    Settings { disk: Some((folder.to_owned(), 256 * MIB)), ..settings(600) }
}

/// Closes a cache and opens it again, as a restart does.
pub(crate) fn reopen(site: Site, settings: Settings) -> Site {
    site.settle();
    drop(site);
    Site::open(settings)
}

pub(crate) fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let shelves = fs::read_dir(folder).unwrap().flatten().filter(|shelf| shelf.path().is_dir());
    let files =
        shelves.flat_map(|shelf| fs::read_dir(shelf.path()).unwrap().flatten()).map(|file| file.path());
    files.filter(|file| file.extension().is_some_and(|known| known == extension)).collect()
}

pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// Fails if anything of the head is not written down.
#[test]
fn a_restart_finds_what_was_kept() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    let asked = request("GET", "/a", &["accept: x"]);
    let said =
        reply(200, &["vary: accept, x-none", "etag: \"1\"", "age: 3", "cache-control: max-age=100", "x: é"]);
    site.fetch(&asked, &said, b"short", at(0));
    site.fetch(&get("/empty"), &reply(404, &[]), b"", at(0));
    site.fetch(&get("/none"), &reply(204, &[]), b"", at(0));
    let before = site.hit(&asked, at(10));
    let site = reopen(site, on_disk(folder.path()));

    let after = site.hit(&asked, at(10));
    assert_eq!((after.status, after.headers, after.body), (before.status, before.headers, before.body));
    assert_eq!(word(&site.look(&request("GET", "/a", &["accept: y"]), at(10))), "missing");
    assert_eq!(word(&site.look(&asked, at(98))), "stale");
    assert_eq!(site.hit(&get("/empty"), at(10)).status, 404);
    assert!(!site.hit(&get("/none"), at(10)).headers.contains_key("content-length"));
}

/// Fails if a long body is cut or put together wrong anywhere.
#[test]
fn bodies_of_all_lengths_come_back_byte_for_byte() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    let lengths = [0, 1, 30_000, 262_143, 262_144, 262_145, 524_288, 1_000_003, 50_000_000];
    for (seed, length) in lengths.into_iter().enumerate() {
        site.fetch(&get(&format!("/{length}")), &reply(200, &[]), &bytes(seed as u64, length), at(0));
    }
    let check = |site: &Site| {
        for (seed, length) in lengths.into_iter().enumerate() {
            let answer = site.hit(&get(&format!("/{length}")), at(1));
            assert!(answer.body == bytes(seed as u64, length), "{length}");
            assert_eq!(answer.header("content-length"), length.to_string());
        }
    };
    check(&site);
    assert!(site.cache.counters().memory_bytes < 2 * MIB, "long bodies are on disk only");
    check(&reopen(site, on_disk(folder.path())));
}

/// Fails if who waits is told before the head is written: he would find nothing and ask the server too.
#[test]
fn who_waited_for_a_long_body_finds_it() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    for round in 0..20 {
        let asked = get(&format!("/{round}"));
        let Claim::Lead(lead) = site.cache.claim(&asked, at(0)) else { panic!("nobody leads yet") };
        let Claim::Follow(follower) = site.cache.claim(&asked, at(0)) else { panic!("somebody leads") };
        let mut filling = site.cache.admit(lead, &asked, &reply(200, &[]), at(0)).unwrap();
        filling.push(&bytes(round, 600_000));
        filling.finish();

        let wait = follower.wait(Duration::from_secs(30));
        assert_eq!(site.runtime.block_on(wait), Outcome::Stored);
        assert!(site.hit(&asked, at(0)).body == bytes(round, 600_000));
    }
}

/// Fails if a body on its way is gathered in memory: 50 MB are no more than a few segments.
#[test]
fn a_long_body_on_its_way_is_not_in_memory() {
    let folder = folder();
    let site = Site::open(Settings { memory_bytes: 2 * MIB, ..on_disk(folder.path()) });
    let body = bytes(1, 50_000_000);
    site.fetch(&get("/a"), &reply(200, &["content-length: 50000000"]), &body, at(0));

    assert_eq!(site.cache.counters().unkept(Unkept::Busy), 0);
    assert!(site.hit(&get("/a"), at(1)).body == body);
}

#[test]
fn a_purge_and_a_change_hold_after_a_restart() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    for target in ["/a", "/b/1", "/b/2", "/c", "/d"] {
        site.fetch(&get(target), &reply(200, &[]), &bytes(1, 300_000), at(0));
    }
    assert_eq!(site.runtime.block_on(site.cache.purge("http://h/a")), Ok(true));
    assert_eq!(site.runtime.block_on(site.cache.purge_prefix("http://h/b")), Ok(2));
    site.cache.invalidate(&request("DELETE", "/c", &[]), &reply(204, &[]));
    let site = reopen(site, on_disk(folder.path()));

    for target in ["/a", "/b/1", "/b/2", "/c"] {
        assert_eq!(word(&site.look(&get(target), at(1))), "missing", "{target}");
    }
    assert_eq!(word(&site.look(&get("/d"), at(1))), "fresh");
    assert_eq!((files(folder.path(), "head").len(), files(folder.path(), "body").len()), (1, 1));
}

/// Fails if a 304 is not written down, or writes the body again.
#[test]
fn a_304_holds_after_a_restart() {
    for length in [4, 600_000] {
        let folder = folder();
        let site = Site::open(on_disk(folder.path()));
        let body = bytes(1, length);
        site.fetch(&get("/a"), &reply(200, &["cache-control: max-age=1", "etag: \"1\""]), &body, at(0));
        let Found::Stale(stale) = site.look(&get("/a"), at(5)) else { panic!("not stale") };
        let lead = site.cache.alone(&get("/a"));
        let said = reply(304, &["cache-control: max-age=100"]);
        let answer = site.read(stale.freshen(&lead, &get("/a"), &said, at(5)).unwrap());
        assert!(answer.body == body);
        let site = reopen(site, on_disk(folder.path()));

        assert!(site.hit(&get("/a"), at(50)).body == body);
        assert_eq!(files(folder.path(), "head").len(), 1);
    }
}

/// Fails if replaced or evicted entries leave files, or if the bound is not kept.
#[test]
fn the_disk_s_bound_is_kept_and_what_is_used_stays() {
    let folder = folder();
    let small =
        || Settings { disk: Some((folder.path().to_owned(), 4 * MIB)), memory_bytes: 0, ..settings(600) };
    let site = Site::open(small());
    for index in 0..100 {
        site.fetch(&get(&format!("/{index}")), &reply(200, &[]), &bytes(index, 100_000), at(0));
        site.hit(&get("/0"), at(0));
    }
    let counters = site.cache.counters();
    assert!(counters.disk_bytes <= 4 * MIB, "{}", counters.disk_bytes);
    assert!(counters.of(Count::EvictedFromDisk) > 50);
    let on_disk: u64 =
        files(folder.path(), "head").iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(on_disk <= 4 * MIB && on_disk > 3 * MIB, "{on_disk}");

    let site = reopen(site, small());
    assert!(site.hit(&get("/0"), at(1)).body == bytes(0, 100_000));
    assert_eq!(word(&site.look(&get("/1"), at(1))), "missing");
}

/// Fails if what has just come counts as not asked for: those that were go round, and it would be the first to go.
#[test]
fn a_newcomer_is_not_the_first_to_go() {
    let folder = folder();
    let disk = Some((folder.path().to_owned(), 4 * MIB));
    let site = Site::open(Settings { disk, memory_bytes: 0, ..settings(600) });
    for index in 0..60 {
        let asked = get(&format!("/{index}"));
        site.fetch(&asked, &reply(200, &[]), &bytes(index, 100_000), at(0));
        assert!(site.hit(&asked, at(1)).body == bytes(index, 100_000));
    }
    assert!(site.cache.counters().of(Count::EvictedFromDisk) > 0);
}

#[test]
fn a_body_on_its_way_counts_and_leaves_nothing_when_it_breaks() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    let before = site.cache.counters();
    let mut filling = site.admit(&get("/a"), &reply(200, &[]), at(0)).unwrap();
    for part in bytes(1, 3_000_000).chunks(100_000) {
        site.runtime.block_on(std::future::poll_fn(|cx| filling.poll_ready(cx)));
        filling.push(part);
    }
    assert!(site.cache.counters().disk_bytes > 2 * MIB);
    drop(filling);
    site.settle();

    let after = site.cache.counters();
    assert_eq!((after.disk_bytes, after.memory_bytes), (before.disk_bytes, before.memory_bytes));
    assert!(files(folder.path(), "body").is_empty());
}

/// Fails if bodies on their way push everything else out, and then go on.
#[test]
fn bodies_on_their_way_have_half_of_the_room_together() {
    let folder = folder();
    let disk = Some((folder.path().to_owned(), 4 * MIB));
    let site = Site::open(Settings { disk, ..settings(600) });
    site.fetch(&get("/kept"), &reply(200, &[]), &bytes(9, 600_000), at(0));
    let targets = ["/a", "/b", "/c", "/d"].map(get);
    let mut fillings = targets.each_ref().map(|asked| site.admit(asked, &reply(200, &[]), at(0)).unwrap());
    for part in bytes(1, 1_800_000).chunks(100_000) {
        for filling in &mut fillings {
            site.runtime.block_on(std::future::poll_fn(|cx| filling.poll_ready(cx)));
            filling.push(part);
        }
        let bytes = site.cache.counters().disk_bytes;
        assert!(bytes <= 3 * MIB, "{bytes}");
    }
    let counters = site.cache.counters();
    let open = fillings.iter().filter(|filling| filling.is_open()).count() as u64;
    assert_eq!((counters.unkept(Unkept::Busy), counters.unkept(Unkept::Disk)), (4 - open, 0));
    assert_eq!(counters.of(Count::EvictedFromDisk), 0);
    drop(fillings);
    site.settle();

    assert!(site.hit(&get("/kept"), at(1)).body == bytes(9, 600_000));
    site.fetch(&get("/a"), &reply(200, &[]), &bytes(1, 1_800_000), at(0));
    assert!(site.hit(&get("/a"), at(1)).body == bytes(1, 1_800_000), "there is room again");
}

/// Fails if the head of a body that a purge overtook is written first, and removed later.
#[test]
fn what_a_purge_overtook_never_gets_a_head() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    let mut filling = site.admit(&get("/a"), &reply(200, &[]), at(0)).unwrap();
    for part in bytes(1, 900_000).chunks(300_000) {
        site.runtime.block_on(std::future::poll_fn(|cx| filling.poll_ready(cx)));
        filling.push(part);
    }
    site.runtime.block_on(std::future::poll_fn(|cx| filling.poll_ready(cx)));
    assert_eq!(site.runtime.block_on(site.cache.purge("http://h/a")), Ok(false));
    // Where no file can be made, who tries to write the head says so.
    let body = files(folder.path(), "body").pop().unwrap();
    let shelf = body.parent().unwrap();
    fs::rename(shelf, folder.path().join("aside")).unwrap();
    fs::write(shelf, b"").unwrap();
    filling.finish();
    site.settle();

    let counters = site.cache.counters();
    assert_eq!((counters.unkept(Unkept::Overtaken), counters.unkept(Unkept::Disk)), (1, 0));
}

/// Fails if what was read before a 304 takes the place of what is kept since.
#[test]
fn a_slow_read_does_not_undo_a_304() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    let said = reply(200, &["cache-control: max-age=1", "etag: \"1\""]);
    site.fetch(&get("/a"), &said, b"body", at(0));
    let site = reopen(site, on_disk(folder.path()));
    let Found::OnDisk(slow) = site.cache.lookup(&get("/a"), at(5)) else { panic!("not on disk") };
    let Found::Stale(stale) = site.look(&get("/a"), at(5)) else { panic!("not stale") };
    let lead = site.cache.alone(&get("/a"));
    stale.freshen(&lead, &get("/a"), &reply(304, &["cache-control: max-age=100"]), at(5)).unwrap();
    site.runtime.block_on(slow.load(&get("/a"), at(5)));

    assert_eq!(site.hit(&get("/a"), at(50)).body, "body");
}

#[test]
fn one_process_at_a_time_and_only_where_it_can_write() {
    let folder = folder();
    let first = Cache::open(on_disk(folder.path())).unwrap();
    let error = Cache::open(on_disk(folder.path())).unwrap_err().to_string();
    assert!(error.ends_with("for a cache: another process uses it"), "{error}");
    drop(first);

    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = Cache::open(on_disk(&file.join("below"))).unwrap_err().to_string();
    assert!(error.starts_with("cannot use "), "{error}");
}

/// Fails if a disk that takes no more is taken for one that did, or the reason for the client to suffer.
#[test]
fn a_disk_that_takes_no_more_leaves_the_memory() {
    let folder = folder();
    let site = Site::open(on_disk(folder.path()));
    // Root may write to what nobody may: files where the shelves should be stop him too.
    for shelf in 0..=255 {
        fs::write(folder.path().join(format!("{shelf:02x}")), b"").unwrap();
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
    site.fetch(&get("/short"), &reply(200, &[]), b"short", at(0));
    site.fetch(&get("/long"), &reply(200, &[]), &bytes(1, 2_000_000), at(0));
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();

    assert_eq!(site.hit(&get("/short"), at(1)).body, "short");
    assert_eq!(word(&site.look(&get("/long"), at(1))), "missing");
    assert_eq!((site.cache.counters().unkept(Unkept::Disk), site.cache.counters().disk_bytes), (1, 0));
}
