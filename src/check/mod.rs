//! `pegloom check`: what settings mean, where each came from, and what each route will do, in words.
//!
//! Nothing is started and nobody is connected to. The sentences are for whoever wants to know, before it runs, what
//! goes where and in which pieces; `talk` has those about what destinations say, `web` those of routes of `http://`, `mirror`
//! those about copies of requests.

mod mirror;
mod talk;
mod web;

use std::path::Path;

use proto::codec::{Codec, Endianness, LengthPrefix};
use runtime::{
    exit::{self, Exit, Failure},
    settings::{self, Destination, Environment, Mode, Route, RouteArgs, Settings},
};

const EXAMPLES: &str = "\
Examples:
  What a file means, where each value came from, and everything that is wrong with it:
    pegloom check --config pegloom.toml

  The same of flags, or of a file with SOURCE_PORT, MODE and DESTINATIONS:
    pegloom check --listen tcp://:7890 --forward 10.0.0.1:1234 --forward 10.0.0.2:1234
    pegloom check --env .env

Nothing is started and nobody is connected to. Problems are on stderr, and the exit code is then 64.";

/// Print what settings mean, where each came from, and every problem at once
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    routes: RouteArgs,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let settings = Settings::load(&args.routes, &Environment::of_process())?;
    let parts = std::iter::once(settings::describe(&settings));
    let parts =
        parts.chain(settings.routes.iter().map(|route| in_words(route, settings.data_dir.as_deref())));
    exit::print(&parts.collect::<Vec<_>>().join("\n"))?;
    Ok(Exit::Clean)
}

/// What the route will do, and below it what its destinations may say or its servers get, a line each.
fn in_words(route: &Route, data_dir: Option<&Path>) -> String {
    if let Some(http) = route.http.as_ref().filter(|http| http.mode == Mode::Replicate) {
        return format!("{}\n", mirror::sentence(route, http));
    }
    let (first, more) = match web::sentence(route, data_dir) {
        Some(first) => (first, web::sentences(route, data_dir)),
        None => (sentence(route), talk::sentences(route)),
    };
    let more = more.into_iter().map(|sentence| format!("  {sentence}\n"));
    std::iter::once(format!("{first}\n")).chain(more).collect()
}

/// What the route will do.
fn sentence(route: &Route) -> String {
    let Some((primary, secondaries)) = route.destinations.split_first() else { return String::new() };
    let Route { name, listen, .. } = route;
    let copies = match secondaries {
        [] => "no other destination gets a copy".to_owned(),
        _ => format!(
            "a copy goes, {}, to {}, whose replies never reach the source",
            frames(route),
            list(secondaries.iter().map(called).collect(), "and")
        ),
    };
    format!(
        "{name}: what a source sends to {listen} goes to {}, which replies to it; {copies}.",
        called(primary)
    )
}

fn called(destination: &Destination) -> String {
    format!("{} ({})", destination.name, destination.address)
}

/// `a`, `a and b`, `a, b and c`.
fn list(mut words: Vec<String>, conjunction: &str) -> String {
    match words.pop() {
        Some(last) if words.is_empty() => last,
        Some(last) => format!("{} {conjunction} {last}", words.join(", ")),
        None => String::new(),
    }
}

/// In which pieces the codec lets traffic be dropped, if it has to be.
fn frames(route: &Route) -> String {
    match &route.codec {
        Codec::Raw => format!("in whole bursts that {:?} of silence end", route.quiet_gap),
        Codec::Lines | Codec::Foo => "in whole lines".to_owned(),
        Codec::Datagram => "in whole datagrams".to_owned(),
        Codec::Delimiter(bytes) => format!("in whole frames that end with \"{}\"", bytes.escape_ascii()),
        Codec::LengthPrefixed(prefix) => format!("in whole frames whose length is {}", length(*prefix)),
    }
}

fn length(prefix: LengthPrefix) -> String {
    match (prefix.width.bytes(), prefix.endianness) {
        (1, _) => "in 1 byte".to_owned(),
        (bytes, Endianness::Big) => format!("in {bytes} bytes, big-endian"),
        (bytes, Endianness::Little) => format!("in {bytes} bytes, little-endian"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a route with these keys will do.
    #[track_caller]
    fn sentence_of(destinations: &str, keys: &str) -> String {
        let text = format!("[[route]]\nlisten = ':7890'\ndestinations = [{destinations}]\n{keys}");
        sentence(&Settings::from_toml("f", &text).unwrap().routes[0])
    }

    #[test]
    fn a_route_of_one_destination_is_said_to_copy_nothing() {
        assert_eq!(
            sentence_of("'a:1'", ""),
            "route-1: what a source sends to tcp://:7890 goes to primary (a:1), which replies to it; \
             no other destination gets a copy."
        );
    }

    #[test]
    fn the_primary_answers_and_the_others_are_listed_by_name() {
        let sentence = sentence_of("'a:1', { name = 'mirror', address = 'b:2' }, ':3'", "codec = 'lines'");

        assert_eq!(
            sentence,
            "route-1: what a source sends to tcp://:7890 goes to primary (a:1), which replies to it; a copy goes, \
             in whole lines, to mirror (b:2) and secondary-2 (localhost:3), whose replies never reach the source."
        );
    }

    #[test]
    fn a_route_of_datagrams_says_so() {
        let text = "[[route]]\nlisten = 'udp://:7890'\ndestinations = ['a:1', 'b:1']";
        let sentence = sentence(&Settings::from_toml("f", text).unwrap().routes[0]);

        assert!(sentence.contains("sends to udp://:7890 goes to primary (a:1)"), "{sentence}");
        assert!(sentence.contains(", in whole datagrams, "), "{sentence}");
    }

    #[test]
    fn every_codec_says_in_which_pieces_copies_go() {
        for (codec, words) in [
            ("'raw'", ", in whole bursts that 100ms of silence end, "),
            ("'lines'", ", in whole lines, "),
            ("'foo'", ", in whole lines, "),
            ("'delimiter:hex:0d0a'", r#", in whole frames that end with "\r\n", "#),
            ("{ kind = 'length-prefixed', width = 1 }", ", in whole frames whose length is in 1 byte, "),
            (
                "{ kind = 'length-prefixed', width = 4, endianness = 'little' }",
                ", in whole frames whose length is in 4 bytes, little-endian, ",
            ),
        ] {
            let sentence = sentence_of("'a:1', 'b:2'", &format!("codec = {codec}"));
            assert!(sentence.contains(words), "{sentence}");
        }
    }
}
