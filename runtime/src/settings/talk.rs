//! What destinations may say, and what is made of it: replies, patterns and places to rejoin, read and held together.
//!
//! What the words do is `proto::policy`'s business. A pattern is compiled here for its problems, each by its own place;
//! what cannot go together, with each other or with the route's codec, is refused here too.

use std::{slice, time::Duration};

use proto::{
    codec::Codec,
    pattern::Patterns,
    policy::{Rejoin, Replies},
};

use super::{
    Destination, Route, codec,
    given::{Given, Origin, Raw, Table},
    key::nearest,
    layers::{Layers, Read, keep},
    problem::{Problem, Problems},
    route::Stated,
    value::{self, Show},
};

/// Keys that mean nothing for a primary.
pub(super) const FOR_SECONDARIES: [&str; 2] = ["asks", "rejoin"];

const REPLIES: [(&str, Replies); 3] =
    [("one", Replies::One), ("many", Replies::Many), ("none", Replies::None)];
const MAX_FIRST: u32 = 64;
const MAX_PATTERNS: usize = 64;
/// How no patterns are spelled where everything is text; as a pattern it would be refused.
const NO_PATTERNS: &str = "[]";

impl Show for Replies {
    fn show(&self) -> String {
        let word = REPLIES.iter().find(|(_, replies)| replies == self);
        word.map_or("", |(word, _)| word).to_owned()
    }
}

impl Show for Rejoin {
    fn show(&self) -> String {
        match self {
            Self::Next => "next".to_owned(),
            Self::First(frames) => format!("first:{frames}"),
        }
    }
}

impl Show for Patterns {
    fn show(&self) -> String {
        self.to_string()
    }
}

/// What a destination's frames count as.
pub(super) fn replies(given: &Given) -> Read<Replies> {
    let word = given.text().ok_or_else(|| given.refuse_kind("a word", "one"))?;
    let known = REPLIES.iter().find(|(known, _)| *known == word);
    let refuse = || {
        let meant = nearest(word, REPLIES.map(|(word, _)| word)).unwrap_or("one");
        given.refuse(format_args!("`{word}` is none of one, many and none"), meant)
    };
    Ok(known.map(|(_, replies)| *replies).ok_or_else(refuse)?)
}

/// Where a secondary goes on: `next`, or `first:N`.
pub(super) fn rejoin(given: &Given) -> Read<Rejoin> {
    let text = given.text().ok_or_else(|| given.refuse_kind("next or first:N", "next"))?;
    match text.strip_prefix("first:").map(str::parse) {
        None if text == "next" => Ok(Rejoin::Next),
        None => Err(given.refuse(format_args!("`{text}` is neither next nor first:N"), "next").into()),
        Some(Ok(frames @ 1..=MAX_FIRST)) => Ok(Rejoin::First(frames)),
        Some(_) => {
            let what = format_args!("`{text}` is not first:1 to first:{MAX_FIRST}");
            Err(given.refuse(what, "first:1").into())
        }
    }
}

/// A list of patterns, or one.
pub(super) fn patterns(given: &Given) -> Read<Patterns> {
    let items = match &given.raw {
        Raw::List(items) => items.as_slice(),
        Raw::Words(text) if text == NO_PATTERNS => &[],
        _ => slice::from_ref(given),
    };
    if items.len() > MAX_PATTERNS {
        let what = format!("{} patterns, where at most {MAX_PATTERNS} belong", items.len());
        return Err(given.refuse_with(what, "fewer patterns with more alternatives, as in ^(A|B)").into());
    }
    let mut problems = Vec::new();
    let texts: Vec<_> = items.iter().filter_map(|item| keep(pattern(item), &mut problems)).collect();
    // Each has been compiled before; nothing is left to go wrong with all of them.
    Problems::none_or(problems, Patterns::parse(texts).ok())
}

/// The text of one pattern that compiles. Not trimmed: a space may be meant.
fn pattern(given: &Given) -> Read<&str> {
    let (Raw::Words(text) | Raw::Text(text)) = &given.raw else {
        return Err(given.refuse_kind("a pattern", "^REBOOT").into());
    };
    if text.is_empty() {
        return Err(given.refuse("an empty pattern finds everything", "^REBOOT").into());
    }
    Patterns::parse([text.as_str()]).map(|_| text.as_str()).map_err(|bad| {
        let why = bad.0.trim_start_matches("error: ");
        let advice = r"a regular expression such as ^REBOOT; \ before a sign makes it stand for itself";
        given.refuse_with(format_args!("`{text}` is not a pattern: {why}"), advice).into()
    })
}

/// Refuses the keys of a primary's table that only a secondary can have.
pub(super) fn refuse_for_primary(table: &Table, problems: &mut Vec<Problem>) {
    let why = ["what the primary says always reaches the source", "without the primary there is no session"];
    let said = FOR_SECONDARIES.iter().zip(why).filter_map(|(key, why)| Some((table.find(key)?, why)));
    problems.extend(said.map(|(given, why)| {
        given.refuse_with(format!("not for the first destination: {why}"), "it at a secondary, or not at all")
    }));
}

/// Refuses what of a route cannot go together.
pub(super) fn check(destinations: &[Stated<Destination>], layers: &Layers<'_>, problems: &mut Vec<Problem>) {
    check_hold(layers, problems);
    let Some((Codec::Raw, _)) = layers.peek(Route::KEYS, "codec", codec::codec) else { return };
    let ignore = layers.peek(Route::KEYS, "ignore", patterns).filter(|(patterns, _)| !patterns.is_empty());
    let repeating = destinations.iter().filter(|it| it.value.rejoin != Rejoin::Next).filter_map(rejoin_of);
    let refuse = |given: &Given, why: &str| {
        given.refuse_with(
            format!("not with the codec raw, {why}"),
            "a codec that finds frame ends, such as lines",
        )
    };
    problems.extend(ignore.map(|(_, given)| refuse(&given, "whose replies are compared as one stream")));
    problems.extend(repeating.map(|given| refuse(given, "which has no frames to repeat")));
}

fn rejoin_of(stated: &Stated<Destination>) -> Option<&Given> {
    match &stated.given.raw {
        Raw::Table(table) => table.find("rejoin"),
        _ => None,
    }
}

/// What is held would be forgotten before it is let go.
fn check_hold(layers: &Layers<'_>, problems: &mut Vec<Problem>) {
    let peek = |key| -> Option<(Duration, Given)> { layers.peek(Route::KEYS, key, value::duration) };
    let (Some((hold, hold_given)), Some((window, window_given))) = (peek("hold"), peek("dedup_window"))
    else {
        return;
    };
    if hold >= window {
        let given = if hold_given.origin == Origin::Default { window_given } else { hold_given };
        let what = format!("what is held for {hold:?} has to be remembered longer than {window:?}");
        problems.push(given.refuse_with(what, "hold below dedup_window"));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::{Settings, tests::refusals},
        *,
    };

    fn words(text: &str) -> Given {
        Given::new(Raw::Words(text.to_owned()), "key", Origin::Flag("--key"))
    }

    fn file(destinations: &str, keys: &str) -> String {
        format!("[[route]]\nlisten = ':1'\ndestinations = [{destinations}]\n{keys}")
    }

    #[track_caller]
    fn route(destinations: &str, keys: &str) -> Route {
        Settings::from_toml("f", &file(destinations, keys)).unwrap().routes.remove(0)
    }

    const ADVICE: &str = r"a regular expression such as ^REBOOT; \ before a sign makes it stand for itself";

    #[test]
    fn what_destinations_may_say_is_read_from_their_tables_and_the_route() {
        let mirror = "{ address = 'b:1', asks = false, allow = '^GET', deny = ['^REBOOT', '\\xFF$'], rejoin = 'first:2' }";
        let keys = "codec = 'lines'\nreplies = 'many'\nhold = '20ms'\nanswer = '^OK'\nignore = ['[0-9]+ ']";
        let route = route(&format!("'a:1', {mirror}"), keys);
        let mirror = &route.destinations[1];

        assert_eq!((route.replies, route.hold), (Replies::Many, Duration::from_millis(20)));
        assert_eq!((route.dedup_window.as_secs(), route.reply_timeout.as_secs()), (30, 5));
        assert!(route.answer.is_match(b"OK 1") && route.ignore.is_match(b"at 17 "));
        assert_eq!((mirror.asks, mirror.rejoin), (false, Rejoin::First(2)));
        assert!(mirror.allow.is_match(b"GET") && mirror.deny.is_match(b"x\xFF"));
        assert_eq!(mirror.deny.show(), r#"["^REBOOT", "\\xFF$"]"#);
    }

    #[test]
    fn nobody_is_kept_from_anything_unless_it_is_said() {
        let route = route("'a:1', 'b:1'", "");
        let secondary = &route.destinations[1];

        assert_eq!((route.replies, secondary.asks, secondary.rejoin), (Replies::One, true, Rejoin::Next));
        let none = [&route.answer, &route.ignore, &secondary.allow, &secondary.deny];
        assert!(none.iter().all(|patterns| patterns.is_empty()));
    }

    #[test]
    fn a_variable_holds_one_pattern_as_it_is() {
        assert_eq!(patterns(&words(" OK, ")).unwrap().show(), "[\" OK, \"]");
    }

    #[test]
    fn every_bad_pattern_is_refused_by_its_place_with_the_reason_of_the_engine() {
        let deny = "'a:1', { address = 'b:1', deny = ['ok', '(',\n '', 1] }";
        let many = vec!["'a'"; 65].join(", ");
        let keys = format!("answer = '[z-a]'\nallow = 'x'\nignore = [{many}]");

        assert_eq!(
            refusals(&file(deny, &keys)),
            [
                format!("f:3: deny[2]: `(` is not a pattern: unclosed group / {ADVICE}"),
                "f:4: deny[3]: an empty pattern finds everything / ^REBOOT".to_owned(),
                "f:4: deny[4]: a number where a pattern belongs / ^REBOOT".to_owned(),
                format!(
                    "f:5: answer: `[z-a]` is not a pattern: invalid character class range, the start must be <= \
                     the end / {ADVICE}"
                ),
                "f:6: allow: this key is not known / `allow` in a destination's table".to_owned(),
                "f:7: ignore: 65 patterns, where at most 64 belong / fewer patterns with more alternatives, as in \
                 ^(A|B)"
                    .to_owned(),
            ]
        );
    }

    #[test]
    fn words_that_are_not_known_are_refused_with_those_that_are() {
        let mirror = "'a:1', { address = 'b:1', asks = 'no', rejoin = 'last' }, { address = 'c:1', rejoin = 'first:65' }";
        let keys = "replies = 'nome'\nreply_timeout = '0s'\nhold = '50'";

        assert_eq!(
            refusals(&file(mirror, keys)),
            [
                "f:3: asks: a text where true or false belongs / asks = true",
                "f:3: rejoin: `last` is neither next nor first:N / rejoin = \"next\"",
                "f:3: rejoin: `first:65` is not first:1 to first:64 / rejoin = \"first:1\"",
                "f:4: replies: `nome` is none of one, many and none / replies = \"none\"",
                "f:5: reply_timeout: `0s` is no time at all / reply_timeout = \"10s\"",
                "f:6: hold: 50 has no unit / hold = \"50s\"",
            ]
        );
    }

    #[test]
    fn a_primary_neither_asks_nor_rejoins_as_a_secondary_does() {
        let destinations = "{ address = 'a:1', asks = true, rejoin = 'next', deny = ['x'] }, 'b:1'";
        let advice = "it at a secondary, or not at all";

        assert_eq!(
            refusals(&file(destinations, "")),
            [
                format!(
                    "f:3: asks: not for the first destination: what the primary says always reaches the source / {advice}"
                ),
                format!(
                    "f:3: rejoin: not for the first destination: without the primary there is no session / {advice}"
                ),
            ]
        );
    }

    #[test]
    fn raw_has_no_frames_to_blank_or_to_repeat() {
        let destinations = "'a:1', { address = 'b:1', rejoin = 'first:1' }";
        let advice = "a codec that finds frame ends, such as lines";

        assert_eq!(
            refusals(&file(destinations, "ignore = ['x']")),
            [
                format!("f:3: rejoin: not with the codec raw, which has no frames to repeat / {advice}"),
                format!(
                    "f:4: ignore: not with the codec raw, whose replies are compared as one stream / {advice}"
                ),
            ]
        );
        assert!(Settings::from_toml("f", &file("'a:1'", "ignore = []")).is_ok());
    }

    #[test]
    fn what_is_held_must_be_remembered_for_longer() {
        let tail = "hold below dedup_window";
        for (keys, refused) in [
            ("hold = '30s'", "f:4: hold: what is held for 30s has to be remembered longer than 30s"),
            (
                "dedup_window = '10ms'",
                "f:4: dedup_window: what is held for 50ms has to be remembered longer than 10ms",
            ),
        ] {
            assert_eq!(refusals(&file("'a:1'", keys)), [format!("{refused} / {tail}")]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,20}") {
            let given = words(&text);
            let _ = (replies(&given), rejoin(&given), patterns(&given));
        }
    }
}
