//! The dialect of simple clients: one object of JSON each way.
//!
//! ```text
//! {"auth": 1, "name": N}      joins       {"auth": 0, "name": N}   leaves
//! {"name": N, "text": "…\n"}  speaks; from a room: a text of N, or what the room of this name has to tell
//! ```
//!
//! A member of ours joins with one more key, `"pegloom": 1`, and a room of ours then asks it to speak [`super::room`]. Keys
//! that are not known are no fault: others may have keys of their own.

use serde::{Deserialize, Serialize};

use crate::{BadName, BadText, Name, Text};

/// The longest frame that is looked at, in bytes: a text of the longest, with every character of it escaped.
pub const MAX_FRAME: usize = 64 * 1024;

/// What a client says to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Wants to be in the room.
    Join {
        /// Under which name.
        name: Name,
        /// Whether it could speak our own dialect.
        is_ours: bool,
    },
    /// Leaves.
    Leave {
        /// Under which name.
        name: Name,
    },
    /// A text: of a client to a room, or of a room to a client.
    Text {
        /// Whose.
        name: Name,
        /// What.
        text: Text,
    },
}

/// Why bytes are no frame.
#[derive(Debug)]
pub enum Unreadable {
    /// There are none.
    Empty,
    /// They are more than [`MAX_FRAME`].
    Long,
    /// They are no object.
    NoObject,
    /// They are no JSON, or a key has a value of another kind.
    Malformed(serde_json::Error),
    /// There is no name.
    NoName,
    /// The name is none.
    Name(BadName),
    /// There is neither `auth` nor `text`.
    NoText,
    /// The text is none.
    Text(BadText),
    /// `auth` is neither 0 nor 1.
    Auth(i64),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Object<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<i64>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    name: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow, skip_serializing_if = "Option::is_none")]
    text: Option<std::borrow::Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pegloom: Option<serde_json::Value>,
}

impl Frame {
    /// The frame in these bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        match bytes.len() {
            0 => return Err(Unreadable::Empty),
            1..=MAX_FRAME => {}
            _ => return Err(Unreadable::Long),
        }
        // Else an array would pass for its fields in their order.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(Unreadable::NoObject);
        }
        let object: Object<'_> = serde_json::from_slice(bytes).map_err(Unreadable::Malformed)?;
        let name = Name::new(&object.name.ok_or(Unreadable::NoName)?).map_err(Unreadable::Name)?;
        match (object.auth, object.text) {
            (Some(1), _) => Ok(Self::Join { name, is_ours: object.pegloom.is_some() }),
            (Some(0), _) => Ok(Self::Leave { name }),
            (Some(other), _) => Err(Unreadable::Auth(other)),
            (None, None) => Err(Unreadable::NoText),
            (None, Some(text)) => {
                let text = Text::new(&text).map_err(Unreadable::Text)?;
                Ok(Self::Text { name, text })
            }
        }
    }

    /// The frame as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Join { name, is_ours } => {
                write(&Object { auth: Some(1), pegloom: is_ours.then(|| 1.into()), ..named(name) })
            }
            Self::Leave { name } => write(&Object { auth: Some(0), ..named(name) }),
            Self::Text { name, text } => text_of(name, text.as_str()),
        }
    }
}

/// A text of somebody, which ends with a line end.
pub fn text_of(name: &Name, text: &str) -> Vec<u8> {
    write(&Object { text: Some(format!("{text}\n").into()), ..named(name) })
}

fn named(name: &Name) -> Object<'_> {
    Object { name: Some(name.as_str().into()), ..Object::default() }
}

fn write(object: &Object<'_>) -> Vec<u8> {
    // Writing to memory cannot fail, and all keys are text.
    serde_json::to_vec(object).unwrap_or_default()
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::Long => write!(f, "it has more than {MAX_FRAME} bytes"),
            Self::NoObject => f.write_str("it is no object of JSON"),
            Self::Malformed(error) => write!(f, "it is no such object of JSON: {error}"),
            Self::NoName => f.write_str("it has no name"),
            Self::Name(error) => error.fmt(f),
            Self::NoText => f.write_str("it has neither auth nor text"),
            Self::Text(error) => error.fmt(f),
            Self::Auth(value) => write!(f, "auth is 1 to join and 0 to leave, and not {value}"),
        }
    }
}

impl std::error::Error for Unreadable {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::mangled::assert_read_or_refused;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    #[test]
    fn the_bytes_are_those_of_simple_clients() {
        let join = |is_ours| Frame::Join { name: name("ann"), is_ours };
        assert_eq!(join(false).to_bytes(), br#"{"auth":1,"name":"ann"}"#);
        assert_eq!(join(true).to_bytes(), br#"{"auth":1,"name":"ann","pegloom":1}"#);
        assert_eq!(Frame::Leave { name: name("ann") }.to_bytes(), br#"{"auth":0,"name":"ann"}"#);
        let text = Frame::Text { name: name("ann"), text: Text::new("¡hola! \"ñ\"").unwrap() };
        assert_eq!(text.to_bytes(), r#"{"name":"ann","text":"¡hola! \"ñ\"\n"}"#.as_bytes());
        for frame in [join(true), text] {
            assert_eq!(Frame::read(&frame.to_bytes()).unwrap(), frame);
        }
    }

    #[test]
    fn what_is_no_frame_is_told_by_what_is_wrong() {
        let wrong = |bytes: &[u8]| Frame::read(bytes).unwrap_err().to_string();
        assert_eq!(wrong(b""), "it is empty");
        assert_eq!(wrong(br#"{"auth": 1}"#), "it has no name");
        assert_eq!(wrong(br#"{"auth": 2, "name": "a"}"#), "auth is 1 to join and 0 to leave, and not 2");
        assert_eq!(wrong(br#"{"name": "a"}"#), "it has neither auth nor text");
        assert_eq!(wrong(br#"{"name": "a", "text": "\n"}"#), "a text has at least one character");
        assert_eq!(wrong(br#"{"name": "*", "text": "x"}"#), "a name does not begin with '*'");
        assert!(wrong(br#"{"name": 7, "text": "x"}"#).starts_with("it is no such object of JSON: "));
        assert_eq!(wrong(b"[1]"), "it is no object of JSON");
        assert!(wrong(&vec![b' '; MAX_FRAME + 1]).starts_with("it has more than"));
    }

    /// Fails if anything is read that does not say the same when it is written again, or makes a reader panic.
    #[test]
    fn damaged_frames_are_read_or_refused() {
        let text = |text: &str| Frame::Text { name: name("zoë"), text: Text::new(text).unwrap() };
        let frames = [
            Frame::Join { name: name("ann"), is_ours: true },
            Frame::Join { name: name("bob"), is_ours: false },
            Frame::Leave { name: name("ann") },
            text("hello"),
            text("¡hola! \"ñ\" \\ 🦀"),
        ];
        assert_read_or_refused(frames.iter().map(Frame::to_bytes).collect(), |bytes| {
            let Ok(frame) = Frame::read(bytes) else { return false };
            assert_eq!(Frame::read(&frame.to_bytes()).unwrap(), frame);
            true
        });
    }
}
