//! What one source says and must hear: the same lines, in order, once. No socket; bytes and time go in.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::{foo, message};

/// What lines look like, going and coming back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    /// They return as they were sent.
    Letters,
    /// Requests go, answers return.
    Foo,
}

impl Language {
    fn append(self, lines: &mut Vec<u8>, connection: u32, number: u32, size: usize) {
        match self {
            Self::Letters => message::append(lines, connection, number, size),
            Self::Foo => foo::append_request(lines, connection, number, size),
        }
    }

    /// Replaces `line` by what is to return.
    fn expect(self, line: &mut Vec<u8>, connection: u32, number: u32, size: usize) {
        match self {
            Self::Letters => message::write(line, connection, number, size),
            Self::Foo => foo::write_answer(line, connection, number, size),
        }
    }
}

pub(super) struct Conversation {
    connection: u32,
    size: usize,
    language: Language,
    /// The number of the next line to send.
    next: u32,
    /// The number of the next line to return.
    awaited: u32,
    /// The awaited line, and how much of it has returned. Empty until a byte of it has.
    expected: Vec<u8>,
    matched: usize,
    sent_at: VecDeque<Instant>,
    composed: u64,
}

impl Conversation {
    pub(super) fn new(connection: u32, size: usize) -> Self {
        let (next, awaited, matched, composed) = (0, 0, 0, 0);
        Self {
            connection,
            size,
            language: Language::Letters,
            next,
            awaited,
            expected: Vec::new(),
            matched,
            sent_at: VecDeque::new(),
            composed,
        }
    }

    pub(super) fn speaking(self, language: Language) -> Self {
        Self { language, ..self }
    }

    /// Lines sent that have not wholly returned.
    pub(super) fn in_flight(&self) -> usize {
        self.sent_at.len()
    }

    /// Bytes of all lines so far.
    pub(super) fn composed(&self) -> u64 {
        self.composed
    }

    /// The size of the lines to come. Only while none is in flight: what is awaited has the size it was sent with.
    pub(super) fn set_size(&mut self, size: usize) {
        debug_assert_eq!(self.in_flight(), 0);
        self.size = size;
    }

    pub(super) fn compose(&mut self, count: u64, now: Instant, lines: &mut Vec<u8>) {
        for _ in 0..count {
            self.language.append(lines, self.connection, self.next, self.size);
            self.next = self.next.wrapping_add(1);
            self.sent_at.push_back(now);
            self.composed += self.size as u64;
        }
    }

    /// Takes bytes that returned, says the latency of each line they complete, and fails at the first wrong byte.
    pub(super) fn check(
        &mut self,
        mut bytes: &[u8],
        now: Instant,
        mut on_line: impl FnMut(Duration),
    ) -> Result<()> {
        while !bytes.is_empty() {
            let Some(sent_at) = self.sent_at.front().copied() else {
                bail!("connection {} got {} that nobody awaits", self.connection, message::describe(bytes));
            };
            if self.matched == 0 {
                self.language.expect(&mut self.expected, self.connection, self.awaited, self.size);
            }
            let (part, rest) = bytes.split_at(bytes.len().min(self.size - self.matched));
            self.match_part(part)?;
            bytes = rest;
            if self.matched == self.size {
                self.complete();
                on_line(now.saturating_duration_since(sent_at));
            }
        }
        Ok(())
    }

    fn match_part(&mut self, part: &[u8]) -> Result<()> {
        if part != &self.expected[self.matched..self.matched + part.len()] {
            let got = [&self.expected[..self.matched], part].concat();
            let Self { connection, awaited, .. } = self;
            bail!("connection {connection} awaits line {awaited} and got {}", message::describe(&got));
        }
        self.matched += part.len();
        Ok(())
    }

    fn complete(&mut self) {
        self.matched = 0;
        self.awaited = self.awaited.wrapping_add(1);
        self.sent_at.pop_front();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation with this many lines in flight, and their bytes.
    fn sent(connection: u32, lines: u64) -> (Conversation, Vec<u8>) {
        let mut conversation = Conversation::new(connection, 100);
        let mut bytes = Vec::new();
        conversation.compose(lines, Instant::now(), &mut bytes);
        (conversation, bytes)
    }

    fn check(conversation: &mut Conversation, bytes: &[u8]) -> Result<usize> {
        let mut lines = 0;
        conversation.check(bytes, Instant::now(), |_| lines += 1).map(|()| lines)
    }

    #[track_caller]
    fn assert_refused(conversation: &mut Conversation, bytes: &[u8], because: &str) {
        let problem = check(conversation, bytes).unwrap_err().to_string();
        assert!(problem.contains(because), "{problem}");
    }

    #[test]
    fn lines_that_return_in_any_pieces_are_accepted() {
        for piece in [1, 7, 99, 100, 101, 250, 300] {
            let (mut conversation, bytes) = sent(5, 3);
            let lines: usize = bytes.chunks(piece).map(|part| check(&mut conversation, part).unwrap()).sum();
            assert_eq!((lines, conversation.in_flight()), (3, 0), "pieces of {piece}");
        }
    }

    #[test]
    fn any_changed_byte_is_refused() {
        for at in 0..100 {
            let (mut conversation, mut bytes) = sent(5, 1);
            bytes[at] ^= 1;
            assert!(check(&mut conversation, &bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn a_request_returns_as_its_answer_and_not_as_itself() {
        let sent = || {
            let (mut conversation, mut bytes) =
                (Conversation::new(5, 100).speaking(Language::Foo), Vec::new());
            conversation.compose(1, Instant::now(), &mut bytes);
            (conversation, bytes)
        };
        let (mut conversation, mut bytes) = sent();
        foo::Server::default().answer(&mut bytes);
        assert_eq!(check(&mut conversation, &bytes).unwrap(), 1);
        let (mut conversation, bytes) = sent();
        assert!(check(&mut conversation, &bytes).is_err());
    }

    #[test]
    fn a_repeated_line_is_refused() {
        let (mut conversation, bytes) = sent(5, 2);
        check(&mut conversation, &bytes[..100]).unwrap();
        assert_refused(&mut conversation, &bytes[..100], "awaits line 1 and got line 0 of connection 5");
    }

    #[test]
    fn a_line_of_another_connection_is_refused() {
        let ((mut conversation, _), (_, other)) = (sent(5, 1), sent(6, 1));
        assert_refused(&mut conversation, &other, "awaits line 0 and got line 0 of connection 6");
    }

    #[test]
    fn more_than_was_sent_is_refused() {
        let (mut conversation, mut bytes) = sent(5, 1);
        bytes.push(b'x');
        assert_refused(&mut conversation, &bytes, "\"x\" that nobody awaits");
    }

    #[test]
    fn latency_is_from_sending_to_the_last_byte() {
        let mut conversation = Conversation::new(0, 100);
        let (mut bytes, mut latency, begin) = (Vec::new(), None, Instant::now());
        conversation.compose(1, begin, &mut bytes);

        conversation
            .check(&bytes[..99], begin + Duration::from_millis(1), |_| panic!("not whole yet"))
            .unwrap();
        conversation
            .check(&bytes[99..], begin + Duration::from_millis(3), |whole| latency = Some(whole))
            .unwrap();
        assert_eq!(latency, Some(Duration::from_millis(3)));
    }
}
