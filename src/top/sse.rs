//! Server-sent events as bytes arrive, cut anywhere.
//!
//! Of the format ([HTML, 9.2](https://html.spec.whatwg.org/multipage/server-sent-events.html)) it knows `event` and `data`, and
//! that other fields and comments say nothing. Lines end with `\n` or `\r\n`; a lone `\r`, which nobody sends, ends none.

use std::mem;

/// Bytes of one event, and of one line. The statistics of a thousand destinations are a tenth of that.
const MAX_EVENT: usize = 16 << 20;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: String,
}

/// More than [`MAX_EVENT`] without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// What has arrived of the next event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Events {
    line: Vec<u8>,
    event: Event,
}

impl Events {
    /// Takes bytes, and says which events they end.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        let mut events = Vec::new();
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.len() + self.event.data.len() > MAX_EVENT {
                return Err(TooLong);
            }
            if part.ends_with(b"\n") {
                events.extend(self.end_line());
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Option<Event> {
        let line = mem::take(&mut self.line);
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end_matches(['\n', '\r']);
        if line.is_empty() {
            let event = mem::take(&mut self.event);
            return (!event.data.is_empty()).then_some(event);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        self.take_field(field, value.strip_prefix(' ').unwrap_or(value));
        None
    }

    fn take_field(&mut self, field: &str, value: &str) {
        match field {
            "event" => value.clone_into(&mut self.event.kind),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &[u8] =
        b": hello\nevent: stats\ndata: {\"a\": 1}\n\nid: 7\r\ndata:x\r\ndata: y\r\n\r\n\nevent: none\n\ndata: half";

    fn expected() -> Vec<Event> {
        let event = |kind: &str, data: &str| Event { kind: kind.to_owned(), data: data.to_owned() };
        vec![event("stats", "{\"a\": 1}"), event("", "x\ny")]
    }

    /// Fails if an event is lost or torn because its bytes came in pieces.
    #[test]
    fn events_are_the_same_however_their_bytes_were_cut() {
        for length in 1..=SAID.len() {
            let mut events = Events::default();
            let heard: Vec<_> = SAID.chunks(length).flat_map(|part| events.take(part).unwrap()).collect();
            assert_eq!(heard, expected(), "in pieces of {length}");
        }
    }

    #[test]
    fn what_never_ends_is_given_up() {
        let mut events = Events::default();
        let endless = vec![b'x'; MAX_EVENT];
        assert_eq!(events.take(&endless), Ok(Vec::new()));
        assert_eq!(events.take(b"xx"), Err(TooLong));
    }
}
