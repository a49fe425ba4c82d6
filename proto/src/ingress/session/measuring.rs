//! What is measured of a session as it passes: messages of the Foo protocol, and how long the primary takes to reply.
//!
//! Only what passes between source and primary is looked at, so a secondary changes no number here. Nothing is held for it.

use super::{Session, Shell, Turn};
use crate::{
    codec::{
        Codec,
        foo::{Kind, Reader, Speaker},
    },
    ingress::core::RouteState,
};

/// Where the lines of both directions stand.
#[derive(Debug, Default)]
pub(super) struct Readers {
    source: Reader,
    primary: Reader,
}

impl Readers {
    fn of(&mut self, speaker: Speaker) -> &mut Reader {
        match speaker {
            Speaker::Source => &mut self.source,
            Speaker::Primary => &mut self.primary,
        }
    }
}

impl Session {
    /// Counts the messages that end in what the source said, where its frames end.
    pub(super) fn count_requests(&mut self, bytes: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let RouteState { settings, counters, .. } = &mut turn.core.routes[self.route.0 as usize];
        if settings.codec == Codec::Foo {
            let ends = turn.core.ends.iter().map(|&end| end as usize);
            self.readers.source.read_lines(bytes, ends, |line| counters.foo.count(Speaker::Source, line));
        }
    }

    /// Counts the messages that end in what the source was given of the primary's.
    pub(super) fn count_replies(&mut self, bytes: &[u8], turn: &mut Turn<'_, impl Shell>) {
        let route = turn.core.route(self.route);
        if route.settings.codec == Codec::Foo {
            self.readers.primary.read(bytes, |line| route.counters.foo.count(Speaker::Primary, line));
        }
    }

    /// A FIN ends the line in progress. Without the codec there is none.
    pub(super) fn count_last_message(&mut self, speaker: Speaker, turn: &mut Turn<'_, impl Shell>) {
        let counters = &mut turn.core.route(self.route).counters.foo;
        self.readers.of(speaker).finish(|line: Option<Kind>| counters.count(speaker, line));
    }

    /// The source speaks: from the first time after the primary last did, it waits for a reply.
    pub(super) fn note_asked(&mut self, turn: &Turn<'_, impl Shell>) {
        self.source.asked_at.get_or_insert(turn.now);
    }

    /// The primary speaks: whoever waited has its reply.
    pub(super) fn note_replied(&mut self, turn: &mut Turn<'_, impl Shell>) {
        if let Some(asked_at) = self.source.asked_at.take() {
            let elapsed = turn.now.since(asked_at);
            turn.core.route(self.route).counters.latency.observe(elapsed);
        }
    }
}
