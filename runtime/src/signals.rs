//! What the operating system tells a node: to drain, or to report.
//!
//! tokio wakes the one task that waits in [`Signals::next`]; between signals nothing runs. A signal that comes again
//! before it was taken counts once. SIGPIPE needs nothing here: Rust ignores it from the start, so a reader that has
//! gone is an error of the write, not an end of the process.

use std::io;

use tokio::signal::unix::{self, SignalKind};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: finish old work and take no new; the second time, end at once.
    Drain,
    /// SIGUSR1 or SIGUSR2: print a report.
    Report,
}

/// The signals of this process from now on.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    user1: unix::Signal,
    user2: unix::Signal,
}

impl Signals {
    /// Takes the signals over from the system, which would end the process; needs a tokio runtime.
    pub fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            user1: unix::signal(SignalKind::user_defined1())?,
            user2: unix::signal(SignalKind::user_defined2())?,
        })
    }

    /// The next signal; a drain before a report. Dropping the future loses none.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Drain,
            _ = self.interrupt.recv() => Signal::Drain,
            _ = self.user1.recv() => Signal::Report,
            _ = self.user2.recv() => Signal::Report,
        }
    }

    /// The next drain, whatever is asked for before it.
    pub async fn drain(&mut self) {
        while self.next().await != Signal::Drain {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::signal::{Signal as Sent, raise};
    use tokio::time::timeout;

    use super::*;

    async fn heard(signals: &mut Signals, sent: Sent) -> Signal {
        raise(sent).unwrap();
        timeout(Duration::from_secs(10), signals.next()).await.expect("a signal is heard")
    }

    // One test, because signals are the whole process's: another would hear these.
    #[tokio::test]
    async fn each_signal_is_heard_for_what_it_asks_and_silence_is_silent() {
        let mut signals = Signals::install().unwrap();

        for sent in [Sent::SIGTERM, Sent::SIGINT, Sent::SIGTERM] {
            assert_eq!(heard(&mut signals, sent).await, Signal::Drain, "{sent}");
        }
        for sent in [Sent::SIGUSR1, Sent::SIGUSR2, Sent::SIGUSR2] {
            assert_eq!(heard(&mut signals, sent).await, Signal::Report, "{sent}");
        }
        assert!(timeout(Duration::ZERO, signals.next()).await.is_err());

        raise(Sent::SIGUSR1).unwrap();
        raise(Sent::SIGINT).unwrap();
        timeout(Duration::from_secs(10), signals.drain()).await.expect("the drain behind a report is heard");
    }
}
