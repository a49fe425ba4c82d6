//! A host's way out: a network device whose other end is a file. What the host sends is read from it, a packet a read; what
//! is written to it, the host receives. The kernel fills in checksums and cuts to size as for a real wire.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;

/// What the device is called in its host.
pub(super) const NAME: &str = "wire0";
const LONGEST: usize = 65_535;

pub(super) struct Tun(File);

impl Tun {
    /// Makes the device in the namespace this thread is in; it goes with this end of it.
    pub(super) fn open() -> io::Result<Self> {
        let device = "/dev/net/tun";
        let options = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(device);
        let tun = options.map_err(|error| super::wrong(device, &error))?;
        attach(&tun).map_err(|error| super::wrong("a TUN device", &error))?;
        Ok(Self(tun))
    }

    /// The next packet its host sends, if there is one.
    pub(super) fn take(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; LONGEST];
        let len = (&self.0).read(&mut buffer).ok()?;
        buffer.truncate(len);
        Some(buffer)
    }

    /// A packet for its host. One that is not taken is lost, as on a wire.
    pub(super) fn give(&self, packet: &[u8]) {
        let _ = (&self.0).write(packet);
    }
}

impl AsFd for Tun {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[expect(unsafe_code, reason = "ioctl(TUNSETIFF) has no safe face")]
fn attach(tun: &File) -> io::Result<()> {
    // SAFETY: zeros are an ifreq, and one that lives through the call is all that this ioctl wants.
    let result = unsafe {
        let mut request: libc::ifreq = mem::zeroed();
        for (to, &byte) in request.ifr_name.iter_mut().zip(NAME.as_bytes()) {
            *to = libc::c_char::from_ne_bytes([byte]);
        }
        request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
        libc::ioctl(tun.as_raw_fd(), libc::TUNSETIFF, &raw const request)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
