//! Heads of requests: those that can be understood in two ways are refused.
//!
//! Where two programs in a row disagree about where a request ends, a stranger can hide a second request in the first.
//! hyper refuses most of what they could disagree about (`tests/heads.rs` has the table) and hides the rest: of a
//! `Content-Length` beside a `Transfer-Encoding` it leaves no trace (it closes the connection after the answer, as RFC 9112
//! §6.1 asks), and two equal lengths become one. So [`Watched`] looks at the bytes before hyper does, and [`verdict`] asks it.
//!
//! What is not looked at here is the body: where a chunk is malformed, hyper gives the service an error instead of the rest.

mod chunks;
mod follower;
mod verdict;
mod watched;

use hyper::server::conn::http1;

pub use self::{
    verdict::{Refusal, authority, verdict},
    watched::{Heads, Watched},
};

/// The longest head that is read, in bytes; beyond it hyper answers 431.
pub const MAX_HEAD: usize = 32 * 1024;
/// The most header lines of a request; beyond them hyper answers 431.
pub const MAX_HEADERS: usize = 100;
/// How much of a connection hyper holds: a head that is not whole by then is answered 431.
const MAX_BUFFER: usize = 2 * MAX_HEAD;

/// hyper with the limits that [`Watched`] knows of. Timers are the caller's to add.
pub fn builder() -> http1::Builder {
    let mut builder = http1::Builder::new();
    // `MAX_HEADERS` is hyper's own; when it is told a number, it allocates room for so many with every request.
    builder.max_header_size(MAX_HEAD).max_buf_size(MAX_BUFFER);
    builder
}
