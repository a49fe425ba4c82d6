//! A file that lines are appended to, and that may be full, moved away, or gone.

use std::{
    fs::{File, OpenOptions},
    io,
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
        let Err((written, error)) = append(&mut self.file, &mut self.is_torn, lines) else { return 0 };
        self.warn(&error);
        memchr_iter(b'\n', &lines[written..]).count() as u64
    }

    fn warn(&mut self, error: &io::Error) {
        if let Some(left_out) = self.failures.admit(self.clock.now()) {
            warn!(file = %self.path.display(), %error, left_out, "the access log cannot be written");
        }
    }
}

/// Writes all, or says how much it has written and why no more. What follows a torn line begins on a new one.
fn append(file: &mut impl io::Write, is_torn: &mut bool, lines: &[u8]) -> Result<(), (usize, io::Error)> {
    if *is_torn {
        file.write_all(b"\n").map_err(|error| (0, error))?;
        *is_torn = false;
    }
    let mut written = 0;
    while written < lines.len() {
        match file.write(&lines[written..]) {
            Ok(0) => return Err((written, io::ErrorKind::WriteZero.into())),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err((written, error)),
        }
        *is_torn = lines[written - 1] != b'\n';
    }
    Ok(())
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails with: `is_torn` left out.
    #[test]
    fn what_follows_a_torn_line_begins_on_a_new_one() {
        let mut is_torn = false;
        let mut disk = [0; 10];
        let mut room = &mut disk[..];
        let (written, _) = append(&mut room, &mut is_torn, b"first\nsecond\nthird\n").unwrap_err();
        assert_eq!((written, is_torn), (10, true));
        assert!(append(&mut room, &mut is_torn, b"still full\n").is_err());
        assert_eq!(&disk, b"first\nseco");

        let mut disk = Vec::new();
        append(&mut disk, &mut is_torn, b"fourth\n").unwrap();
        append(&mut disk, &mut is_torn, b"fifth\n").unwrap();
        assert_eq!(disk, b"\nfourth\nfifth\n");
    }
}
