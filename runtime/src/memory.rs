//! How the C library gives memory back to the kernel: less eagerly than by default.
//!
//! Read buffers and batches live for one turn of the loop. By default what is freed at the top of a thread's heap goes back to
//! the kernel at once, and every batch pays for fresh pages again: in bulk traffic that was as dear as the traffic itself.

/// Freed memory at the top of a heap that is kept for the next batches, in bytes.
#[cfg(target_env = "gnu")]
const KEPT: i32 = 64 << 20;
/// From this size on a buffer is mapped by itself, and given back when it is freed, in bytes.
#[cfg(target_env = "gnu")]
const MAPPED: i32 = 32 << 20;

/// Keeps what is freed for what comes next. Of no effect with another C library than glibc.
pub(crate) fn keep_what_is_freed() {
    #[cfg(target_env = "gnu")]
    #[expect(unsafe_code, reason = "mallopt is a C function")]
    // SAFETY: it sets two numbers under the allocator's own lock.
    unsafe {
        // What a refusal would cost is speed, and nobody could mend it.
        let _ = libc::mallopt(libc::M_TRIM_THRESHOLD, KEPT);
        let _ = libc::mallopt(libc::M_MMAP_THRESHOLD, MAPPED);
    }
}
