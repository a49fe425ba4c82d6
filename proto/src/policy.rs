//! How a route understands what its destinations say (S7 to S10): settings, and nothing that decides.

use std::time::Duration;

use crate::pattern::Patterns;

/// What a destination's frames count as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Replies {
    /// A source frame is answered by one frame.
    #[default]
    One,
    /// Every frame within `reply_timeout` of a source frame answers it.
    Many,
    /// Nothing is ever a reply.
    None,
}

/// Where a secondary that comes back goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rejoin {
    /// With the next frame.
    #[default]
    Next,
    /// With the session's first so many frames again, then the next: for protocols that log in.
    First(u32),
}

/// What a route makes of what its destinations say.
#[derive(Clone, Debug)]
pub struct Talk {
    /// What their frames count as.
    pub replies: Replies,
    /// How long the same thing, said by another destination, is not said again.
    pub dedup_window: Duration,
    /// How long a reply is awaited.
    pub reply_timeout: Duration,
    /// How long the primary's bytes are held at most while they may become what another has asked already.
    pub hold: Duration,
    /// What answers an ask; if empty, the next frame does.
    pub answer: Patterns,
    /// What comparing leaves out of replies.
    pub ignore: Patterns,
}

impl Default for Talk {
    fn default() -> Self {
        Self {
            replies: Replies::default(),
            dedup_window: Duration::from_secs(30),
            reply_timeout: Duration::from_secs(5),
            hold: Duration::from_millis(50),
            answer: Patterns::default(),
            ignore: Patterns::default(),
        }
    }
}

/// One destination of a route.
#[derive(Clone, Debug)]
pub struct Destination {
    /// Its name.
    pub name: String,
    /// Fingerprint of its settings.
    pub fingerprint: u64,
    /// Whether it may start a conversation.
    pub asks: bool,
    /// What of it may reach the source; if empty, everything that is not denied.
    pub allow: Patterns,
    /// What of it may not.
    pub deny: Patterns,
    /// Where it goes on after an absence, as a secondary.
    pub rejoin: Rejoin,
}

impl Destination {
    /// A destination that may say everything.
    pub fn new(name: impl Into<String>, fingerprint: u64) -> Self {
        Self {
            name: name.into(),
            fingerprint,
            asks: true,
            allow: Patterns::default(),
            deny: Patterns::default(),
            rejoin: Rejoin::default(),
        }
    }

    /// Whether anything of it may be kept from the source.
    pub fn is_filtered(&self) -> bool {
        !self.allow.is_empty() || !self.deny.is_empty()
    }

    /// S10: whether a frame of it may reach the source.
    pub fn admits(&self, frame: &[u8]) -> bool {
        !self.deny.is_match(frame) && (self.allow.is_empty() || self.allow.is_match(frame))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deny_beats_allow_and_an_allow_list_admits_only_what_it_names() {
        let patterns = |pattern| Patterns::parse([pattern]).unwrap();
        let mut destination = Destination::new("mirror", 0);
        assert!(destination.admits(b"REBOOT") && !destination.is_filtered());
        destination.deny = patterns("^REBOOT");
        assert!(!destination.admits(b"REBOOT now") && destination.admits(b"SET 1"));
        destination.allow = patterns("^(REBOOT|GET)");
        assert!(!destination.admits(b"REBOOT now") && !destination.admits(b"SET 1"));
        assert!(destination.admits(b"GET 1") && destination.is_filtered());
    }
}
