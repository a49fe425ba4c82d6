//! Level-triggered epoll, as little of it as the bench needs. Level-triggered because one `read` a wake-up is then
//! enough: the ends must be cheap, since they share the machine with what is measured.

use std::os::fd::AsFd;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollTimeout};

pub(crate) use nix::sys::epoll::EpollFlags as Flags;

/// What a token's socket is ready for.
pub(crate) type Ready = (u64, Flags);

const EVENTS_A_TURN: usize = 256;

pub(crate) struct Poll {
    epoll: Epoll,
    events: Vec<EpollEvent>,
}

impl Poll {
    pub(crate) fn new() -> Result<Self> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).context("cannot create an epoll instance")?;
        Ok(Self { epoll, events: vec![EpollEvent::empty(); EVENTS_A_TURN] })
    }

    /// A closed socket is forgotten by the kernel; nothing undoes this but closing.
    pub(crate) fn watch(&self, socket: impl AsFd, token: u64, interest: Flags) -> Result<()> {
        self.epoll.add(socket, EpollEvent::new(interest, token)).context("cannot watch a socket")
    }

    pub(crate) fn rewatch(&self, socket: impl AsFd, token: u64, interest: Flags) -> Result<()> {
        self.epoll.modify(socket, &mut EpollEvent::new(interest, token)).context("cannot watch a socket")
    }

    /// Replaces `ready` by what is ready, after at most `timeout` (for ever if none). Rounds up to milliseconds.
    pub(crate) fn wait(&mut self, ready: &mut Vec<Ready>, timeout: Option<Duration>) -> Result<()> {
        ready.clear();
        let count = match self.epoll.wait(&mut self.events, epoll_timeout(timeout)) {
            Ok(count) => count,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(errno).context("cannot wait for sockets"),
        };
        ready.extend(self.events[..count].iter().map(|event| (event.data(), event.events())));
        Ok(())
    }
}

fn epoll_timeout(timeout: Option<Duration>) -> EpollTimeout {
    let Some(timeout) = timeout else { return EpollTimeout::NONE };
    let millis = timeout.as_micros().div_ceil(1000);
    EpollTimeout::from(u16::try_from(millis).unwrap_or(u16::MAX))
}
