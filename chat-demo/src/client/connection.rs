//! The connection to a room: whether it is there, what it takes, and whether what it took has arrived.
//!
//! It has a queue with a bound, so that who says more than a room hears is told to wait. Most frames may be lost on their way,
//! since they are said again. Texts that are not ([`Connection::pass`]) are watched until the other end's host has them: a
//! process that ended before that would lose them without knowing.

use std::time::Duration;

use proto::time::Instant;
use runtime::{
    exit::Failure,
    zeromq::{Batch, Context, Guest, Malformed, PeerId},
};

use super::member::{Input, MAX_KEPT};

/// A room that says nothing of itself may read nothing for so long; what is on its way to it is lost with the connection.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often it is looked whether all has arrived. It has if it looks so twice.
const LOOK: Duration = Duration::from_millis(50);

pub(super) struct Connection {
    guest: Guest,
    /// Ends after the guest, and waits for its last words.
    _context: Context,
    is_connected: bool,
    /// Whether it has refused a text, and takes no more yet.
    is_full: bool,
    /// Whether this connection was made to wait for a room that does not read.
    is_patient: bool,
    /// When it is looked next, if something may not have arrived.
    look: Option<Look>,
}

#[derive(Clone, Copy)]
struct Look {
    at: Instant,
    /// Whether all had arrived at the look before.
    is_second: bool,
}

impl Connection {
    pub(super) fn open(endpoint: &str) -> Result<Self, Failure> {
        let context = Context::new();
        let id = PeerId::ours(fastrand::u64(..));
        let guest = Guest::connect(&context, endpoint, id.as_bytes(), MAX_KEPT as u16).map_err(|error| {
            let advice = "--ip with the name or address of the room's host";
            Failure::cannot(format!("chat at {endpoint}"), error, advice).as_usage()
        })?;
        Ok(Self {
            guest,
            _context: context,
            is_connected: false,
            is_full: false,
            is_patient: false,
            look: None,
        })
    }

    /// Sends a frame that may be lost.
    pub(super) fn send(&self, frame: Vec<u8>) {
        // What is lost on its way is said again.
        let _ = self.guest.try_send(frame);
    }

    /// Sends texts until one is refused; says how many were taken.
    pub(super) fn pass(&mut self, texts: Vec<Vec<u8>>, now: Instant) -> usize {
        if !std::mem::replace(&mut self.is_patient, true) {
            self.guest.be_patient(PATIENCE);
        }
        let all = texts.len();
        let sent = texts.into_iter().map(|text| self.guest.try_send(text));
        let taken = sent.take_while(Result::is_ok).count();
        self.is_full = taken < all;
        if taken > 0 {
            self.look = Some(Look { at: now + LOOK, is_second: false });
        }
        taken
    }

    pub(super) fn try_receive(&self) -> Option<Result<Batch, Malformed>> {
        self.guest.try_receive()
    }

    /// What has become of it. To be asked when there was nothing to receive.
    pub(super) fn news(&mut self) -> Option<Input<'static>> {
        let is_connected = self.guest.is_connected();
        if is_connected != self.is_connected {
            (self.is_connected, self.is_full) = (is_connected, false);
            (self.is_patient, self.look) = (false, None);
            return Some(if is_connected { Input::Connected } else { Input::Disconnected });
        }
        let has_room = self.is_full && self.guest.has_room();
        self.is_full &= !has_room;
        has_room.then_some(Input::HasRoom)
    }

    /// When [`Self::look`] is due.
    pub(super) fn next_look(&self) -> Instant {
        self.look.map_or(Instant::NEVER, |look| look.at)
    }

    /// Whether what was passed has arrived by now.
    pub(super) fn look(&mut self, now: Instant) -> Option<Input<'static>> {
        let is_delivered = self.guest.is_delivered();
        let is_over = is_delivered && self.look.is_none_or(|look| look.is_second);
        self.look = (!is_over).then_some(Look { at: now + LOOK, is_second: is_delivered });
        is_over.then_some(Input::Delivered)
    }

    /// Returns when there may be something to receive, or news. May be dropped at any point.
    pub(super) async fn readable(&self) {
        self.guest.readable().await;
    }

    /// Closes it; what it has taken may still be sent, for a moment.
    pub(super) fn close(self) {
        self.guest.close();
    }
}
