//! What a kernel had taken and the other side had not acknowledged when a connection broke.
//!
//! The kernel's queue is emptied by the reset itself, but `TCP_INFO` still says how many bytes were acknowledged
//! (`tcpi_bytes_acked`, linux/tcp.h; since Linux 4.1).

use tokio::net::TcpStream;

/// Bytes of `written` that were not acknowledged; 0 where the kernel does not tell.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "getsockopt(TCP_INFO) with the fields that libc's struct does not have yet")]
pub(super) fn unconfirmed(stream: &TcpStream, written: u64) -> u64 {
    use std::os::fd::AsRawFd;

    const BYTES_ACKED: usize = 120;
    let mut info = [0u8; 256];
    let mut len = info.len() as libc::socklen_t;
    // SAFETY: the descriptor is open as long as `stream` is borrowed; the kernel writes at most `len` bytes to `info`.
    let status = unsafe {
        libc::getsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut len,
        )
    };
    let known = status == 0 && len as usize >= BYTES_ACKED + 8;
    let Some(Ok(octets)) = known.then(|| info[BYTES_ACKED..BYTES_ACKED + 8].try_into()) else { return 0 };
    // The SYN of the side that connects is acknowledged like a byte.
    written.saturating_sub(u64::from_ne_bytes(octets).saturating_sub(1))
}

/// Other systems do not tell.
#[cfg(not(target_os = "linux"))]
pub(super) fn unconfirmed(_: &TcpStream, _: u64) -> u64 {
    0
}
