//! One file that is written to at its end.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use super::Error;

/// What a file must be able to do; for tests, what a full disk refuses to.
pub(super) trait Medium: Send {
    /// Writes all of it at the end, or some of it and fails.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Lets go of what is behind this.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Returns when all of it is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Medium for File {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.set_len(len)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// A file of whole records.
pub(super) struct Segment {
    medium: Box<dyn Medium>,
    /// The end of the last record that is on the disk.
    len: u64,
    /// There may be something behind it.
    is_torn: bool,
}

impl Segment {
    /// The file, without so many bytes at its end.
    pub(super) fn open(file: &Path, cut_off: u64) -> Result<Self, Error> {
        let file = OpenOptions::new().append(true).open(file).map_err(Error::Disk)?;
        let len = file.metadata().map_err(Error::Disk)?.len() - cut_off;
        Ok(Self::new(Box::new(file), len, cut_off > 0))
    }

    pub(super) fn new(medium: Box<dyn Medium>, len: u64, is_torn: bool) -> Self {
        Self { medium, len, is_torn }
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Adds a record, whole and on the disk, or not at all.
    pub(super) fn append(&mut self, record: &dyn Fn(u64) -> Vec<u8>) -> Result<(), Error> {
        self.mend().map_err(Error::Disk)?;
        let bytes = record(self.len);
        self.is_torn = true;
        let written = self.medium.append(&bytes).and_then(|()| self.medium.sync());
        if let Err(error) = written {
            // If this fails too it is tried again before the next record.
            let _ = self.mend();
            return Err(Error::Disk(error));
        }
        self.is_torn = false;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// Lets go of what is left of a record that was not written whole.
    fn mend(&mut self) -> io::Result<()> {
        if self.is_torn {
            self.medium.truncate(self.len)?;
            self.medium.sync()?;
            self.is_torn = false;
        }
        Ok(())
    }
}
