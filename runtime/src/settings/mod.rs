//! What pegloom is told to do: from what was typed, exported and written to values that need no further doubt.
//!
//! [`RouteArgs`] is exactly what was typed; [`Settings`] is what it means. [`Settings::load`] is the only way from one
//! to the other and reports all [`Problems`] at once. A flag beats the environment, which beats the file, which beats
//! the default, and every value remembers which it was (`describe`).
//!
//! Reading order: `key` (one definition of a key), `given` (raw values), `layers` (precedence), `value`, `address`,
//! `codec`, `talk` and `http` (readers), `source`, `toml_file` and `dotenv` (where raw values come from), `route` and `conflict`.

mod address;
mod args;
mod codec;
mod conflict;
mod describe;
mod destination;
mod document;
mod dotenv;
mod environment;
mod given;
mod http;
mod key;
mod layers;
mod mirror;
mod problem;
mod route;
mod source;
mod talk;
mod toml_file;
mod transport;
mod value;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use proto::{
    codec::Codec,
    pattern::Patterns,
    policy::{Rejoin, Replies},
};

pub use self::{
    address::{Address, Listen},
    args::{EXAMPLES, RouteArgs},
    describe::describe,
    document::{settings_document, template_foo, template_http, template_replicate},
    environment::Environment,
    given::Origin,
    http::{AccessLogFormat, Balance, Http},
    key::Key,
    mirror::{Mode, Words},
    problem::{Problem, Problems},
    transport::Transport,
    value::ByteCount,
};
use self::{
    given::{Given, Table},
    key::keyed,
    layers::Layers,
};

keyed! {
    /// All that a process is told, understood and checked.
    #[derive(Clone, Debug)]
    pub struct Settings {
        own {
            /// What is served: one `[[route]]` table for each listener, at least one.
            pub routes: Vec<Route>, "route", "required";
        }
        keys in_environment = true {
            /// Threads that carry traffic, each with sockets and sessions of its own: a number, or `cores` for one
            /// per core.
            pub shards: usize = "cores" => value::shards;
            /// How long a drain may take: after SIGTERM, sessions may end by themselves for so long, then they are
            /// ended.
            pub grace: Duration = "10s" => value::duration;
            /// Bytes that all sessions of one link together may have outstanding.
            pub link_window: ByteCount = "64MiB" => value::bytes;
            /// Sessions in this process at once; the next source is closed when it connects, and counted.
            pub max_sessions: usize = "100000" => value::count;
            /// The folder for what is kept on disk, such as the caches of `http://` routes; or `none`.
            pub data_dir: Option<PathBuf> = "none" => http::path;
            /// Where `POST /purge?url=…` and `POST /purge?prefix=…` drop what caches keep: `HOST:PORT`, or `:PORT` on this
            /// machine only; or `none`.
            pub admin: Option<Listen> = "none" => http::admin;
            /// The file that gets one line for each request of an `http://` route; opened anew on SIGHUP; or `none`.
            pub access_log: Option<PathBuf> = "none" => http::path;
            /// How its lines look: `text` or `json`.
            pub access_log_format: AccessLogFormat = "text" => http::access_log_format;
        }
    }
}

keyed! {
    /// A listener, its codec, its destinations and its policy.
    #[derive(Clone, Debug)]
    pub struct Route {
        own {
            /// What logs and reports call it; no two routes share one.
            pub name: String, "name", "`route-1`, `route-2`, …";
            /// Where sources connect: `tcp://HOST:PORT`, or `tcp://:PORT` for every interface, v4 and v6; port 0 is
            /// any free one. With `udp://` the route carries datagrams, to its destinations too; with `http://` it is a
            /// reverse proxy, and its destinations are servers.
            pub listen: Listen, "listen", "required";
            /// Who receives the traffic: addresses, or tables with the keys of a destination. The first is the
            /// primary, the others are secondaries; of `http://` they are servers, all alike.
            pub destinations: Vec<Destination>, "destinations", "required";
        }
        keys in_environment = true {
            /// How frames are told apart: `raw`, `lines`, `foo` (lines whose messages are counted),
            /// `delimiter:\r\n` (or `delimiter:hex:0d0a`),
            /// `length-prefixed:width=2,endianness=big`, to which may be added
            /// `,offset=0,counts=payload,trailer=0`. A length counts what follows it (`payload`) but for a `trailer`
            /// of so many bytes, or that and itself (`field`), or the whole `frame`; `offset` bytes stand before it.
            /// In a file also a table:
            /// `{ kind = "length-prefixed", width = 2 }`. A `udp://` route has none: a datagram is a frame.
            pub codec: Codec = "raw" => codec::codec;
            /// How long the primary may take to accept a connection before the source is closed.
            pub connect_timeout: Duration = "5s" => value::duration;
            /// How long a session outlives its source's end while the primary says nothing more, and how long
            /// secondaries may take to receive the rest.
            pub linger: Duration = "10s" => value::duration;
            /// The silence that ends a burst, where the codec is `raw`.
            pub quiet_gap: Duration = "100ms" => value::duration;
            /// The silence, both ways, that ends a session of a `udp://` route: its sockets are then closed, and the
            /// source's next datagram begins another.
            pub idle_timeout: Duration = "60s" => value::duration;
            /// The longest frame that is treated as one; longer ones pass too, and are counted.
            pub max_frame: u32 = "64KiB" => value::small_bytes;
            /// What one session may have outstanding towards its primary before the source is no longer read; four
            /// times as much towards a secondary before frames are shed. A frame costs 64 and its bytes; `max_frame`
            /// must fit. With `udp://` nothing stops a source: what its window has no room for is shed.
            pub window: u32 = "512KiB" => value::small_bytes;
            /// The shortest pause before a destination that is away is tried again.
            pub backoff_min: Duration = "200ms" => value::duration;
            /// The longest such pause.
            pub backoff_max: Duration = "10s" => value::duration;
            /// How many frames of a destination answer one frame of the source: `one`; `many`, all that come within
            /// `reply_timeout`; or `none`, if destinations never answer. A frame that answers nothing starts a
            /// conversation.
            pub replies: Replies = "one" => talk::replies;
            /// How long a reply is awaited. One that is later starts a conversation; a secondary that has not said
            /// by then what the primary said counts as missing it.
            pub reply_timeout: Duration = "5s" => value::duration;
            /// How long a frame of one destination that reached the source keeps the same frame of another from
            /// reaching it again.
            pub dedup_window: Duration = "30s" => value::duration;
            /// How long the primary's bytes are held back at most while they may still become what a secondary has
            /// just asked; shorter than `dedup_window`.
            pub hold: Duration = "50ms" => value::duration;
            /// Which of the source's frames answer a conversation that a destination started: a pattern, or a list
            /// of them; if there is none, the next frame does.
            pub answer: Patterns = "[]" => talk::patterns;
            /// What comparing leaves out of replies, such as times and serial numbers: patterns. Not with `raw`,
            /// whose replies are compared as one stream.
            pub ignore: Patterns = "[]" => talk::patterns;
        }
        beside {
            /// What a route of `http://` is told besides; none for the others.
            pub http: Option<Http>,
        }
    }
}

keyed! {
    /// A service that receives a route's traffic.
    #[derive(Clone, Debug)]
    pub struct Destination {
        own {
            /// What logs and reports call it; no two destinations of a route share one.
            pub name: String, "name", "`primary`, `secondary-1`, …; `server-1`, …";
            /// Where it is: `HOST:PORT`, `[IPV6]:PORT`, or `:PORT` for this machine.
            pub address: Address, "address", "required";
        }
        keys in_environment = false {
            /// Whether it may start a conversation with the source, as a secondary; if `false`, whatever it says
            /// counts as replies, and none of it reaches the source. Not for the primary, which always may.
            pub asks: bool = "true" => value::boolean;
            /// What of it may reach the source: patterns; if there are none, everything that is not denied.
            pub allow: Patterns = "[]" => talk::patterns;
            /// What of it may not reach the source, even if allowed: patterns. What is kept back is still compared,
            /// and counted. A primary with one of these lists is passed on frame by frame.
            pub deny: Patterns = "[]" => talk::patterns;
            /// Where it goes on after an absence, as a secondary: with the `next` frame; or, for protocols that log
            /// in, with the session's first N frames again and then the next, `first:1` to `first:64`. Not with
            /// `raw`, which has no frames to repeat.
            pub rejoin: Rejoin = "next" => talk::rejoin;
            /// How many of the requests of an `http://` route it gets, compared with the others.
            pub weight: usize = "1" => value::count;
        }
    }
}

impl Settings {
    /// Reads what was typed and exported and the file it names.
    pub fn load(args: &RouteArgs, environment: &Environment) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let source = source::choose(args, environment, &mut problems);
        let table = source.as_ref().and_then(|source| source::read(source, environment, &mut problems));
        let mut flags = args.keys();
        if source != Some(source::Source::Flags) {
            flags.retain(|key, _| !matches!(*key, "listen" | "destinations"));
        }
        Self::resolve(&flags, environment, table.as_ref(), problems)
    }

    /// Reads the text of a settings file as if it were in `file`, with no flags and no environment.
    pub fn from_toml(file: &str, text: &str) -> Result<Self, Problems> {
        let table = toml_file::parse(file, text)?;
        Self::resolve(&BTreeMap::new(), &Environment::default(), Some(&table), Vec::new())
    }

    /// Understands and checks everything; without a table, as much as there is.
    fn resolve(
        flags: &BTreeMap<&'static str, Given>,
        environment: &Environment,
        table: Option<&Table>,
        mut problems: Vec<Problem>,
    ) -> Result<Self, Problems> {
        let empty = Table::default();
        let layers = Layers { flags, environment, table: table.unwrap_or(&empty) };
        route::refuse_unknown(layers.table, Self::KEYS, &[("under [[route]]", Route::KEYS)], &mut problems);
        let routes = table.and_then(|_| route::routes(&layers, &mut problems));
        check_link_window(&layers, routes.as_deref().unwrap_or_default(), &mut problems);
        let mut settings = Self::assemble(routes, Vec::new(), &layers, &mut problems);
        if let Some(settings) = &mut settings {
            http::check_process(settings, &mut problems, &layers);
        }
        Problems::none_or(problems, settings)
    }
}

/// The link's window bounds the windows of its sessions together, so it must hold the largest of them.
fn check_link_window(layers: &Layers<'_>, routes: &[Route], problems: &mut Vec<Problem>) {
    let Some((link, given)) = layers.peek(Settings::KEYS, "link_window", value::bytes) else { return };
    for route in routes.iter().filter(|route| u64::from(route.window) > link.get()) {
        let window = ByteCount::new(u64::from(route.window));
        let what = format!("{link} cannot hold the window of the route `{}`, {window}", route.name);
        problems.push(given.refuse(what, &window.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TWO_ROUTES: &str = "[[route]]\nlisten = ':1'\ndestinations = ['a:1']\n\
                              [[route]]\nlisten = ':2'\ndestinations = ['a:1']";

    /// The settings, or their problems in one line each.
    pub(super) fn resolved(
        environment: &Environment,
        table: &Table,
        problems: Vec<Problem>,
    ) -> Result<Settings, Vec<String>> {
        Settings::resolve(&BTreeMap::new(), environment, Some(table), problems)
            .map_err(|problems| lines(&problems))
    }

    /// The problems with the text of a file called `f`.
    #[track_caller]
    pub(super) fn refusals(text: &str) -> Vec<String> {
        lines(&Settings::from_toml("f", text).expect_err(text))
    }

    fn lines(problems: &Problems) -> Vec<String> {
        let line = |problem: &Problem| format!("{}: {} / {}", problem.origin, problem.what, problem.advice);
        problems.as_slice().iter().map(line).collect()
    }

    fn flags(words: &[&str]) -> RouteArgs {
        #[derive(clap::Parser)]
        struct Up {
            #[command(flatten)]
            routes: RouteArgs,
        }
        <Up as clap::Parser>::parse_from(std::iter::once(&"up").chain(words)).routes
    }

    #[track_caller]
    fn load(words: &[&str], variables: &[(&str, &str)]) -> Settings {
        Settings::load(&flags(words), &variables.iter().copied().collect()).unwrap()
    }

    #[track_caller]
    fn refused(words: &[&str], variables: &[(&str, &str)]) -> Vec<String> {
        lines(&Settings::load(&flags(words), &variables.iter().copied().collect()).unwrap_err())
    }

    #[test]
    fn flags_alone_make_a_route() {
        let settings = load(
            &["--listen", "tcp://127.0.0.1:0", "--forward", "a:1", "--forward", ":2", "--codec", "lines"],
            &[],
        );
        let route = &settings.routes[0];

        let transport = Transport::Tcp;
        assert_eq!(route.listen, Listen { transport, host: Some("127.0.0.1".to_owned()), port: 0 });
        let destinations: Vec<_> =
            route.destinations.iter().map(|it| (it.name.as_str(), it.address.port)).collect();
        assert_eq!(destinations, [("primary", 1), ("secondary-1", 2)]);
        assert_eq!((&route.codec, route.name.as_str()), (&Codec::Lines, "route-1"));
        assert_eq!((settings.grace, settings.max_sessions), (Duration::from_secs(10), 100_000));
    }

    #[test]
    fn a_route_of_datagrams_has_its_own_codec() {
        let settings = load(&["--listen", "udp://127.0.0.1:0", "--forward", "udp://a:1"], &[]);
        let route = &settings.routes[0];

        assert_eq!((route.listen.transport, &route.codec), (Transport::Udp, &Codec::Datagram));
        assert_eq!(route.idle_timeout, Duration::from_secs(60));
    }

    #[test]
    fn a_codec_for_datagrams_is_refused_wherever_it_is_said() {
        let problem = "a route of udp:// has no codec, a datagram is a frame / no codec, or tcp://";
        let words = ["--listen", "udp://:1", "--forward", "a:1"];
        assert_eq!(
            refused(&words, &[("PEGLOOM_CODEC", "raw")]),
            [format!("environment PEGLOOM_CODEC: {problem}")]
        );
        let text =
            "[[route]]\nlisten = 'udp://:1'\ndestinations = ['tcp://a:1']\ncodec = 'lines'\nwindow = '66KiB'";
        assert_eq!(
            refusals(text),
            [
                "f:3: destinations[1]: `tcp://a:1` is no destination of a route that listens on udp:// / udp://".to_owned(),
                format!("f:4: codec: {problem}"),
                "f:5: window: 66KiB are too few for the longest datagrams / window = \"128KiB\"".to_owned(),
            ]
        );
    }

    #[test]
    fn the_environment_alone_makes_a_route() {
        let settings = load(&[], &[("PEGLOOM_LISTEN", ":7890"), ("PEGLOOM_DESTINATIONS", "a:1, b:2")]);

        assert_eq!(settings.routes[0].destinations.len(), 2);
        assert_eq!(
            settings.routes[0].origin("listen"),
            Some(&Origin::Environment("PEGLOOM_LISTEN".to_owned()))
        );
    }

    #[test]
    fn bad_flags_are_refused_all_at_once() {
        for (words, problems) in [
            (
                vec![],
                vec![
                    "command line: nothing says what to serve / --listen tcp://:7890 --forward HOST:PORT, or --config pegloom.toml, or --env .env",
                ],
            ),
            (
                vec!["--grace", "0s"],
                vec![
                    "command line: nothing says what to serve / --listen tcp://:7890 --forward HOST:PORT, or --config pegloom.toml, or --env .env",
                    "--grace: `0s` is no time at all / --grace 10s",
                ],
            ),
            (
                vec!["--listen", ":1"],
                vec![
                    "--forward: 0 destinations, where 1 to 64 belong; the first is primary / --forward 10.0.0.1:1234",
                ],
            ),
            (vec!["--forward", "a:1"], vec!["--listen: is missing / --listen tcp://:7890"]),
            (
                vec![
                    "--listen",
                    "ws://:1",
                    "--forward",
                    "a:0",
                    "--forward",
                    "x",
                    "--codec",
                    "json",
                    "--shards",
                    "0",
                ],
                vec![
                    "--listen: `ws://:1`: ws:// is not known; tcp://, udp:// and http:// are / --listen tcp://:7890",
                    "--forward: `a:0`: port 0 is no destination; ports are 1 to 65535 / --forward 10.0.0.1:1234",
                    "--forward: `x` is not HOST:PORT; an IPv6 address goes in brackets, as in [::1]:9 / --forward 10.0.0.1:1234",
                    "--codec: `json` is not a codec; there are raw, lines, length-prefixed, delimiter, foo / --codec lines",
                    "--shards: 0 is not between 1 and 1024 / --shards 4",
                ],
            ),
            (
                vec!["--listen", "127.0.0.1:1", "--forward", "localhost:1"],
                vec![
                    "--forward: localhost:1 is this route's own listener, tcp://127.0.0.1:1: its traffic would come back for ever / the address of another service",
                ],
            ),
        ] {
            assert_eq!(refused(&words, &[]), problems, "{words:?}");
        }
    }

    #[test]
    fn flags_that_may_not_be_there_change_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("one.toml");
        std::fs::write(&path, "[[route]]\nlisten = ':2'\ndestinations = ['a:1']").unwrap();

        assert_eq!(
            refused(&["--config", path.to_str().unwrap(), "--listen", ":1", "--forward", ":1"], &[]),
            [
                "--config: --config and --listen both say what to serve / only one of --config and --listen",
                "--config: --config and --forward both say what to serve / only one of --config and --forward",
            ]
        );
    }

    #[test]
    fn a_bad_variable_is_said_once_however_many_routes_it_means() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("two.toml");
        std::fs::write(&path, TWO_ROUTES).unwrap();

        let variables = [("PEGLOOM_LINGER", "long"), ("PEGLOOM_LISTEN", ":3")];
        let problems = refused(&["--config", path.to_str().unwrap()], &variables);

        assert_eq!(problems.len(), 2, "{problems:?}");
        assert!(problems[0].starts_with("environment PEGLOOM_LISTEN: cannot say which of several routes"));
        assert!(problems[1].starts_with("environment PEGLOOM_LINGER: `long` is not a duration"));
    }

    #[test]
    fn a_link_window_must_hold_the_largest_window() {
        let text = "link_window = '1KiB'\n[[route]]\nlisten = ':1'\ndestinations = ['a:1']";

        assert_eq!(
            refusals(text),
            [
                "f:1: link_window: 1KiB cannot hold the window of the route `route-1`, 512KiB / link_window = \"512KiB\""
            ]
        );
    }

    proptest! {
        #[test]
        fn no_file_panics(
            key in "(grace|route|shards|listen|codec|window|[a-z]{1,6})",
            value in "('[a-z0-9:,]{0,12}'|-?[0-9]{1,20}|\\[[0-9, ]*\\]|\\{[a-z= ]{0,8}\\}|true|1\\.5|)",
            tail in "(destinations = \\[(':[0-9]{1,6}',?){0,3}\\])?",
        ) {
            let _ = Settings::from_toml("f", &format!("{key} = {value}\n[[route]]\nlisten = ':1'\n{key} = {value}\n{tail}"));
        }
    }
}
