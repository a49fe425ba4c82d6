//! The error numbers that `zmq` has names for.
//!
//! Those the platform lacks are counted by libzmq from a number of its own; the same for the four that only ZeroMQ
//! knows. On Unix the former never occur, but `zmq` names them.

pub use libc::{
    EACCES, EADDRINUSE, EADDRNOTAVAIL, EAGAIN, EBUSY, ECONNREFUSED, EFAULT, EHOSTUNREACH, EINPROGRESS, EINTR,
    EINVAL, EMFILE, EMSGSIZE, ENAMETOOLONG, ENETDOWN, ENOBUFS, ENODEV, ENOENT, ENOMEM, ENOTCONN, ENOTSOCK,
    ENOTSUP, EPROTO, EPROTONOSUPPORT,
};

const HAUSNUMERO: i32 = 156_384_712;

pub const EFSM: i32 = HAUSNUMERO + 51;
pub const ENOCOMPATPROTO: i32 = HAUSNUMERO + 52;
pub const ETERM: i32 = HAUSNUMERO + 53;
pub const EMTHREAD: i32 = HAUSNUMERO + 54;

pub const ENOTSUP_ALT: i32 = HAUSNUMERO + 1;
pub const EPROTONOSUPPORT_ALT: i32 = HAUSNUMERO + 2;
pub const ENOBUFS_ALT: i32 = HAUSNUMERO + 3;
pub const ENETDOWN_ALT: i32 = HAUSNUMERO + 4;
pub const EADDRINUSE_ALT: i32 = HAUSNUMERO + 5;
pub const EADDRNOTAVAIL_ALT: i32 = HAUSNUMERO + 6;
pub const ECONNREFUSED_ALT: i32 = HAUSNUMERO + 7;
pub const EINPROGRESS_ALT: i32 = HAUSNUMERO + 8;
pub const ENOTSOCK_ALT: i32 = HAUSNUMERO + 9;
pub const EMSGSIZE_ALT: i32 = HAUSNUMERO + 10;

pub(crate) fn is_known(raw: i32) -> bool {
    matches!(
        raw,
        EACCES
            | EADDRINUSE
            | EAGAIN
            | EBUSY
            | ECONNREFUSED
            | EFAULT
            | EINTR
            | EHOSTUNREACH
            | EINPROGRESS
            | EINVAL
            | EMFILE
            | EMSGSIZE
            | ENAMETOOLONG
            | ENODEV
            | ENOENT
            | ENOMEM
            | ENOTCONN
            | ENOTSOCK
            | EPROTO
            | EPROTONOSUPPORT
            | ENOTSUP
            | ENOBUFS
            | ENETDOWN
            | EADDRNOTAVAIL
            | EFSM
            | ENOCOMPATPROTO
            | ETERM
            | EMTHREAD
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // Return `raw` unchanged from `zmq_errno` and `zmq` panics at such an endpoint.
    #[test]
    fn an_error_zmq_has_no_name_for_is_not_known() {
        assert!(!is_known(libc::EROFS));
        assert!(is_known(libc::EAGAIN) && is_known(EFSM));
    }
}
