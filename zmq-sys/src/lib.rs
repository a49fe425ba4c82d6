//! The declarations of libzmq that the crate `zmq` uses, and the build of libzmq itself.
//!
//! The crates.io package of this name builds libzmq 4.3.4 without CURVE; this one, put in its place by
//! `[patch.crates-io]`, builds 4.3.5 with CURVE and needs no more than a C++ compiler and make; it also makes the
//! limit of a message hold for all its parts (`build/whole_message.rs`). Nobody but `zmq` is to use it, and `runtime::zeromq`
//! for an option that `zmq` has no name for. Unix only.
//!
//! `unsafe_code` is allowed here because foreign declarations are nothing else.

pub mod errno;
#[allow(non_camel_case_types, reason = "C names its types so")]
mod ffi;

pub use ffi::*;
pub use std::os::fd::RawFd;

// Nothing of libsodium is called from Rust, so without this line the linker would not be told of it.
extern crate libsodium_sys as _;

/// The error of the last call on this thread.
///
/// `zmq` panics at an error it has no name for, such as the EROFS of an `ipc://` endpoint in a read-only directory. A
/// bad endpoint is no reason to die, so such errors go by as EINVAL.
///
/// # Safety
/// Always safe; `unsafe` because `zmq` calls it so.
pub unsafe fn zmq_errno() -> libc::c_int {
    // SAFETY: libzmq only reads errno.
    let raw = unsafe { ffi::zmq_errno() };
    if errno::is_known(raw) { raw } else { errno::EINVAL }
}
