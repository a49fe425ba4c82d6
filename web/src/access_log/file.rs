//! A file that lines are appended to, and that may be full, moved away, or gone.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use memchr::memchr_iter;
use runtime::{clock::Clock, telemetry::RateLimited};
use tracing::{info, warn};

#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    /// What was written last is a part of a line.
    is_torn: bool,
    clock: Clock,
    failures: RateLimited,
}

impl LogFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let (clock, failures) = (Clock::start(), RateLimited::default());
        Ok(Self { path: path.to_owned(), file: append_to(path)?, is_torn: false, clock, failures })
    }

    /// Goes on in whatever now has the name. Where that cannot be opened, the old file goes on.
    pub(super) fn reopen(&mut self) {
        let file = self.path.display();
        match append_to(&self.path) {
            Ok(opened) => {
                (self.file, self.is_torn) = (opened, false);
                info!(%file, "access log reopened");
            }
            Err(error) => warn!(%file, %error, "the access log cannot be reopened; the old file goes on"),
        }
    }

    /// Writes whole lines, and returns how many were not.
    pub(super) fn write(&mut self, lines: &[u8]) -> u64 {
        match self.try_write(lines) {
            Ok(()) => 0,
            Err((written, error)) => {
                self.warn(&error);
                self.is_torn = written > 0 && lines[written - 1] != b'\n' || written == 0 && self.is_torn;
                memchr_iter(b'\n', &lines[written..]).count() as u64
            }
        }
    }

    fn try_write(&mut self, lines: &[u8]) -> Result<(), (usize, io::Error)> {
        if self.is_torn {
            self.file.write_all(b"\n").map_err(|error| (0, error))?;
            self.is_torn = false;
        }
        let mut written = 0;
        while written < lines.len() {
            match self.file.write(&lines[written..]) {
                Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err((written, error)),
            }
        }
        Ok(())
    }

    fn warn(&mut self, error: &io::Error) {
        if let Some(left_out) = self.failures.admit(self.clock.now()) {
            warn!(file = %self.path.display(), %error, left_out, "the access log cannot be written");
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}
