//! `foo`: the Foo protocol, `Type <space> Seq [<space> Data] '\n'`. Frames end as those of `lines`.
//!
//! What a line says is read here: [`Message::parse`] reads one that is whole, a [`Reader`] those of a stream, however it
//! was cut. Of a line in pieces it keeps where in the grammar it stands and at most three bytes of a character, so a line
//! without end costs nothing. Nothing is an error and nothing is changed: a line that is no message is told as such.
//!
//! The grammar, with one space or tab where it says `<space>`, is in docs/foo.md.

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// The type of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client asks.
    Req,
    /// A server agrees.
    Ack,
    /// A server does not.
    Nak,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Req, Self::Ack, Self::Nak];

    /// As it stands in a message.
    pub const fn word(self) -> &'static [u8; 3] {
        match self {
            Self::Req => b"REQ",
            Self::Ack => b"ACK",
            Self::Nak => b"NAK",
        }
    }

    fn of(word: [u8; 3]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind.word() == word)
    }

    /// The one that begins so; no two begin alike.
    fn beginning(first: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word()[0] == first)
    }
}

/// A line that follows the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: Kind,
    /// Its number as it was written: digits, and perhaps a sign before them.
    pub seq: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a whole line, with its `\n` or, where a FIN ended it, without.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (message, data) = Self::head(line)?;
        std::str::from_utf8(data).is_ok().then_some(message)
    }

    /// The type and the number, and what stands behind them.
    fn head(line: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let (word, rest) = line.split_first_chunk()?;
        let kind = Kind::of(*word)?;
        let (&blank, rest) = rest.split_first()?;
        let (seq, data) = rest.split_at(integer_len(rest)?);
        is_blank(blank).then_some((Self { kind, seq }, data))
    }

    /// The same for equal numbers, however they are written.
    fn key(&self) -> u64 {
        let (sign, digits) = split_sign(self.seq);
        let zeros = digits.iter().take_while(|&&digit| digit == b'0').count();
        let digits = &digits[zeros..];
        let is_negative = sign == Some(b'-') && !digits.is_empty();
        xxh3_64_with_seed(digits, is_negative.into())
    }
}

/// By what a reply is held against another one, or a request: equal numbers have the same key. Data is not looked at.
pub fn key(line: &[u8]) -> Option<u64> {
    Message::head(line).map(|(message, _)| message.key())
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// How many bytes are an integer, if there is one up to white space or the end.
fn integer_len(bytes: &[u8]) -> Option<usize> {
    let (sign, rest) = split_sign(bytes);
    let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
    let is_over = rest.get(digits).is_none_or(|&byte| is_blank(byte));
    (digits > 0 && is_over).then_some(usize::from(sign.is_some()) + digits)
}

fn split_sign(seq: &[u8]) -> (Option<u8>, &[u8]) {
    match seq {
        [sign @ (b'+' | b'-'), digits @ ..] => (Some(*sign), digits),
        digits => (None, digits),
    }
}

/// Reads the lines of one direction of one session.
#[derive(Clone, Debug, Default)]
pub struct Reader {
    line: Line,
}

impl Reader {
    /// Tells of each line that ends in `bytes` what it is; `None`, if it is no message.
    pub fn read(&mut self, bytes: &[u8], on_line: impl FnMut(Option<Kind>)) {
        self.read_lines(bytes, memchr::memchr_iter(b'\n', bytes).map(|at| at + 1), on_line);
    }

    /// The same where somebody has found the lines: each ends just before one of these offsets.
    pub fn read_lines(
        &mut self,
        bytes: &[u8],
        ends: impl IntoIterator<Item = usize>,
        mut on_line: impl FnMut(Option<Kind>),
    ) {
        // One look at all that was read costs less than one at each line, and nearly always is enough.
        let is_text = is_ascii(bytes);
        let mut from = 0;
        for end in ends {
            let line = &bytes[from..end - 1];
            from = end;
            on_line(match self.line {
                Line::Start => whole(line, is_text),
                _ => self.end(line),
            });
        }
        self.line = self.line.feed(&bytes[from..]);
    }

    /// The stream is over, and with it the line in progress, if there is one.
    pub fn finish(&mut self, on_line: impl FnOnce(Option<Kind>)) {
        if !matches!(self.line, Line::Start) {
            on_line(self.end(b""));
        }
    }

    fn end(&mut self, last: &[u8]) -> Option<Kind> {
        std::mem::take(&mut self.line).feed(last).kind()
    }
}

/// What a line is that came in one piece; `is_text`, if it is known to be UTF-8.
fn whole(line: &[u8], is_text: bool) -> Option<Kind> {
    let (message, data) = Message::head(line)?;
    (is_text || std::str::from_utf8(data).is_ok()).then_some(message.kind)
}

/// `bytes.is_ascii()`, without its look at each of the last 63 bytes.
fn is_ascii(bytes: &[u8]) -> bool {
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let Some(last) = bytes.last_chunk() else { return bytes.is_ascii() };
    let (words, _) = bytes.as_chunks();
    let bits = words.iter().fold(u64::from_ne_bytes(*last), |bits, word| bits | u64::from_ne_bytes(*word));
    bits & HIGH == 0
}

/// How far a line has come.
#[derive(Clone, Copy, Debug, Default)]
enum Line {
    /// Nothing of it is there.
    #[default]
    Start,
    /// So many bytes of its type.
    Type(Kind, u8),
    /// The white space behind the type.
    Blank(Kind),
    /// A sign.
    Sign(Kind),
    /// At least one digit.
    Digits(Kind),
    /// The white space behind the number, at least.
    Data(Kind, Text),
    /// It is no message, whatever follows.
    Invalid,
}

impl Line {
    fn feed(mut self, bytes: &[u8]) -> Self {
        for (at, &byte) in bytes.iter().enumerate() {
            self = match self {
                Self::Invalid => return self,
                Self::Data(kind, text) => {
                    return text.then(&bytes[at..]).map_or(Self::Invalid, |text| Self::Data(kind, text));
                }
                _ => self.then(byte),
            };
        }
        self
    }

    /// With one byte more, before its data.
    fn then(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Start, first) => Kind::beginning(first).map_or(Self::Invalid, |kind| Self::Type(kind, 1)),
            (Self::Type(kind, 3), b' ' | b'\t') => Self::Blank(kind),
            (Self::Type(kind, at @ 1..3), _) if kind.word()[usize::from(at)] == byte => {
                Self::Type(kind, at + 1)
            }
            (Self::Blank(kind), b'+' | b'-') => Self::Sign(kind),
            (Self::Blank(kind) | Self::Sign(kind) | Self::Digits(kind), b'0'..=b'9') => Self::Digits(kind),
            (Self::Digits(kind), b' ' | b'\t') => Self::Data(kind, Text::default()),
            _ => Self::Invalid,
        }
    }

    /// What it is, if it is over.
    fn kind(self) -> Option<Kind> {
        match self {
            Self::Digits(kind) => Some(kind),
            Self::Data(kind, text) if text.is_whole() => Some(kind),
            _ => None,
        }
    }
}

/// UTF-8 that comes in pieces: the beginning of a character that the last piece ended with.
#[derive(Clone, Copy, Debug, Default)]
struct Text {
    cut: [u8; 3],
    len: u8,
}

impl Text {
    /// What the end of `bytes` leaves to be seen; `None` if they are no UTF-8.
    fn of(bytes: &[u8]) -> Option<Self> {
        let Err(error) = std::str::from_utf8(bytes) else { return Some(Self::default()) };
        if error.error_len().is_some() {
            return None;
        }
        // At most three bytes: the fourth would make the character whole.
        let rest = &bytes[error.valid_up_to()..];
        let mut text = Self { len: rest.len() as u8, ..Self::default() };
        text.cut[..rest.len()].copy_from_slice(rest);
        Some(text)
    }

    fn then(mut self, bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        while !self.is_whole() {
            let Some((&byte, behind)) = rest.split_first() else { return Some(self) };
            rest = behind;
            self = self.with(byte)?;
        }
        Self::of(rest)
    }

    /// With one byte more of the character.
    fn with(self, byte: u8) -> Option<Self> {
        let [first, second, third] = self.cut;
        let mut character = [first, second, third, 0];
        character[usize::from(self.len)] = byte;
        Self::of(&character[..=usize::from(self.len)])
    }

    const fn is_whole(self) -> bool {
        self.len == 0
    }
}

/// Who says a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// A client, which sends requests.
    Source,
    /// The server, which answers.
    Primary,
}

/// Lines that passed between sources and their primary.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Requests of sources.
    pub req: u64,
    /// Answers of the primary that are `ACK`.
    pub ack: u64,
    /// Answers of the primary that are `NAK`.
    pub nak: u64,
    /// Lines of sources that are no requests.
    pub invalid_source: u64,
    /// Lines of the primary that are no answers.
    pub invalid_primary: u64,
}

impl Counters {
    /// One line more. What the other side alone may say is invalid here.
    pub fn count(&mut self, by: Speaker, line: Option<Kind>) {
        let counter = match (by, line) {
            (Speaker::Source, Some(Kind::Req)) => &mut self.req,
            (Speaker::Primary, Some(Kind::Ack)) => &mut self.ack,
            (Speaker::Primary, Some(Kind::Nak)) => &mut self.nak,
            (Speaker::Source, _) => &mut self.invalid_source,
            (Speaker::Primary, _) => &mut self.invalid_primary,
        };
        *counter += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::{super::reference::assert_foo_agrees, *};

    #[test]
    fn a_line_is_a_message_or_it_is_not() {
        for (line, kind) in [
            (&b"REQ 1\n"[..], Some(Kind::Req)),
            (b"REQ 1 Hey\n", Some(Kind::Req)),
            (b"ACK 1 Hello there\n", Some(Kind::Ack)),
            (b"NAK\t-7\ttab\tand tab\n", Some(Kind::Nak)),
            (b"REQ +007\n", Some(Kind::Req)),
            (b"REQ 123456789012345678901234567890 more than 64 bits\n", Some(Kind::Req)),
            (b"REQ 1 \n", Some(Kind::Req)),
            (b"REQ 1  two spaces: one is data's\n", Some(Kind::Req)),
            (b"REQ 1 \xc2\xa1hola! \0\n", Some(Kind::Req)),
            (b"REQ 1 its own\r\n", Some(Kind::Req)),
            (b"REQ 1", Some(Kind::Req)),
            (b"\n", None),
            (b"FOO 1\n", None),
            (b"req 1\n", None),
            (b"REQ\n", None),
            (b"REQ \n", None),
            (b"REQ1\n", None),
            (b"REQ x\n", None),
            (b"REQ 1x\n", None),
            (b"REQ 1.0\n", None),
            (b"REQ - 1\n", None),
            (b"REQ +-1\n", None),
            (b"REQ  1\n", None),
            (b" REQ 1\n", None),
            (b"REQ 1\r\n", None),
            (b"REQ\r\n", None),
            (b"REQS 1\n", None),
            (b"REQ\x001\n", None),
            (b"REQ 1\0\n", None),
            (b"REQ \xd9\xa1 an arabic one\n", None),
            (b"REQ 1 \xff\n", None),
            (b"REQ 1 \xe2\x82\n", None),
            (b"\xef\xbb\xbfREQ 1\n", None),
        ] {
            let text = line.escape_ascii().to_string();
            assert_eq!(Message::parse(line).map(|message| message.kind), kind, "{text}");
            assert_foo_agrees(line, &[]);
            assert_foo_agrees(line, &[1; 64]);
        }
    }

    /// Fails if a byte at some place is not looked at, and no UTF-8 passes for a message.
    #[test]
    fn text_is_told_from_other_bytes_wherever_those_are() {
        for len in 0..80 {
            let mut bytes = vec![0x7f; len];
            assert!(is_ascii(&bytes));
            for at in 0..len {
                bytes[at] = 0x80;
                assert!(!is_ascii(&bytes), "{at} of {len}");
                bytes[at] = 0x7f;
            }
        }
    }

    #[test]
    fn a_message_keeps_its_number_as_it_was_written() {
        assert_eq!(Message::parse(b"ACK +07 x\n"), Some(Message { kind: Kind::Ack, seq: b"+07" }));
    }

    #[test]
    fn equal_numbers_have_equal_keys_and_others_have_not() {
        let same = [&b"ACK 7 a\n"[..], b"NAK\t+7", b"REQ 007 \xff\n"];
        assert_eq!(same.map(key), [key(b"REQ 7"); 3]);
        assert_eq!(key(b"REQ 0"), key(b"REQ -000"));
        let others = [&b"REQ -7"[..], b"REQ 70", b"REQ 0", b"REQ 18446744073709551623", b"REQ x", b""];
        assert!(others.iter().all(|line| key(line) != key(b"REQ 7")));
        assert_eq!(key(b"REQ x"), None);
    }

    #[test]
    fn what_only_the_other_side_may_say_is_invalid() {
        let mut counters = Counters::default();
        for line in [Some(Kind::Req), Some(Kind::Ack), Some(Kind::Nak), None] {
            counters.count(Speaker::Source, line);
            counters.count(Speaker::Primary, line);
        }
        let expected = Counters { req: 1, ack: 1, nak: 1, invalid_source: 3, invalid_primary: 2 };
        assert_eq!(counters, expected);
    }

    #[test]
    fn a_line_without_end_is_read_on_without_being_kept() {
        let mut reader = Reader::default();
        let mut found = Vec::new();
        reader.read(b"REQ 1 ", |line| found.push(line));
        for _ in 0..1000 {
            reader.read(&[b'x'; 10_000], |line| found.push(line));
        }
        assert!(found.is_empty() && size_of::<Reader>() <= 8);
        reader.read(b"\nREQ", |line| found.push(line));
        reader.finish(|line| found.push(line));
        reader.finish(|line| found.push(line));
        assert_eq!(found, [Some(Kind::Req), None]);
    }

    /// Streams in which messages, and what is nearly one, come up often.
    fn streams() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => prop::sample::select(vec!["REQ ", "ACK ", "NAK\t", "REQ", "\n", " ", "\t", "1", "-20", "+", "\r"])
                .prop_map(|text| text.as_bytes().to_vec()),
            2 => "[a-c \u{e9}\u{20ac}\u{1f600}]{0,4}".prop_map(String::into_bytes),
            1 => vec(any::<u8>(), 0..3),
        ];
        vec(part, 0..40).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn a_stream_is_read_as_its_reference_however_cut(stream in streams(), pieces in vec(0..9_u8, 0..60)) {
            assert_foo_agrees(&stream, &pieces);
        }

        #[test]
        fn a_message_is_found_whatever_its_data(seq: i64, data in "[^\n]{0,30}", pieces in vec(0..9_u8, 0..60)) {
            let line = format!("REQ {seq} {data}\n");
            prop_assert_eq!(Message::parse(line.as_bytes()).map(|message| message.kind), Some(Kind::Req));
            assert_foo_agrees(line.as_bytes(), &pieces);
        }
    }
}
