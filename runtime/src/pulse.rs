//! The beat of a node: flushes when the loop has nothing else ready, and wakes for deadlines.
//!
//! Whoever handles an input calls [`Pulse::wake`]; the beat is queued behind everything that is ready already, so what one
//! turn of the loop brought leaves as one batch. Nothing waits for more to come.

use std::cell::Cell;

use proto::time::Instant;
use tokio::{pin, select, sync::Notify, time::sleep_until};

use crate::clock::Clock;

/// What calls for a beat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// Something was handled: flush.
    Flush,
    /// A deadline has come.
    Time,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Pulse {
    notify: Notify,
    is_due: Cell<bool>,
}

impl Pulse {
    /// Something was handled.
    pub fn wake(&self) {
        if !self.is_due.replace(true) {
            self.notify.notify_one();
        }
    }

    /// Beats for ever. `beat` returns the next deadline.
    pub async fn drive(&self, clock: Clock, mut beat: impl FnMut(Beat) -> Option<Instant>) {
        let timer = sleep_until(clock.deadline(Instant::NEVER));
        pin!(timer);
        let mut armed = Instant::NEVER;
        loop {
            let cause = select! {
                biased;
                () = self.notify.notified() => Beat::Flush,
                () = &mut timer, if armed != Instant::NEVER => Beat::Time,
            };
            match cause {
                Beat::Flush => self.is_due.set(false),
                Beat::Time => armed = Instant::NEVER,
            }
            let deadline = beat(cause).unwrap_or(Instant::NEVER);
            // A timer that is armed too early fires for nothing once; arming anew for every beat would cost more.
            if deadline < armed {
                timer.as_mut().reset(clock.deadline(deadline));
                armed = deadline;
            }
        }
    }
}
