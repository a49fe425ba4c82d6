//! What cannot be done.

use std::{fmt, io, path::PathBuf};

/// Why a cache cannot be opened.
#[derive(Debug)]
pub struct OpenError {
    pub(crate) directory: PathBuf,
    pub(crate) cause: io::Error,
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot use {} for a cache: {}", self.directory.display(), self.cause)
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// What a purge was asked for is no absolute URL, or the beginning of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoUrl;

impl fmt::Display for NoUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an absolute URL like http://host/path")
    }
}

impl std::error::Error for NoUrl {}
