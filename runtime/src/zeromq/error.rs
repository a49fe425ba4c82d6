//! What can go wrong with a socket: making it, sending on it, and what a peer may send to it.
//!
//! libzmq's errors become `std::io::Error` here, so nobody above this module needs to know them.

use std::{error, fmt, io};

use super::PeerId;

/// Why there is no socket.
#[derive(Debug)]
pub enum Error {
    /// libzmq or the runtime gave no socket, or an option was refused.
    Open {
        /// What was said.
        source: io::Error,
    },
    /// The endpoint cannot be listened on.
    Bind {
        /// As it was asked for.
        endpoint: String,
        /// What was said.
        source: io::Error,
    },
    /// The endpoint makes no sense; one that merely does not answer is no error, it is tried for ever.
    Connect {
        /// As it was asked for.
        endpoint: String,
        /// What was said.
        source: io::Error,
    },
    /// An identity is 1 to [`PeerId::MAX_LEN`] bytes, of which the first is not zero: such ids are libzmq's own.
    Identity,
}

impl Error {
    pub(super) fn open(source: impl Into<io::Error>) -> Self {
        Self::Open { source: source.into() }
    }

    pub(super) fn bind(endpoint: &str, source: impl Into<io::Error>) -> Self {
        Self::Bind { endpoint: endpoint.to_owned(), source: source.into() }
    }

    pub(super) fn connect(endpoint: &str, source: impl Into<io::Error>) -> Self {
        Self::Connect { endpoint: endpoint.to_owned(), source: source.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open { source } => write!(f, "cannot open a ZeroMQ socket: {source}"),
            Self::Bind { endpoint, source } => write!(f, "cannot bind {endpoint}: {source}"),
            Self::Connect { endpoint, source } => write!(f, "cannot connect to {endpoint}: {source}"),
            Self::Identity => write!(f, "not a routing id"),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Open { source } | Self::Bind { source, .. } | Self::Connect { source, .. } => Some(source),
            Self::Identity => None,
        }
    }
}

/// Why a message was not taken. None of it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendError {
    /// The peer is not there: never seen, gone, or not yet connected.
    Unreachable,
    /// The peer is there and takes no more. With the high-water marks out of the way that is a fault.
    Full,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreachable => "the peer is not there",
            Self::Full => "the peer takes no more",
        })
    }
}

impl error::Error for SendError {}

/// A message that has not the parts it should have. It is gone, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed {
    /// Who sent it, where that is known.
    pub peer: Option<PeerId>,
}
