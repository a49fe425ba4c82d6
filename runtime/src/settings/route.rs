//! Routes and their destinations, from raw tables.
//!
//! Each route is first drafted (name, listener and destinations as far as they can be read), so that drafts can be
//! compared with each other even where some of them have problems, and then assembled with its other keys.

use proto::codec::Codec;

use super::{
    ByteCount, Destination, Http, Route, address,
    address::Listen,
    conflict,
    destination::{Share, destination, list, name},
    given::{Given, Origin, Raw, Table},
    http,
    key::{Key, nearest},
    layers::{Layers, Row, keep},
    mirror,
    problem::Problem,
    talk,
    transport::{self, Transport},
    value::{self, Show as _},
};

const MAX_ROUTES: usize = 256;

/// A value that could be read, with what was said.
pub(super) struct Stated<T> {
    pub(super) value: T,
    pub(super) given: Given,
}

/// What could be read of what makes routes differ.
pub(super) struct Draft {
    pub(super) name: Option<Stated<String>>,
    pub(super) listen: Option<Stated<Listen>>,
    pub(super) destinations: Vec<Stated<Destination>>,
    // Whether every destination that was said could be read.
    is_whole: bool,
}

/// Every route of the top table, if all could be read; all their problems in any case.
pub(super) fn routes(layers: &Layers<'_>, problems: &mut Vec<Problem>) -> Option<Vec<Route>> {
    let tables = tables(layers.table.find("route")?, problems)?;
    let is_alone = tables.len() == 1;
    if !is_alone {
        refuse_ambiguous_variables(layers, problems);
    }
    let mut drafts = Vec::new();
    for (table, number) in tables.iter().zip(1..) {
        let layers = Layers { table: table.1, ..*layers };
        drafts.push(Draft::read(table.0, number, is_alone, &layers, problems));
    }
    conflict::check(&drafts, problems);
    let assembled = drafts.into_iter().zip(&tables).map(|(draft, table)| {
        let layers = Layers { table: table.1, ..*layers };
        check_window(&layers, problems);
        draft.check_datagrams(&layers, problems);
        http::check_flags(draft.carries(Transport::Http), &layers, problems);
        check_backoff(&layers, problems);
        talk::check(&draft.destinations, &layers, problems);
        draft.assemble(&layers, problems)
    });
    // All of them, for their problems, before asking whether all are there.
    assembled.collect::<Vec<_>>().into_iter().collect()
}

/// The tables under `[[route]]`.
fn tables<'a>(given: &'a Given, problems: &mut Vec<Problem>) -> Option<Vec<(&'a Given, &'a Table)>> {
    let refuse =
        |given: &Given, what: &str| given.refuse_with(what, "[[route]] above the keys of each route");
    match &given.raw {
        Raw::List(items) if items.is_empty() => problems.push(refuse(given, "there is none")),
        Raw::List(items) if items.len() > MAX_ROUTES => {
            problems.push(refuse(given, &format!("{} are too many; {MAX_ROUTES} can be", items.len())));
        }
        Raw::List(items) => {
            return items.iter().map(|item| Some((item, table(item)?))).collect::<Option<_>>().or_else(
                || {
                    problems.push(refuse(given, "each has to be a table"));
                    None
                },
            );
        }
        _ => problems.push(refuse(given, "has to be a list of tables")),
    }
    None
}

fn table(given: &Given) -> Option<&Table> {
    match &given.raw {
        Raw::Table(table) => Some(table),
        _ => None,
    }
}

fn refuse_ambiguous_variables(layers: &Layers<'_>, problems: &mut Vec<Problem>) {
    for name in ["PEGLOOM_LISTEN", "PEGLOOM_DESTINATIONS"] {
        let given = layers.environment.given(name);
        let what = "cannot say which of several routes it means";
        problems.extend(given.map(|given| given.refuse_with(what, "to set it in the file, or to unset it")));
    }
}

/// Refuses the keys of `table` that are not `known`; `elsewhere` are keys that belong somewhere else.
pub(super) fn refuse_unknown(
    table: &Table,
    known: &[Key],
    elsewhere: &[(&str, &[Key])],
    problems: &mut Vec<Problem>,
) {
    let is_known = |name: &str| known.iter().any(|key| key.name == name);
    for (name, given) in table.0.iter().filter(|(name, _)| !is_known(name)) {
        let home = elsewhere.iter().find(|(_, keys)| keys.iter().any(|key| key.name == name.as_str()));
        let advice = match (home, nearest(name, known.iter().map(|key| key.name))) {
            (Some((home, _)), _) => format!("`{name}` {home}"),
            (None, Some(meant)) => format!("`{meant}`"),
            (None, None) => {
                format!("one of {}", known.iter().map(|key| key.name).collect::<Vec<_>>().join(", "))
            }
        };
        problems.push(given.refuse_with("this key is not known", advice));
    }
}

impl Draft {
    fn read(
        at: &Given,
        number: usize,
        is_alone: bool,
        layers: &Layers<'_>,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let own = |key| if is_alone { layers.find(key) } else { layers.table.find(key).cloned() };
        let said = own("listen");
        let is_http = said.as_ref().and_then(transport::transport_of) == Some(Transport::Http);
        refuse_unknown_of_route(is_http, layers.table, problems);
        let listen = said.or_else(|| missing(at, "listen", "tcp://:7890", problems));
        let listen = listen.and_then(|given| stated(address::listen, given, problems));
        let share = if is_http { share(layers) } else { Share::Frames };
        let items = own("destinations").unwrap_or_else(|| nothing(at, "destinations"));
        let items = list(&items, problems);
        let destinations: Vec<_> = items
            .iter()
            .zip(0..)
            .filter_map(|(item, index)| destination(item, index, share, problems))
            .collect();
        Self {
            name: name(layers.table, at, &format!("route-{number}"), problems),
            listen,
            is_whole: !items.is_empty() && destinations.len() == items.len(),
            destinations,
        }
    }

    fn has_datagrams(&self) -> bool {
        self.carries(Transport::Udp)
    }

    fn carries(&self, transport: Transport) -> bool {
        self.listen.as_ref().is_some_and(|listen| listen.value.transport == transport)
    }

    /// What a route of datagrams may not be told.
    fn check_datagrams(&self, layers: &Layers<'_>, problems: &mut Vec<Problem>) {
        if !self.has_datagrams() {
            return;
        }
        if let Some(given) = layers.find("codec") {
            let what = "a route of udp:// has no codec, a datagram is a frame";
            problems.push(given.refuse_with(what, "no codec, or tcp://"));
        }
        let window = layers.peek(Route::KEYS, "window", value::small_bytes);
        if let Some((window, given)) = window.filter(|(window, _)| *window < LEAST_WINDOW) {
            let what = format!("{} are too few for the longest datagrams", ByteCount::new(window.into()));
            problems.push(given.refuse(what, "128KiB"));
        }
    }

    fn assemble(self, layers: &Layers<'_>, problems: &mut Vec<Problem>) -> Option<Route> {
        let (has_datagrams, is_http) = (self.has_datagrams(), self.carries(Transport::Http));
        let mut rows = Vec::new();
        rows.extend(
            self.listen.as_ref().map(|listen| Row::of("listen", &listen.value, &listen.given.origin)),
        );
        for destination in &self.destinations {
            let Destination { name, address, .. } = &destination.value;
            rows.push(Row::of(name, address, &destination.given.origin));
            rows.extend(destination.value.rows.iter().map(|row| row.under(name)));
        }
        let destinations = self.destinations.into_iter().map(|stated| stated.value).collect();
        let destinations = Some(destinations).filter(|_| self.is_whole);
        let route = Route::assemble(
            self.name.map(|name| name.value),
            self.listen.map(|listen| listen.value),
            destinations,
            rows,
            layers,
            problems,
        );
        if is_http {
            let http = Http::assemble(Vec::new(), layers, problems);
            return Some(route?.of_requests(http?));
        }
        route.map(|route| if has_datagrams { route.of_datagrams() } else { route })
    }
}

impl Route {
    fn of_datagrams(mut self) -> Self {
        self.codec = Codec::Datagram;
        for row in self.rows.iter_mut().filter(|row| row.key == "codec") {
            row.value = self.codec.show();
        }
        self
    }

    /// What goes to a server and back is a stream to the fabric; who speaks when is HTTP's business.
    fn of_requests(mut self, http: Http) -> Self {
        self.codec = Codec::Raw;
        self.rows.retain(|row| !http::is_about_frames(&row.key));
        self.rows.extend(http.rows.iter().cloned());
        self.http = Some(http);
        self
    }
}

/// What the destinations of a route of `http://` get.
fn share(layers: &Layers<'_>) -> Share {
    match layers.peek(Http::KEYS, "mode", mirror::mode) {
        Some((mirror::Mode::Replicate, _)) => Share::Copies,
        _ => Share::Requests,
    }
}

fn refuse_unknown_of_route(is_http: bool, table: &Table, problems: &mut Vec<Problem>) {
    let top = ("above the first [[route]]", super::Settings::KEYS);
    let below = ("in a destination's table", Destination::KEYS);
    if is_http {
        let frames = ("in a route that does not listen on http://", Route::KEYS);
        refuse_unknown(table, &http::keys_of_route(), &[top, below, frames], problems);
    } else {
        let requests = ("in a route that listens on http://", Http::KEYS);
        refuse_unknown(table, Route::KEYS, &[top, below, requests], problems);
    }
}

pub(super) fn stated<T>(
    read: fn(&Given) -> super::layers::Read<T>,
    given: Given,
    problems: &mut Vec<Problem>,
) -> Option<Stated<T>> {
    let value = keep(read(&given), problems)?;
    Some(Stated { value, given })
}

/// The place where a key of the route at `at` would have been said.
fn nothing(at: &Given, key: &str) -> Given {
    let (key, origin) = match (&at.origin, key) {
        (Origin::CommandLine, "listen") => (key, Origin::Flag("--listen")),
        (Origin::CommandLine, _) => ("forward", Origin::Flag("--forward")),
        _ => (key, at.origin.clone()),
    };
    Given::new(Raw::List(vec![]), key, origin)
}

fn missing(at: &Given, key: &str, instead: &str, problems: &mut Vec<Problem>) -> Option<Given> {
    problems.push(nothing(at, key).refuse("is missing", instead));
    None
}

/// A frame costs 64 credit units and its bytes; a window that could not hold the longest would shed it for ever.
fn check_window(layers: &Layers<'_>, problems: &mut Vec<Problem>) {
    let frame = layers.peek(Route::KEYS, "max_frame", value::small_bytes);
    let window = layers.peek(Route::KEYS, "window", value::small_bytes);
    let (Some((frame, frame_given)), Some((window, window_given))) = (frame, window) else { return };
    let cost = u64::from(frame) + FRAME_COST;
    if cost <= u64::from(window) {
        return;
    }
    let given = if frame_given.origin == Origin::Default { window_given } else { frame_given };
    let what = format!("a frame of {frame} bytes costs {cost} of a window that holds {window}");
    problems.push(given.refuse_with(what, format!("a window of {}KiB or more", cost.div_ceil(1024))));
}

const FRAME_COST: u64 = 64;
/// A new limit is told when a quarter of a window is free; the longest datagram must then fit.
const LEAST_WINDOW: u32 = 128 * 1024;

fn check_backoff(layers: &Layers<'_>, problems: &mut Vec<Problem>) {
    let min = layers.peek(Route::KEYS, "backoff_min", value::duration);
    let max = layers.peek(Route::KEYS, "backoff_max", value::duration);
    let (Some((min, min_given)), Some((max, max_given))) = (min, max) else { return };
    if min > max {
        let given = if min_given.origin == Origin::Default { max_given } else { min_given };
        let what = format!("the shortest pause, {min:?}, is longer than the longest, {max:?}");
        problems.push(given.refuse_with(what, "backoff_min below backoff_max"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, tests::refusals};

    const GOOD: &str = "listen = ':1'\ndestinations = ['a:1']";

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_or_the_right_place() {
        let text =
            format!("grase = '1s'\nlinger = '1s'\n[[route]]\n{GOOD}\ngrace = '1s'\nwindwo = 1\nzzz = 1");

        let problems = refusals(&text);

        assert_eq!(
            problems[..4],
            [
                "f:1: grase: this key is not known / `grace`",
                "f:2: linger: this key is not known / `linger` under [[route]]",
                "f:6: grace: this key is not known / `grace` above the first [[route]]",
                "f:7: windwo: this key is not known / `window`",
            ]
        );
        assert!(
            problems[4]
                .starts_with("f:8: zzz: this key is not known / one of name, listen, destinations, codec")
        );
    }

    #[test]
    fn files_without_a_proper_route_are_refused() {
        let advice = "[[route]] above the keys of each route";
        for (text, problem) in [
            ("", "f: route: there is none"),
            ("route = []", "f:1: route: there is none"),
            ("[route]\nlisten = ':1'", "f:1: route: has to be a list of tables"),
            ("route = [1]", "f:1: route: each has to be a table"),
        ] {
            assert_eq!(refusals(text), [format!("{problem} / {advice}")], "{text}");
        }
    }

    #[test]
    fn wrong_kinds_are_refused_for_every_key() {
        let text = "[[route]]\nname = 1\nlisten = 7890\ndestinations = 'a:1'\ncodec = true\nlinger = []\nwindow = {}";

        assert_eq!(
            refusals(text),
            [
                "f:2: name: a number where a name belongs / name = \"mirror\"",
                "f:3: listen: a number where an address belongs / listen = \"tcp://:7890\"",
                "f:4: destinations: a text where a list belongs / destinations = [\"10.0.0.1:1234\", \"10.0.0.2:1234\"]",
                "f:5: codec: true or false where a codec belongs / codec = \"lines\"",
                "f:6: linger: a list where a duration belongs / linger = \"10s\"",
                "f:7: window: a table where a size belongs / window = \"64KiB\"",
            ]
        );
    }

    #[test]
    fn a_window_must_hold_the_longest_frame_and_its_cost() {
        let with = |keys: &str| format!("[[route]]\n{GOOD}\n{keys}");

        assert!(Settings::from_toml("f", &with("max_frame = 1000\nwindow = 1064")).is_ok());
        assert_eq!(
            refusals(&with("max_frame = 1000\nwindow = 1063")),
            [
                "f:4: max_frame: a frame of 1000 bytes costs 1064 of a window that holds 1063 / a window of 2KiB or more"
            ]
        );
        assert_eq!(
            refusals(&with("window = '1KiB'")),
            [
                "f:4: window: a frame of 65536 bytes costs 65600 of a window that holds 1024 / a window of 65KiB or more"
            ]
        );
        assert_eq!(
            refusals(&with("backoff_min = '11s'")),
            [
                "f:4: backoff_min: the shortest pause, 11s, is longer than the longest, 10s / backoff_min below backoff_max"
            ]
        );
    }
}
