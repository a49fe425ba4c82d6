//! As much of MQTT 3.1.1 as a speaker and members need: one topic, delivered at most once (its level 0). Packets are made and told apart here, without a
//! socket.

use anyhow::{Result, bail, ensure};

use super::streams::{Heard, Role};

const TOPIC: &[u8] = b"chat";

const CONNECT: u8 = 0x10;
const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const SUBSCRIBE: u8 = 0x82;
const SUBACK: u8 = 0x90;
const PINGREQ: u8 = 0xc0;
const PINGRESP: u8 = 0xd0;

/// Protocol name and level, a clean session, no keep-alive.
const CONNECT_HEAD: [u8; 10] = [0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0];
/// What a broker says to a subscription that it does not grant.
const NOT_GRANTED: u8 = 0x80;
/// Of a remaining length, which has seven bits a byte.
const LONGEST_LENGTH: usize = 4;

/// What a client says first; the last of it has an answer that means ready.
pub(super) fn open(role: Role) -> Vec<u8> {
    let mut bytes = Vec::new();
    let name = match role {
        Role::Speaker => "speaker".to_owned(),
        Role::Member(number) => format!("member-{number}"),
    };
    packet(CONNECT, &[&CONNECT_HEAD, &string(name.as_bytes())], &mut bytes);
    match role {
        Role::Speaker => packet(PINGREQ, &[], &mut bytes),
        Role::Member(_) => packet(SUBSCRIBE, &[&[0, 1], &string(TOPIC), &[0]], &mut bytes),
    }
    bytes
}

pub(super) fn publish(text: &[u8], bytes: &mut Vec<u8>) {
    packet(PUBLISH, &[&string(TOPIC), text], bytes);
}

/// The packet that these bytes begin with, and its length; none if it is not whole.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(usize, Heard<'_>)>> {
    let Some((&kind, rest)) = bytes.split_first() else { return Ok(None) };
    let Some((head, length)) = remaining_length(rest)? else { return Ok(None) };
    let Some(body) = rest.get(head..head + length) else { return Ok(None) };
    let heard = match kind {
        PUBLISH => Heard::Text(published(body)?),
        CONNACK => accepted(body)?,
        SUBACK => granted(body)?,
        PINGRESP => Heard::Ready,
        kind => bail!("the broker sent a packet of kind {kind:#04x}"),
    };
    Ok(Some((1 + head + length, heard)))
}

fn accepted(body: &[u8]) -> Result<Heard<'static>> {
    ensure!(body.len() == 2 && body[1] == 0, "the broker refused a connection: {body:?}");
    Ok(Heard::Nothing)
}

fn granted(body: &[u8]) -> Result<Heard<'static>> {
    ensure!(body.len() == 3 && body[2] != NOT_GRANTED, "the broker refused a subscription: {body:?}");
    Ok(Heard::Ready)
}

fn published(body: &[u8]) -> Result<&[u8]> {
    match body.strip_prefix(&string(TOPIC)[..]) {
        Some(text) => Ok(text),
        None => bail!("the broker sent something of another topic"),
    }
}

/// How many bytes say the length of what follows them, and that length; none if they are not all there.
fn remaining_length(bytes: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut length = 0;
    for (at, byte) in bytes.iter().take(LONGEST_LENGTH).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some((at + 1, length)));
        }
    }
    ensure!(bytes.len() < LONGEST_LENGTH, "the broker sent a length of too many bytes");
    Ok(None)
}

fn packet(kind: u8, parts: &[&[u8]], bytes: &mut Vec<u8>) {
    bytes.push(kind);
    let mut length: usize = parts.iter().map(|part| part.len()).sum();
    while length > 0x7f {
        bytes.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    for part in parts {
        bytes.extend_from_slice(part);
    }
}

/// With its length before it.
fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_standard() {
        assert_eq!(open(Role::Speaker), b"\x10\x13\x00\x04MQTT\x04\x02\x00\x00\x00\x07speaker\xc0\x00");
        assert!(open(Role::Member(7)).ends_with(b"member-7\x82\x09\x00\x01\x00\x04chat\x00"));

        let mut bytes = Vec::new();
        publish(b"hi", &mut bytes);
        assert_eq!(bytes, b"\x30\x08\x00\x04chathi");
    }

    #[test]
    fn a_text_is_whole_only_at_its_last_byte() {
        let (text, mut bytes) = ([b'x'; 200], Vec::new());
        publish(&text, &mut bytes);
        for end in 0..bytes.len() {
            assert_eq!(parse(&bytes[..end]).unwrap(), None, "{end} bytes");
        }
        let length = bytes.len();
        bytes.extend_from_slice(b"\xd0\x00");
        assert_eq!(parse(&bytes).unwrap(), Some((length, Heard::Text(&text))));
        assert_eq!(parse(&bytes[length..]).unwrap(), Some((2, Heard::Ready)));
    }

    #[test]
    fn a_subscription_is_ready_and_a_refusal_is_an_error() {
        assert_eq!(parse(b"\x20\x02\x00\x00").unwrap(), Some((4, Heard::Nothing)));
        assert_eq!(parse(b"\x90\x03\x00\x01\x00").unwrap(), Some((5, Heard::Ready)));
        for refused in [&b"\x20\x02\x00\x05"[..], b"\x90\x03\x00\x01\x80", b"\x20\x00", b"\xe0\x00"] {
            assert!(parse(refused).is_err(), "{refused:?}");
        }
    }

    #[test]
    fn what_is_no_packet_of_the_topic_is_refused() {
        for wrong in [&b"\x30\x07\x00\x04chaTx"[..], b"\x30\x00", b"\x30\xff\xff\xff\xff"] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
