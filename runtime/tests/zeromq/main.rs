//! What ZeroMQ does to those who trust its defaults, as tests of the sockets that do not.
//!
//! Each fault test names the change that makes it fail. Nothing sleeps: what takes time is awaited, under a deadline.

#![allow(clippy::unwrap_used, reason = "an unwrap in vain is a failed test")]

mod build;
mod faults;
mod guest;
mod hall;
mod pair;
mod parts;
mod readiness;
mod strangers;
mod support;
