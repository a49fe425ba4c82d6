//! The recovery file: written once a second, whole at every instant, and taken up after a restart.
//!
//! A new one is written beside the old one, brought to the disk and then given its name. What goes wrong with it is a
//! warning: statistics are no reason not to run.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use proto::time::Instant;
use runtime::telemetry::RateLimited;
use tracing::{info, warn};

use crate::{saved::Saved, statistics::Statistics};

/// How often it is written.
pub(crate) const WRITE_INTERVAL: Duration = Duration::from_secs(1);

/// The file, and how old it may be.
#[derive(Debug)]
pub struct Recovery {
    path: PathBuf,
    max_age: Duration,
    failures: Mutex<RateLimited>,
    writing: Mutex<()>,
}

impl Recovery {
    /// This file. Nothing is looked at yet.
    pub fn new(path: PathBuf, max_age: Duration) -> Self {
        Self { path, max_age, failures: Mutex::default(), writing: Mutex::default() }
    }

    /// What was known when it was written, if it is there and fit to go on from at this wall-clock time.
    pub fn take_up(&self, time: u64, now: Instant) -> Statistics {
        let file = self.path.display();
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Statistics::default(),
            Err(error) => {
                warn!(%file, %error, "the recovery file cannot be read");
                return Statistics::default();
            }
        };
        match Saved::read(&bytes, time, self.max_age) {
            Ok((saved, age)) => {
                info!(%file, ?age, "statistics recovered");
                Statistics::restore(saved, age, now)
            }
            Err(unfit) => {
                let aside = unfit.is_bad().then(|| self.set_aside());
                let aside = aside.map(|path| path.display().to_string());
                warn!(%file, why = %unfit, aside, "the recovery file is not taken up");
                Statistics::default()
            }
        }
    }

    /// Keeps a bad file from being written over: somebody may want to look at it.
    fn set_aside(&self) -> PathBuf {
        let aside = beside(&self.path, ".bad");
        if let Err(error) = fs::rename(&self.path, &aside) {
            warn!(file = %self.path.display(), %error, "the recovery file cannot be set aside");
        }
        aside
    }

    /// Writes what is to be written down. For a thread that may wait.
    pub fn write(&self, saved: &Saved, now: Instant) {
        // Two may come at once at the end of the process; the later one has the newer numbers.
        let alone = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let written = replace(&self.path, saved);
        drop(alone);
        let Err(error) = written else { return };
        let admitted = self.failures.lock().unwrap_or_else(PoisonError::into_inner).admit(now);
        if let Some(left_out) = admitted {
            warn!(file = %self.path.display(), %error, left_out, "the recovery file cannot be written");
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

fn replace(path: &Path, saved: &Saved) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let written = beside(path, ".new");
    let mut file = File::create(&written)?;
    file.write_all(&serde_json::to_vec(saved)?)?;
    // Else a crash of the machine may leave the new name on an empty file.
    file.sync_all()?;
    fs::rename(&written, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use proto::id::Incarnation;
    use runtime::report::{Foo, Published, Report, RouteReport};

    use super::*;
    use crate::summary::Summary;

    const MAX_AGE: Duration = Duration::from_secs(10);

    fn known() -> Statistics {
        let foo = Some(Foo { req: 100, ack: 90, nak: 10, ..Foo::default() });
        let route = RouteReport { route: "r".to_owned(), foo, ..RouteReport::default() };
        let report = Report { node: "ingress".to_owned(), routes: vec![route], ..Report::default() };
        let (node, incarnation) = ("i".to_owned(), Incarnation(1));
        let published =
            Published { node, incarnation, shard: 0, sequence: 1, time: 1, report, is_last: false };
        let mut statistics = Statistics::default();
        statistics.observe(published, Instant::ZERO);
        statistics
    }

    fn recovered(path: &Path, time: u64) -> Summary {
        let statistics = Recovery::new(path.to_owned(), MAX_AGE).take_up(time, Instant::ZERO);
        Summary::of(&statistics, "up", Instant::ZERO)
    }

    fn write(path: &Path) -> Vec<u8> {
        Recovery::new(path.to_owned(), MAX_AGE).write(&known().save(50_000, Instant::ZERO), Instant::ZERO);
        fs::read(path).unwrap_or_default()
    }

    #[test]
    fn what_is_written_is_taken_up_and_its_windows_have_aged() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stats.json");
        write(&path);
        let summary = recovered(&path, 53_000);
        assert_eq!((summary.msg_total, summary.msg_req), (200, 100));
        assert!(summary.rates.request_rate_1s.abs() < 1e-9);
        assert!((summary.rates.request_rate_10s - 10.0).abs() < 1e-9);
        let left: Vec<_> = fs::read_dir(directory.path()).unwrap().collect();
        assert_eq!(left.len(), 1, "nothing is left beside it");
    }

    /// Fails if a bad file ends the process, is taken for good, or is lost.
    #[test]
    fn a_bad_file_is_set_aside_whatever_is_wrong_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stats.json");
        let whole = write(&path);
        let bads: [&[u8]; 5] =
            [b"", b"garbage", &whole[..whole.len() / 2], b"{\"version\":7}", b"\0\xff\xfe"];
        for bad in bads {
            fs::write(&path, bad).unwrap();
            assert_eq!(recovered(&path, 50_000).msg_total, 0);
            assert_eq!(fs::read(directory.path().join("stats.json.bad")).unwrap(), bad);
            assert!(!path.exists());
        }
        fs::write(&path, &whole).unwrap();
        assert_eq!(recovered(&path, 1_000).msg_total, 0, "from the future");
        assert!(directory.path().join("stats.json.bad").exists() && !path.exists());
    }

    #[test]
    fn one_that_is_too_old_is_left_where_it_is_until_it_is_written_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stats.json");
        write(&path);
        assert_eq!(recovered(&path, 70_000).msg_total, 0);
        assert!(path.exists());
    }

    #[test]
    fn folders_that_are_missing_are_made() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a/b/stats.json");
        assert_eq!(recovered(&path, 0).msg_total, 0);
        assert!(!write(&path).is_empty());
    }

    /// Fails if a place that cannot be written to is more than a warning, or half a file is left there.
    #[test]
    fn a_place_that_cannot_be_written_to_harms_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "in the way").unwrap();
        for path in [file.join("stats.json"), directory.path().to_owned(), PathBuf::from("/proc/stats.json")]
        {
            assert!(write(&path).is_empty());
            assert_eq!(recovered(&path, 0).msg_total, 0);
        }
        assert_eq!(fs::read(&file).unwrap(), b"in the way");
    }

    /// Fails if two may write at once: one takes the other's file away, or what is there is not whole.
    #[test]
    fn who_writes_at_the_same_time_writes_one_after_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("stats.json");
        let recovery = Recovery::new(path.clone(), MAX_AGE);
        let saved = known().save(50_000, Instant::ZERO);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10).for_each(|_| recovery.write(&saved, Instant::ZERO)));
            }
        });
        let has_failed = recovery.failures.lock().unwrap().admit(Instant::ZERO).is_none();
        assert!(!has_failed && recovered(&path, 50_000).msg_total == 200);
    }
}
