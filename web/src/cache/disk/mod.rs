//! Entries on disk: an index in memory, files, and threads of their own that wait for the disk, so that no shard does.
//!
//! What is kept is in the index at once and found there when its files are written. What is dropped is gone from the index at
//! once and its files follow. After a start the index is what the files say. One process at a time uses a directory.

mod files;
mod index;
mod jobs;
mod record;
mod writing;

use std::{
    collections::HashMap,
    fs::File,
    io, mem,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
};

use bytes::Bytes;
use http::HeaderMap;
use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};
use tracing::{info, warn};

pub(crate) use self::writing::Writing;
use self::{
    files::{Files, Scan},
    index::{Index, Place},
    jobs::Jobs,
};
use super::{
    counters::{Count, Tallies, Unkept},
    entry::{Content, Entry, Held},
    key::Key,
};

/// Threads that wait for the disk.
const THREADS: usize = 4;

/// Bytes of short entries that may wait for being written. What comes beyond is kept in memory only.
const PENDING: u64 = 32 * 1024 * 1024;

/// The part of a cache that is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Disk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: Files,
    limit: u64,
    index: Mutex<Index>,
    tallies: Arc<Tallies>,
    /// Bytes of short entries that are not written yet.
    pending: AtomicU64,
    /// Those that change files.
    jobs: Jobs,
    is_failing: AtomicBool,
    /// Taken when the cache is closed.
    threads: Option<Runtime>,
    _lock: File,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // An ordinary drop waits for its threads, which a shard must not, and may be one of them.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

impl Disk {
    /// Opens `directory` and finds what an earlier process kept there.
    pub(crate) fn open(directory: PathBuf, limit: u64, tallies: Arc<Tallies>) -> io::Result<Self> {
        let files = Files::new(directory);
        let lock = files.lock()?;
        let threads =
            Builder::new_current_thread().max_blocking_threads(THREADS).thread_name("cache-disk").build()?;
        let disk = Self(Arc::new(Inner {
            files,
            limit,
            index: Mutex::default(),
            tallies,
            pending: AtomicU64::new(0),
            jobs: Jobs::default(),
            is_failing: AtomicBool::new(false),
            threads: Some(threads),
            _lock: lock,
        }));
        disk.recall()?;
        Ok(disk)
    }

    /// Fills the index from the files. Of two entries for the same requests, which a kill may leave, the newer counts.
    fn recall(&self) -> io::Result<()> {
        let Scan { entries: mut found, damaged, unread } = self.0.files.scan()?;
        self.0.tallies.add(Count::Damaged, damaged);
        found.sort_by_key(|(entry, _)| entry.freshness.received);
        let mut gone = Vec::new();
        let mut index = self.index();
        for (entry, bytes) in found {
            let is_long = matches!(entry.content, Content::File(_));
            gone.extend(index.add(Arc::new(Place::of(&entry, bytes, is_long, true))));
        }
        gone.extend(index.shrink(self.0.limit));
        let (entries, bytes, unread_heads) = (index.count(), index.bytes, unread.len());
        index.unread = unread;
        drop(index);
        self.remove(gone);
        let directory = self.0.files.directory().display();
        if unread_heads > 0 {
            warn!(%directory, unread_heads, "some of the cache's files cannot be read; leaving them");
        }
        info!(%directory, entries, bytes, damaged, "opened the cache's directory");
        Ok(())
    }

    fn index(&self) -> MutexGuard<'_, Index> {
        // No step of the index can be left half done by a panic that the process survives.
        self.0.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn threads(&self) -> Handle {
        match &self.0.threads {
            Some(threads) => threads.handle().clone(),
            None => unreachable!("taken only when nobody is left to ask"),
        }
    }

    /// Runs something that changes files; `settle` waits for it.
    fn job(&self, work: impl FnOnce(&Self) + Send + 'static) {
        let (disk, job) = (self.clone(), self.0.jobs.begin());
        self.threads().spawn_blocking(move || {
            work(&disk);
            // First, so that who has waited and closes the cache has closed it.
            drop(disk);
            drop(job);
        });
    }

    /// Waits until everything that has been begun by now is on disk, or gone from it.
    pub(crate) async fn settle(&self) {
        self.0.jobs.settle().await;
    }

    /// Bytes that are taken.
    pub(crate) fn bytes(&self) -> u64 {
        self.index().bytes
    }

    /// What is kept for `key` and a request with these headers.
    pub(crate) fn find(&self, key: &str, headers: &HeaderMap) -> Option<Arc<Place>> {
        let place = self.index().find(key, headers)?;
        place.used.store(true, Relaxed);
        place.is_ready.load(Relaxed).then_some(place)
    }

    /// Whether something is kept for `key`, for whatever request.
    pub(crate) fn knows(&self, key: &str) -> bool {
        self.index().knows(key)
    }

    /// Whether this very entry is kept.
    pub(crate) fn holds(&self, entry: &Entry) -> bool {
        self.index().holds(&entry.key, entry.id)
    }

    /// Whether this very entry is kept, and was not renewed since it was read.
    pub(crate) fn holds_as_it_is(&self, entry: &Entry) -> bool {
        self.index().holds_as_it_is(entry)
    }

    /// Reads an entry; none if it cannot be read. If it is damaged, it is dropped.
    pub(crate) fn load(&self, place: &Arc<Place>) -> JoinHandle<Option<Held>> {
        let (disk, place) = (self.clone(), place.clone());
        self.threads().spawn_blocking(move || {
            // Names of files are no proof: what is inside says whose it is.
            let is_meant =
                |held: &Held| held.entry.key == place.key && held.entry.selection == place.selection;
            let held = disk.0.files.load(place.id, &place.used);
            let held = held.and_then(|held| if is_meant(&held) { Ok(held) } else { Err(files::damaged()) });
            if held.as_ref().is_err_and(files::is_damage) && !place.is_dropped.load(Relaxed) {
                disk.give_up(&place.key, place.id);
            }
            held.ok()
        })
    }

    /// Reads a segment of a long body. If it is damaged, the entry is dropped.
    pub(crate) fn read(&self, held: &Held, index: usize) -> JoinHandle<io::Result<Bytes>> {
        let (disk, held) = (self.clone(), held.clone());
        self.threads().spawn_blocking(move || {
            let segment = files::read_segment(&held, index);
            if segment.as_ref().is_err_and(files::is_damage) {
                disk.give_up(&held.entry.key, held.entry.id);
            }
            segment
        })
    }

    /// Drops a damaged entry.
    fn give_up(&self, key: &Key, id: u64) {
        let place = self.index().remove(key, id);
        if let Some(place) = place {
            self.0.tallies.count(Count::Damaged);
            self.remove(vec![place]);
        }
    }

    /// Removes the files of a long entry that is not to be kept after all. Waits: not for shards.
    pub(crate) fn discard_now(&self, id: u64) {
        self.0.files.remove(id, true);
    }

    /// Writes the head of a long entry, whose body is in its file. Waits: not for shards.
    pub(crate) fn write_now(&self, entry: &Entry) -> io::Result<()> {
        let written = self.0.files.write_head(entry);
        self.tell(written.as_ref().err());
        if written.is_err() {
            self.discard_now(entry.id);
        }
        written.map(drop)
    }

    /// Keeps `entry`; what of it is not written yet is, soon.
    pub(crate) fn keep(&self, entry: &Arc<Entry>, is_written: bool) {
        let is_long = matches!(entry.content, Content::File(_));
        let weight = entry.weight() as u64;
        let waits = if is_long { 0 } else { weight };
        if self.0.pending.fetch_add(waits, Relaxed) > PENDING {
            self.0.pending.fetch_sub(waits, Relaxed);
            self.0.tallies.unkept(Unkept::Disk);
            return self.remove(self.replaced(entry));
        }
        let body = if is_long { files::blocks(entry.length) } else { 0 };
        let place = Place::of(entry, files::blocks(weight) + body, is_long, is_written);
        let place = self.enter(place);
        if is_written {
            return;
        }
        let entry = entry.clone();
        self.job(move |disk| {
            disk.write(&entry, &place);
            disk.0.pending.fetch_sub(waits, Relaxed);
        });
    }

    /// Puts a place into the index, and drops what it replaces and what has to make room.
    fn enter(&self, mut place: Place) -> Arc<Place> {
        let mut index = self.index();
        // An entry that is said to hold goes on being found while its head is written anew, unless that says for whom it is.
        *place.is_ready.get_mut() |= index.finds(&place);
        let place = Arc::new(place);
        // Room first: where all others were asked for, the newcomer would be the first to go.
        let evicted = index.shrink(self.0.limit.saturating_sub(place.bytes));
        let mut gone = index.add(place.clone());
        drop(index);
        self.0.tallies.add(Count::EvictedFromDisk, evicted.len() as u64);
        gone.extend(evicted);
        gone.retain(|old| old.id != place.id);
        self.remove(gone);
        place
    }

    /// What is no longer right because of `entry`, which there is no room for.
    fn replaced(&self, entry: &Entry) -> Vec<Arc<Place>> {
        let mut index = self.index();
        let old = index.same(&entry.key, &entry.selection).into_iter().chain([entry.id]);
        old.filter_map(|id| index.remove(&entry.key, id)).collect()
    }

    fn write(&self, entry: &Entry, place: &Arc<Place>) {
        if place.is_dropped.load(Relaxed) {
            return;
        }
        let written = self.0.files.write_head(entry);
        self.tell(written.as_ref().err());
        let is_there = written.is_ok();
        place.is_ready.store(is_there, Relaxed);
        if !is_there {
            self.index().remove(&place.key, place.id);
        }
        // Whoever dropped it meanwhile may have looked for its files before they were there.
        let is_wanted = is_there && !place.is_dropped.load(Relaxed);
        if !is_wanted && !self.holds(entry) {
            self.0.files.remove(place.id, place.is_long);
        }
    }

    /// Says once that writing fails, and once that it works again.
    fn tell(&self, error: Option<&io::Error>) {
        let was_failing = self.0.is_failing.swap(error.is_some(), Relaxed);
        let directory = self.0.files.directory().display();
        match error {
            Some(error) if !was_failing => {
                warn!(%directory, %error, "cannot write to the cache's directory; keeping in memory only");
            }
            None if was_failing => info!(%directory, "the cache's directory can be written to again"),
            _ => {}
        }
    }

    /// Removes the files of places that are in the index no more.
    fn remove(&self, gone: Vec<Arc<Place>>) {
        if !gone.is_empty() {
            self.job(move |disk| {
                for place in gone {
                    disk.0.files.remove(place.id, place.is_long);
                }
            });
        }
    }

    /// Counts bytes that are being written, and makes room for them. False if bodies on their way would have more than half of it.
    fn reserve(&self, bytes: u64) -> bool {
        let mut index = self.index();
        if index.coming + bytes > self.0.limit / 2 {
            return false;
        }
        index.coming += bytes;
        index.bytes += bytes;
        let evicted = index.shrink(self.0.limit);
        drop(index);
        self.0.tallies.add(Count::EvictedFromDisk, evicted.len() as u64);
        self.remove(evicted);
        true
    }

    /// Bytes that were being written are counted with their entry now, or are no more.
    fn release(&self, bytes: u64) {
        let mut index = self.index();
        index.coming -= bytes;
        index.bytes -= bytes;
    }

    /// What could not be read may be what is dropped.
    fn remove_unread(&self, unread: Vec<u64>) {
        if !unread.is_empty() {
            self.job(move |disk| unread.iter().for_each(|id| disk.0.files.remove(*id, true)));
        }
    }

    /// Drops one entry, if it is there.
    pub(crate) fn drop_one(&self, entry: &Entry) {
        let place = self.index().remove(&entry.key, entry.id);
        self.remove(place.into_iter().collect());
    }

    /// Drops all variants of `key`; says how many there were.
    pub(crate) fn drop_all(&self, key: &str) -> usize {
        let mut index = self.index();
        let (gone, unread) = (index.remove_all(key), mem::take(&mut index.unread));
        drop(index);
        let count = gone.len();
        self.remove(gone);
        self.remove_unread(unread);
        count
    }

    /// Drops everything whose key begins with `prefix`; says which keys, with how many variants.
    pub(crate) fn drop_beginning_with(&self, prefix: &str) -> HashMap<Key, usize> {
        let mut index = self.index();
        let (keys, unread) = (index.beginning_with(prefix), mem::take(&mut index.unread));
        drop(index);
        self.remove_unread(unread);
        keys.into_iter().map(|key| (key.clone(), self.drop_all(key.as_str()))).collect()
    }
}
