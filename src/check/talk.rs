//! What `check` says of a route's replies, conversations and filters: a sentence for each that matters.
//!
//! It only puts settings into words. What the default leaves as everybody expects, and what nobody can notice in this
//! route, gets no sentence; but a key that was set and does nothing does.

use proto::{
    codec::Codec,
    policy::{Rejoin, Replies},
};
use runtime::settings::{Destination, Origin, Route};

use super::list;

/// Keys of a route that only say how several destinations get along.
const OF_SEVERAL: [&str; 6] = ["replies", "reply_timeout", "dedup_window", "hold", "answer", "ignore"];
/// Those of them that only matter where a secondary may ask.
const OF_ASKS: [&str; 3] = ["dedup_window", "hold", "answer"];
/// And those that only matter where something is a reply.
const OF_REPLIES: [&str; 2] = ["reply_timeout", "ignore"];
/// Those that say what the codec knows already, where it is `foo`.
const NOT_OF_FOO: [&str; 4] = ["replies", "dedup_window", "hold", "answer"];

const COUNTED: &str =
    "The source's REQ lines and the primary's ACK and NAK lines are counted, and all others as invalid.";

/// What the destinations of `route` may say, and what becomes of it.
pub(super) fn sentences(route: &Route) -> Vec<String> {
    let Some((primary, secondaries)) = route.destinations.split_first() else { return vec![] };
    let pieces = format!("; each {} is passed on once it is whole, not as it comes", unit(route));
    let filtered = filters(primary, &pieces);
    let counted = (route.codec == Codec::Foo).then(|| COUNTED.to_owned());
    if secondaries.is_empty() {
        let idle = idle(route, &OF_SEVERAL, "there is only one destination");
        return counted.into_iter().chain(filtered).chain(idle).collect();
    }
    let mut said: Vec<_> = counted.into_iter().collect();
    if route.codec.only_replies() {
        said.extend(paired(route));
    } else {
        said.extend(replies(route));
        said.extend(asks(route, secondaries));
    }
    said.extend(filtered);
    let may_ask = |it: &&Destination| it.asks && !route.codec.only_replies();
    said.extend(secondaries.iter().filter(may_ask).filter_map(|it| filters(it, "")));
    said.extend(rejoining(route, secondaries));
    said
}

/// What the route's codec takes for one.
fn unit(route: &Route) -> &'static str {
    match route.codec {
        Codec::Raw => "burst",
        Codec::Lines | Codec::Foo => "line",
        Codec::Datagram => "datagram",
        Codec::Delimiter(_) | Codec::LengthPrefixed(_) => "frame",
    }
}

fn names<'a>(destinations: impl Iterator<Item = &'a Destination>) -> String {
    list(destinations.map(|it| it.name.clone()).collect(), "or")
}

/// The keys of `keys` that somebody set, although they do nothing.
pub(super) fn idle(route: &Route, keys: &[&str], why: &str) -> Option<String> {
    let is_set = |key: &&&str| route.origin(key).is_some_and(|origin| *origin != Origin::Default);
    let set: Vec<_> = keys.iter().filter(is_set).map(|key| format!("`{key}`")).collect();
    let do_nothing = if set.len() == 1 { "does nothing" } else { "do nothing" };
    (!set.is_empty()).then(|| format!("{} {do_nothing} here: {why}.", list(set, "and")))
}

/// What counts as a reply, and how replies are compared.
fn replies(route: &Route) -> Vec<String> {
    let (unit, timeout) = (unit(route), route.reply_timeout);
    let which = match route.replies {
        Replies::One => format!("the next {unit} that a destination says within {timeout:?} is its reply"),
        Replies::Many => format!("every {unit} that a destination says within {timeout:?} is a reply"),
        Replies::None => {
            let nothing = format!("No {unit} that a destination says is a reply, and nothing is compared.");
            let idle = idle(route, &OF_REPLIES, "there are no replies");
            return std::iter::once(nothing).chain(idle).collect();
        }
    };
    let how = if route.codec == Codec::Raw { ", as one stream" } else { "" };
    let compared = format!(
        "After a {unit} from the source, {which}; a secondary's replies are compared with the primary's{how}."
    );
    std::iter::once(compared).chain(ignored(route)).collect()
}

fn ignored(route: &Route) -> Option<String> {
    let ignored = || format!("Comparing leaves out whatever matches {}.", route.ignore);
    (!route.ignore.is_empty()).then(ignored)
}

/// The same where the codec knows that destinations only reply, and which reply is whose counterpart.
fn paired(route: &Route) -> Vec<String> {
    let timeout = route.reply_timeout;
    let compared = format!(
        "Whatever a destination says is a reply; a secondary's is compared with the primary's of the same Seq, and \
         missed after {timeout:?}."
    );
    let idle = idle(route, &NOT_OF_FOO, "with `foo`, destinations only reply");
    std::iter::once(compared).chain(ignored(route)).chain(idle).collect()
}

/// What happens when a secondary starts a conversation, and who cannot.
fn asks(route: &Route, secondaries: &[Destination]) -> Vec<String> {
    let (asking, silent): (Vec<_>, Vec<_>) = secondaries.iter().partition(|it| it.asks);
    let mut said = Vec::new();
    if asking.is_empty() {
        said.extend(idle(route, &OF_ASKS, "no secondary may start a conversation"));
    } else {
        said.push(passed_on(route, &names(asking.into_iter())));
        let hold = route.hold;
        said.push(format!(
            "While the primary may be about to say the same, its bytes are held back, for at most {hold:?}."
        ));
        said.push(answer(route));
    }
    if !silent.is_empty() {
        said.push(format!("Nothing that {} says reaches the source.", names(silent.into_iter())));
    }
    said
}

fn passed_on(route: &Route, asking: &str) -> String {
    let (unit, window) = (unit(route), route.dedup_window);
    format!(
        "If {asking} says a {unit} that is no reply, the source gets it, between two {unit}s of the primary's; the \
         same from another destination within {window:?} does not reach the source again."
    )
}

fn answer(route: &Route) -> String {
    let unit = unit(route);
    let which = if route.answer.is_empty() {
        format!("The next {unit} from the source")
    } else {
        format!("The next {unit} from the source that matches {}", route.answer)
    };
    format!("{which} is the answer: every destination gets it, and who says the same later is given it then.")
}

/// What of a destination reaches the source, if not everything, and what else follows from that.
fn filters(destination: &Destination, and_so: &str) -> Option<String> {
    let Destination { name, allow, deny, .. } = destination;
    let which = match (allow.is_empty(), deny.is_empty()) {
        (true, true) => return None,
        (true, false) => format!("nothing that matches {deny}"),
        (false, true) => format!("only what matches {allow}"),
        (false, false) => format!("only what matches {allow}, and nothing that matches {deny}"),
    };
    Some(format!("Of what {name} says, the source gets {which}{and_so}."))
}

/// Where secondaries go on that were away.
fn rejoining(route: &Route, secondaries: &[Destination]) -> Vec<String> {
    let unit = unit(route);
    let (plain, repeating): (Vec<_>, Vec<_>) = secondaries.iter().partition(|it| it.rejoin == Rejoin::Next);
    let repeated = repeating.iter().map(|it| {
        let first = match it.rejoin {
            Rejoin::First(frames @ 2..) => format!("first {frames} {unit}s"),
            _ => format!("first {unit}"),
        };
        let name = &it.name;
        format!(
            "After an absence, {name} gets the session's {first} again, and goes on with the next {unit}."
        )
    });
    let next = (!plain.is_empty()).then(|| {
        let names = names(plain.iter().copied());
        format!("After an absence, {names} goes on with the next {unit}, without what it missed.")
    });
    repeated.chain(next).collect()
}

#[cfg(test)]
mod tests {
    use runtime::settings::Settings;

    use super::*;

    const MIRROR: &str = "{ name = 'mirror', address = 'b:2' }";

    /// What is said of a route with these destinations and keys.
    #[track_caller]
    fn said(destinations: &str, keys: &str) -> Vec<String> {
        let text = format!("[[route]]\nlisten = ':7890'\ndestinations = ['a:1', {destinations}]\n{keys}");
        sentences(&Settings::from_toml("f", &text).unwrap().routes[0])
    }

    /// The one sentence of them that begins so.
    #[track_caller]
    fn sentence(said: &[String], begin: &str) -> String {
        let found: Vec<_> = said.iter().filter(|sentence| sentence.starts_with(begin)).collect();
        assert_eq!(found.len(), 1, "{begin:?} in {said:#?}");
        found[0].clone()
    }

    #[test]
    fn a_route_as_it_comes_is_told_in_five_sentences() {
        assert_eq!(
            said(&format!("{MIRROR}, 'c:3'"), "codec = 'lines'"),
            [
                "After a line from the source, the next line that a destination says within 5s is its reply; a \
                 secondary's replies are compared with the primary's.",
                "If mirror or secondary-2 says a line that is no reply, the source gets it, between two lines of \
                 the primary's; the same from another destination within 30s does not reach the source again.",
                "While the primary may be about to say the same, its bytes are held back, for at most 50ms.",
                "The next line from the source is the answer: every destination gets it, and who says the same \
                 later is given it then.",
                "After an absence, mirror or secondary-2 goes on with the next line, without what it missed.",
            ]
        );
    }

    #[test]
    fn one_destination_has_nobody_to_be_compared_with() {
        assert_eq!(said("", ""), [""; 0]);
        assert_eq!(said("", "hold = '1ms'"), ["`hold` does nothing here: there is only one destination."]);
        assert_eq!(
            said("", "hold = '1ms'\nreplies = 'one'\nignore = []"),
            ["`replies`, `hold` and `ignore` do nothing here: there is only one destination."]
        );
    }

    #[test]
    fn what_counts_as_a_reply_and_what_is_compared_follow_the_settings() {
        let many = said(MIRROR, "replies = 'many'\nreply_timeout = '2s'");
        assert_eq!(
            many[0],
            "After a burst from the source, every burst that a destination says within 2s is a reply; a \
             secondary's replies are compared with the primary's, as one stream."
        );

        let ignoring = said(MIRROR, "codec = 'delimiter:;'\nignore = ['id=[0-9]+', 'x']");
        assert_eq!(ignoring[1], r#"Comparing leaves out whatever matches ["id=[0-9]+", "x"]."#);

        let none = said(MIRROR, "codec = 'lines'\nreplies = 'none'\nignore = 'x'");
        assert_eq!(
            none[..2],
            [
                "No line that a destination says is a reply, and nothing is compared.",
                "`ignore` does nothing here: there are no replies.",
            ]
        );
    }

    #[test]
    fn foo_counts_messages_and_its_destinations_only_reply() {
        let alone = said("", "codec = 'foo'");
        assert_eq!(alone, [COUNTED]);

        let mirrored = said(
            "{ name = 'mirror', address = 'b:2', deny = 'x' }",
            "codec = 'foo'\nhold = '1ms'\nignore = 'y'",
        );
        assert_eq!(
            mirrored,
            [
                COUNTED,
                "Whatever a destination says is a reply; a secondary's is compared with the primary's of the same \
                 Seq, and missed after 5s.",
                r#"Comparing leaves out whatever matches ["y"]."#,
                "`hold` does nothing here: with `foo`, destinations only reply.",
                "After an absence, mirror goes on with the next line, without what it missed.",
            ]
        );
    }

    #[test]
    fn who_may_not_ask_is_named_and_nothing_is_said_of_asks_that_cannot_be() {
        let quiet = "{ name = 'quiet', address = 'c:3', asks = false, deny = 'x' }";

        let one = said(&format!("{MIRROR}, {quiet}"), "");
        assert!(sentence(&one, "If").starts_with("If mirror says a burst"), "{one:#?}");
        assert_eq!(sentence(&one, "Nothing"), "Nothing that quiet says reaches the source.");

        let all = said(quiet, "answer = '^OK'");
        assert_eq!(
            sentence(&all, "`answer`"),
            "`answer` does nothing here: no secondary may start a conversation."
        );
        assert!(
            !all.iter().any(|sentence| sentence.starts_with("If") || sentence.starts_with("Of")),
            "{all:#?}"
        );
    }

    #[test]
    fn an_answer_may_have_to_match() {
        let said = said(MIRROR, "codec = 'lines'\nanswer = '^OK'");
        assert!(
            sentence(&said, "The next")
                .starts_with(r#"The next line from the source that matches ["^OK"] is the"#),
            "{said:#?}"
        );
    }

    #[test]
    fn filters_say_whom_they_keep_from_saying_what() {
        let one = "{ name = 'one', address = 'b:2', allow = '^A' }";
        let two = "{ name = 'two', address = 'c:2', allow = '^A', deny = ['^AB', 'C'] }";
        let all = said(&format!("{one}, {two}"), "");

        assert_eq!(
            sentence(&all, "Of what one"),
            r#"Of what one says, the source gets only what matches ["^A"]."#
        );
        assert_eq!(
            sentence(&all, "Of what two"),
            r#"Of what two says, the source gets only what matches ["^A"], and nothing that matches ["^AB", "C"]."#
        );
    }

    #[test]
    fn a_primary_with_filters_is_said_to_be_passed_on_in_whole_frames() {
        let text =
            "[[route]]\nlisten = ':1'\ncodec = 'lines'\ndestinations = [{ address = 'a:1', deny = '^X' }]";
        let settings = Settings::from_toml("f", text).unwrap();

        assert_eq!(
            sentences(&settings.routes[0]),
            [
                r#"Of what primary says, the source gets nothing that matches ["^X"]; each line is passed on once it is whole, not as it comes."#
            ]
        );
    }

    #[test]
    fn who_repeats_a_login_is_told_from_who_does_not() {
        let repeating =
            "{ address = 'b:2', rejoin = 'first:1' }, { address = 'c:3', rejoin = 'first:3' }, ':4'";
        let said = said(repeating, "codec = 'lines'");

        let told: Vec<_> = said.iter().filter(|sentence| sentence.starts_with("After an")).collect();
        assert_eq!(
            told,
            [
                "After an absence, secondary-1 gets the session's first line again, and goes on with the next line.",
                "After an absence, secondary-2 gets the session's first 3 lines again, and goes on with the next line.",
                "After an absence, secondary-3 goes on with the next line, without what it missed.",
            ]
        );
    }
}
