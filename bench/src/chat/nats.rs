//! As much of the protocol of core NATS as a speaker and members need: one subject. Lines are made and told apart here,
//! without a socket.

use anyhow::{Context, Result, bail, ensure};

use super::streams::{Heard, Role};

const CONNECT: &[u8] = b"CONNECT {\"verbose\":false,\"pedantic\":false,\"echo\":false}\r\n";
const SUBSCRIBE: &[u8] = b"SUB chat 1\r\n";
const PING: &[u8] = b"PING\r\n";
const END: &[u8] = b"\r\n";
/// Longer than any line of the server's but its first, which tells much of it.
const LONGEST_LINE: usize = 64 * 1024;

/// What a client says first; the last of it has an answer that means ready.
pub(super) fn open(role: Role) -> Vec<u8> {
    match role {
        Role::Speaker => [CONNECT, PING].concat(),
        Role::Member(_) => [CONNECT, SUBSCRIBE, PING].concat(),
    }
}

pub(super) fn publish(text: &[u8], bytes: &mut Vec<u8>) {
    bytes.extend_from_slice(format!("PUB chat {}\r\n", text.len()).as_bytes());
    bytes.extend_from_slice(text);
    bytes.extend_from_slice(END);
}

/// What these bytes begin with, and its length; none if it is not whole.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, Heard<'_>)>> {
    let Some(end) = bytes.windows(END.len()).position(|two| two == END) else {
        ensure!(bytes.len() < LONGEST_LINE, "the server sent a line without an end");
        return Ok(None);
    };
    let (line, rest) = (&bytes[..end], &bytes[end + END.len()..]);
    let length = end + END.len();
    let heard = match line.split(|byte| *byte == b' ').next() {
        Some(b"MSG") => return message(line, rest).map(|text| text.map(|text| whole(length, text))),
        Some(b"PONG") => Heard::Ready,
        Some(b"PING") => Heard::Asked(b"PONG\r\n"),
        Some(b"INFO" | b"+OK") => Heard::Nothing,
        _ => bail!("the server sent {:?}", String::from_utf8_lossy(line)),
    };
    Ok(Some((length, heard)))
}

fn whole(line: usize, text: &[u8]) -> (usize, Heard<'_>) {
    (line + text.len() + END.len(), Heard::Text(text))
}

/// `MSG subject subscription length`, and the text in what follows; none if that is not whole.
fn message<'a>(line: &[u8], rest: &'a [u8]) -> Result<Option<&'a [u8]>> {
    let length = std::str::from_utf8(line).ok().and_then(|line| line.rsplit(' ').next()?.parse().ok());
    let length: usize = length.context("the server sent a message without a length")?;
    let Some(text) = rest.get(..length.saturating_add(END.len())) else { return Ok(None) };
    let text = text.strip_suffix(END).context("the server sent a message without an end")?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speaker_asks_for_nothing_and_a_member_for_the_subject() {
        assert!(open(Role::Speaker).ends_with(b"}\r\nPING\r\n"));
        assert!(open(Role::Member(3)).ends_with(b"}\r\nSUB chat 1\r\nPING\r\n"));

        let mut bytes = Vec::new();
        publish(b"hi", &mut bytes);
        assert_eq!(bytes, b"PUB chat 2\r\nhi\r\n");
    }

    #[test]
    fn a_text_is_whole_only_at_its_last_byte() {
        let bytes = b"MSG chat 1 4\r\na\r\nb\r\nPING\r\n";
        let length = bytes.len() - b"PING\r\n".len();
        for end in 0..length {
            assert_eq!(parse(&bytes[..end]).unwrap(), None, "{end} bytes");
        }
        assert_eq!(parse(bytes).unwrap(), Some((length, Heard::Text(b"a\r\nb"))));
        assert_eq!(parse(&bytes[length..]).unwrap(), Some((6, Heard::Asked(b"PONG\r\n"))));
    }

    #[test]
    fn an_error_of_the_server_is_one_here() {
        assert_eq!(parse(b"INFO {}\r\n").unwrap(), Some((9, Heard::Nothing)));
        assert_eq!(parse(b"PONG\r\n").unwrap(), Some((6, Heard::Ready)));
        for wrong in [
            &b"-ERR 'Slow Consumer'\r\n"[..],
            b"MSG chat 1 x\r\n",
            b"MSG chat 1 99999999999999999999\r\n",
            b"MSG chat 1 2\r\nhi..",
            b"\r\n",
        ] {
            assert!(parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}
