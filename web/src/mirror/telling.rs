//! A divergence, as a line and as an event: what was asked, the beginnings of both replies, and where they differ first.
//!
//! One a second of each secondary and finding is told, with the number of those that were left out.

use std::{fmt::Write as _, slice::EscapeAscii};

use http::HeaderName;
use runtime::event::{Diverged, Event, Sample};
use tracing::warn;

use super::{
    compare::{Difference, Gathered},
    copying::Original,
    plan::Plan,
    secondary::Finding,
};
use crate::front::{Front, Servers};

/// Bytes of what was said that a line shows.
const SHOWN: usize = 128;

/// What was found of one copy.
pub(super) struct Divergence<'a> {
    pub(super) finding: Finding,
    /// Of the request.
    pub(super) body: &'a [u8],
    pub(super) primary: &'a Gathered,
    /// The secondary's; none where it is missing.
    pub(super) reply: Option<&'a Gathered>,
    pub(super) difference: Option<Difference>,
}

/// Tells of it, unless another of its kind was told just now.
pub(super) fn tell<S: Servers>(
    front: &Front<S>,
    plan: &Plan,
    original: &Original,
    secondary: usize,
    divergence: &Divergence<'_>,
) {
    let told = &front.secondaries[secondary].told[divergence.finding as usize];
    let Some(left_out) = told.borrow_mut().admit(front.site.now()) else { return };
    let request = Sample::of(&request(original, divergence.body));
    let primary = Sample::of(&reply(divergence.primary, plan.headers()));
    let secondary_said =
        divergence.reply.map(|it| Sample::of(&reply(it, plan.headers()))).unwrap_or_default();
    let diverged = Diverged {
        session: original.client.to_string(),
        route: front.site.name.clone(),
        destination: plan.secondaries[secondary].server.name.to_string(),
        finding: divergence.finding.name().to_owned(),
        offset: offset(divergence.difference.as_ref(), &primary.0, &secondary_said.0),
        path: divergence.difference.as_ref().map(ToString::to_string),
        request,
        primary,
        secondary: secondary_said,
        left_out,
    };
    log(&diverged);
    front.events.tell(|| Event::Diverged(diverged));
}

fn log(diverged: &Diverged) {
    let Diverged { session, route, destination, finding, offset, path, left_out, .. } = diverged;
    warn!(
        session,
        route,
        destination,
        finding,
        request = %shown(&diverged.request),
        primary = %shown(&diverged.primary),
        secondary = %shown(&diverged.secondary),
        offset,
        path,
        left_out,
        "replies diverge"
    );
}

fn shown(sample: &Sample) -> EscapeAscii<'_> {
    sample.0[..sample.0.len().min(SHOWN)].escape_ascii()
}

/// The request's line and the beginning of its body.
fn request(original: &Original, body: &[u8]) -> Vec<u8> {
    let line = format!("{} {} HTTP/1.1\r\n\r\n", original.method, original.target);
    [line.as_bytes(), beginning(body)].concat()
}

/// The reply's status, the headers that count, and the beginning of its body.
fn reply(reply: &Gathered, headers: &[HeaderName]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {}\r\n", reply.status);
    for name in headers {
        for value in reply.headers.get_all(name) {
            // A string takes all text.
            let _ = write!(text, "{name}: {}\r\n", value.as_bytes().escape_ascii());
        }
    }
    text.push_str("\r\n");
    [text.as_bytes(), beginning(reply.body.bytes())].concat()
}

/// As much as a sample has room for at most.
fn beginning(body: &[u8]) -> &[u8] {
    &body[..body.len().min(Sample::MOST)]
}

/// The first byte in which what is shown differs. What differs in JSON has a path, and the first byte may be white space.
fn offset(difference: Option<&Difference>, primary: &[u8], secondary: &[u8]) -> Option<u64> {
    if matches!(difference, None | Some(Difference::Json(_))) || primary == secondary {
        return None;
    }
    Some(primary.iter().zip(secondary).take_while(|(one, other)| one == other).count() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_differs_is_told_where_it_is_shown() {
        let rows = [
            (Difference::Body, "abc", "abd", Some(2)),
            (Difference::Body, "abc", "ab", Some(2)),
            (Difference::Status, "HTTP/1.1 200 OK", "HTTP/1.1 404 Not Found", Some(9)),
            (Difference::Body, "the same as far as it is shown", "the same as far as it is shown", None),
            (Difference::Json("/a".to_owned()), "{\"a\":1}", "{\"a\":2}", None),
        ];
        for (difference, one, other, expected) in rows {
            let found = offset(Some(&difference), one.as_bytes(), other.as_bytes());
            assert_eq!(found, expected, "{one} {other}");
        }
        assert_eq!(offset(None, b"said", b""), None);
    }
}
