//! Many threads keep, look, change, purge and break off at once, in a cache that is far too small: what is found is right.

use std::{thread, time::Duration};

use fastrand::Rng;
use http_body_util::BodyExt;
use web::cache::{Cache, Claim, Count, Found, Settings};

use crate::site::{MIB, at, bytes, get, reply, request, settings};

const TARGETS: u64 = 40;

/// What version `version` of anything is; some are longer than a segment.
fn content(pool: &[u8], version: u64) -> &[u8] {
    let length = if version.is_multiple_of(3) {
        300_000 + version as usize % 90_000
    } else {
        version as usize % 9_000
    };
    &pool[version as usize % 1009..][..length]
}

struct Client<'a> {
    cache: &'a Cache,
    pool: &'a [u8],
    rng: Rng,
    hits: u64,
}

impl Client<'_> {
    async fn step(&mut self) {
        let target = format!("/{}", self.rng.u64(..TARGETS));
        match self.rng.u8(..20) {
            0 => self.cache.invalidate(&request("POST", &target, &[]), &reply(204, &[])),
            1 => drop(self.cache.purge_prefix("http://h/1").await.unwrap()),
            2..=7 => self.fetch(&target).await,
            _ => self.look(&target).await,
        }
    }

    async fn fetch(&mut self, target: &str) {
        let asked = get(target);
        let lead = match self.cache.claim(&asked, at(99)) {
            Claim::Lead(lead) => lead,
            Claim::Follow(follower) => {
                follower.wait(Duration::from_millis(1)).await;
                return;
            }
        };
        let version = self.rng.u64(..1_000_000);
        let said = reply(200, &[&format!("x-version: {version}"), &format!("x-target: {target}")]);
        let Some(mut filling) = self.cache.admit(lead, &asked, &said, at(0)) else { return };
        for part in content(self.pool, version).chunks(50_000) {
            std::future::poll_fn(|cx| filling.poll_ready(cx)).await;
            filling.push(part);
            if self.rng.u8(..40) == 0 {
                return;
            }
        }
        filling.finish();
    }

    async fn look(&mut self, target: &str) {
        let asked = get(target);
        let found = match self.cache.lookup(&asked, at(1)) {
            Found::OnDisk(loading) => loading.load(&asked, at(1)).await,
            found => found,
        };
        let Found::Fresh(response) = found else { return };
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let version = parts.headers["x-version"].to_str().unwrap().parse().unwrap();
        assert_eq!(parts.headers["x-target"], target);
        assert!(body == content(self.pool, version), "version {version} of {target}");
        self.hits += 1;
    }
}

/// Fails if files of an entry are removed, or written, that another needs; or if an entry is used before it is whole.
#[test]
fn whatever_many_threads_do_every_hit_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Some((folder.path().to_owned(), 2 * MIB));
    let small = Settings { disk, memory_bytes: MIB / 16, ..settings(50) };
    let cache = Cache::open(small).unwrap();
    let pool = bytes(1, 1_000_000);
    let hits: u64 = thread::scope(|scope| {
        let clients = (0..4).map(|seed| {
            let mut client = Client { cache: &cache, pool: &pool, rng: Rng::with_seed(seed), hits: 0 };
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                for _ in 0..1_500 {
                    runtime.block_on(client.step());
                }
                client.hits
            })
        });
        let clients: Vec<_> = clients.collect();
        clients.into_iter().map(|client| client.join().unwrap()).sum()
    });

    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(cache.settle());
    let counters = cache.counters();
    assert!(hits > 100 && counters.of(Count::EvictedFromDisk) > 10, "{hits} {counters:?}");
    assert_eq!(counters.of(Count::Damaged), 0);
    assert!(counters.disk_bytes <= 2 * MIB);
    assert_eq!(runtime.block_on(cache.purge_prefix("http://h/")).map(|_| cache.counters().disk_bytes), Ok(0));
    let left = walk(folder.path());
    assert!(left.is_empty(), "{left:?}");
}

/// The files of entries that are there.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let shelves = std::fs::read_dir(folder).unwrap().flatten().filter(|shelf| shelf.path().is_dir());
    shelves
        .flat_map(|shelf| std::fs::read_dir(shelf.path()).unwrap().flatten())
        .map(|file| file.path())
        .collect()
}
