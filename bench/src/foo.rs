//! Foo's part in a load: lines that are requests, what a server makes of them, and what a report must say of it. No socket;
//! bytes go in.
//!
//! ```text
//! | REQ, or ACK when it returns | blank | the number: 10 digits | blank | a line of letters ... | \n |
//! ```

use std::io::Write as _;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::message;

/// The shortest line.
pub(crate) const SHORTEST: usize = HEAD + message::SHORTEST;
const HEAD: usize = 15;

const REQUEST: [u8; 3] = *b"REQ";
const ANSWER: [u8; 3] = *b"ACK";

pub(crate) fn append_request(lines: &mut Vec<u8>, connection: u32, number: u32, size: usize) {
    append(lines, REQUEST, connection, number, size);
}

/// Replaces `line` by what is to return for the request with this number.
pub(crate) fn write_answer(line: &mut Vec<u8>, connection: u32, number: u32, size: usize) {
    line.clear();
    append(line, ANSWER, connection, number, size);
}

fn append(lines: &mut Vec<u8>, kind: [u8; 3], connection: u32, number: u32, size: usize) {
    lines.extend_from_slice(&kind);
    write!(lines, " {number:010} ").expect("a vector takes bytes");
    message::append(lines, connection, number, size - HEAD);
}

/// What a server has to remember of a connection.
#[derive(Default)]
pub(crate) struct Server {
    /// Bytes of the line in progress, as far as it matters.
    column: usize,
}

impl Server {
    /// Makes answers of requests, where they are.
    pub(crate) fn answer(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            if self.column < ANSWER.len() {
                *byte = ANSWER[self.column];
            }
            self.column = if *byte == b'\n' { 0 } else { self.column + 1 };
        }
    }
}

/// Fails unless the report has as many answers as requests, at least so many, and nothing else.
pub(crate) fn all_was_counted(report: &Value, at_least: f64) -> Result<()> {
    let count = |kind: &str| {
        let count = report.pointer(&format!("/routes/0/foo/{kind}")).and_then(Value::as_u64);
        count.with_context(|| format!("this pegloom does not count `{kind}` messages"))
    };
    let (req, ack) = (count("req")?, count("ack")?);
    let others = count("nak")? + count("invalid_source")? + count("invalid_primary")?;
    ensure!(
        req == ack && req as f64 >= at_least && others == 0,
        "{at_least} round trips were seen, and the report says {req} REQ, {ack} ACK and {others} others"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(number: u32, size: usize) -> Vec<u8> {
        let mut line = Vec::new();
        append_request(&mut line, 3, number, size);
        line
    }

    #[test]
    fn a_request_has_its_size_and_one_end_and_says_its_number() {
        for size in SHORTEST..200 {
            let line = request(42, size);
            assert!(line.starts_with(b"REQ 0000000042 "));
            assert_eq!((line.len(), line.iter().position(|byte| *byte == b'\n')), (size, Some(size - 1)));
        }
    }

    #[test]
    fn a_server_answers_each_request_in_whatever_pieces_it_comes() {
        let requests = [request(1, 50), request(2, 50)].concat();
        let mut answer = Vec::new();
        write_answer(&mut answer, 3, 1, 50);
        append(&mut answer, ANSWER, 3, 2, 50);
        for piece in [1, 2, 49, 50, 51, 100] {
            let (mut bytes, mut server) = (requests.clone(), Server::default());
            bytes.chunks_mut(piece).for_each(|part| server.answer(part));
            assert_eq!(bytes, answer, "pieces of {piece}");
        }
    }

    #[test]
    fn a_report_that_misses_one_or_counts_something_else_is_refused() {
        let report = |req: u32, ack: u32, invalid: u32| {
            let foo =
                json!({"req": req, "ack": ack, "nak": 0, "invalid_source": invalid, "invalid_primary": 0});
            json!({"routes": [{"foo": foo}]})
        };
        all_was_counted(&report(12, 12, 0), 10.0).unwrap();
        for bad in [report(12, 11, 0), report(9, 9, 0), report(12, 12, 1), json!({"routes": [{}]})] {
            assert!(all_was_counted(&bad, 10.0).is_err(), "{bad}");
        }
    }
}
