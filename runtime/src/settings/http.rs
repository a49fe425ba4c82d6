//! What a route of `http://` is told besides: balancing, limits, times, and its cache.
//!
//! Its keys stand in the route's own table, and only there; a route of another transport that names one is refused, and so
//! is a route of `http://` that names what only frames need.

use std::{path::PathBuf, time::Duration};

use super::{
    ByteCount, Destination, Listen, Route, Settings, Transport,
    given::{Given, Raw},
    key::{Key, keyed, nearest},
    layers::{Layers, Read},
    mirror::{self, Mode, Words},
    problem::Problem,
    value::{self, Show},
};

/// Keys of a route that are about frames and sessions of devices.
const ABOUT_FRAMES: [&str; 10] = [
    "codec",
    "quiet_gap",
    "idle_timeout",
    "max_frame",
    "replies",
    "reply_timeout",
    "dedup_window",
    "hold",
    "answer",
    "ignore",
];
/// Keys of the process that are about requests.
const OF_PROCESS: [&str; 4] = ["data_dir", "admin", "access_log", "access_log_format"];
/// Keys of a destination that are about them.
const SAID_BY_DESTINATIONS: [&str; 4] = ["asks", "allow", "deny", "rejoin"];
/// Keys of a destination that are about balancing.
const OF_SERVERS: [&str; 1] = ["weight"];

const BALANCES: [(&str, Balance); 2] =
    [("round-robin", Balance::RoundRobin), ("least-requests", Balance::LeastRequests)];

const LONGEST_TTL: Duration = Duration::from_secs(365 * 24 * 60 * 60);
const NOT_WITHOUT: &str = "is for routes that listen on http://";
const WITH: &str = "http://, or to leave it out";
/// How nothing is spelled.
const NONE: &str = "none";

/// How lines of an access log look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// For people.
    #[default]
    Text,
    /// One object a line.
    Json,
}

const FORMATS: [(&str, AccessLogFormat); 2] =
    [("text", AccessLogFormat::Text), ("json", AccessLogFormat::Json)];

/// Who gets the next request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Who has the fewest in progress.
    LeastRequests,
}

keyed! {
    /// What a route of `http://` is told besides.
    #[derive(Clone, Debug)]
    pub struct Http {
        own {}
        keys in_environment = true {
            /// Who gets a request: one of the destinations, `balance`; or the first, which answers it, and each of the
            /// others a copy, `replicate`.
            pub mode: Mode = "balance" => mirror::mode;
            /// Which server gets the next request: `round-robin`, one after the other as their weights say, or
            /// `least-requests`, the one with the fewest in progress for its weight.
            pub balance: Balance = "round-robin" => balance;
            /// Clients that may be connected to each shard of the route at once; one more is closed when it connects, and
            /// counted.
            pub max_clients: usize = "16384" => value::count;
            /// Requests that may be with the route's servers at once; further ones wait for `queue_timeout`, and are
            /// then answered 503.
            pub max_connections: usize = "1024" => value::count;
            /// How long a request waits at most until fewer are in progress.
            pub queue_timeout: Duration = "5s" => value::duration;
            /// How long a reply that says nothing about it may be answered from the cache; `0s`: nothing is kept,
            /// whatever replies say.
            pub ttl: Duration = "180s" => ttl;
            /// What the route's cache may hold in memory.
            pub cache_memory: ByteCount = "64MiB" => value::bytes;
            /// What it may hold on disk, if there is a `data_dir`.
            pub cache_disk: ByteCount = "1GiB" => value::bytes;
            /// The longest reply that is kept.
            pub cache_longest: ByteCount = "64MiB" => value::bytes;
            /// How long a request waits at most for another's reply to the same question, before it asks a server
            /// itself.
            pub cache_wait: Duration = "5s" => value::duration;
            /// The longest body of a request; a longer one is answered 413.
            pub max_body: ByteCount = "1GiB" => value::bytes;
            /// How long the head of a request may take to arrive, before 408.
            pub header_timeout: Duration = "10s" => value::duration;
            /// How long a client may be silent between two requests, or take nothing of a reply.
            pub keep_alive: Duration = "60s" => value::duration;
            /// How long a server may be silent while it is awaited, before 504.
            pub upstream_timeout: Duration = "30s" => value::duration;
            /// How many failures in a row take a server out of the ring.
            pub eject_after: usize = "3" => value::count;
            /// How long it stays out, at first; twice as long each time it fails again, a minute at most.
            pub eject_for: Duration = "5s" => value::duration;
            /// Whether clients are proxies of yours, whose `X-Forwarded-Host` and `X-Forwarded-Proto` servers are to see; anybody
            /// else's are replaced.
            pub trust_forwarded: bool = "false" => value::boolean;
            /// What a server is asked for to see whether it is well: a path such as `/health`, answered with 200 to
            /// 399; or `none`.
            pub health: Option<String> = "none" => health;
            /// How often.
            pub health_interval: Duration = "5s" => value::duration;
            /// With `replicate`: the methods of requests that secondaries get copies of.
            pub mirror_methods: Words = "[\"GET\", \"HEAD\", \"OPTIONS\"]" => mirror::methods;
            /// The longest body of a request that is copied, and of a reply that is compared.
            pub mirror_body: ByteCount = "1MiB" => value::bytes;
            /// Copies that may be under way to each secondary at once; a further one is shed.
            pub mirror_copies: usize = "256" => value::count;
            /// How long a secondary has for its reply to a copy, and the primary for its own after that.
            pub mirror_timeout: Duration = "30s" => value::duration;
            /// The headers of replies that are compared, besides status and body.
            pub compare_headers: Words = "[\"content-type\"]" => mirror::headers;
            /// What may differ in bodies that are JSON: paths such as `/meta/time`, where `*` is any member or element.
            pub ignore_json: Words = "[]" => mirror::paths;
        }
    }
}

impl Show for Balance {
    fn show(&self) -> String {
        let word = BALANCES.iter().find(|(_, balance)| balance == self);
        word.map_or("", |(word, _)| word).to_owned()
    }
}

impl Show for AccessLogFormat {
    fn show(&self) -> String {
        let word = FORMATS.iter().find(|(_, format)| format == self);
        word.map_or("", |(word, _)| word).to_owned()
    }
}

impl Show for Option<String> {
    fn show(&self) -> String {
        self.clone().unwrap_or_else(|| NONE.to_owned())
    }
}

impl Show for Option<Listen> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| NONE.to_owned(), ToString::to_string)
    }
}

impl Show for Option<PathBuf> {
    fn show(&self) -> String {
        self.as_ref().map_or_else(|| NONE.to_owned(), |path| path.display().to_string())
    }
}

fn balance(given: &Given) -> Read<Balance> {
    one_of(&BALANCES, given)
}

/// How an access log is written.
pub(super) fn access_log_format(given: &Given) -> Read<AccessLogFormat> {
    one_of(&FORMATS, given)
}

/// One of two words.
pub(super) fn one_of<T: Copy>(words: &[(&'static str, T); 2], given: &Given) -> Read<T> {
    let [(first, _), (second, _)] = words;
    let word = given.text().ok_or_else(|| given.refuse_kind("a word", first))?;
    let known = words.iter().find(|(known, _)| *known == word);
    let refuse = || {
        let meant = nearest(word, [*first, *second]).unwrap_or(first);
        given.refuse(format_args!("`{word}` is neither {first} nor {second}"), meant)
    };
    Ok(known.map(|(_, value)| *value).ok_or_else(refuse)?)
}

/// A duration that may be nothing, and long.
fn ttl(given: &Given) -> Read<Duration> {
    const INSTEAD: &str = "180s";
    let is_zero = matches!(given.raw, Raw::Integer(0)) || given.text() == Some("0");
    if is_zero {
        return Ok(Duration::ZERO);
    }
    let text = given.text().ok_or_else(|| given.refuse_kind("a duration", INSTEAD))?;
    let value = humantime::parse_duration(text)
        .map_err(|cause| given.refuse(format_args!("`{text}` is not a duration: {cause}"), INSTEAD))?;
    if value > LONGEST_TTL {
        return Err(given.refuse(format_args!("`{text}` is more than a year"), INSTEAD).into());
    }
    Ok(value)
}

/// A path to ask for, or `none`.
fn health(given: &Given) -> Read<Option<String>> {
    let text = given.text().ok_or_else(|| given.refuse_kind("a path", "/health"))?;
    if text == NONE {
        return Ok(None);
    }
    if !text.starts_with('/') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(given.refuse(format_args!("`{text}` is not a path"), "/health").into());
    }
    Ok(Some(text.to_owned()))
}

/// An address to listen on, or `none`.
pub(super) fn admin(given: &Given) -> Read<Option<Listen>> {
    const INSTEAD: &str = "127.0.0.1:8089";
    let text = given.text().ok_or_else(|| given.refuse_kind("an address", INSTEAD))?;
    if text == NONE {
        return Ok(None);
    }
    let listen: Listen = text.parse().map_err(|fault: String| given.refuse(fault, INSTEAD))?;
    if listen.transport == Transport::Udp {
        return Err(given
            .refuse(format_args!("`{text}`: HTTP is not spoken over datagrams"), INSTEAD)
            .into());
    }
    Ok(Some(listen))
}

/// A file or folder, or `none`.
pub(super) fn path(given: &Given) -> Read<Option<PathBuf>> {
    let text = given.text().ok_or_else(|| given.refuse_kind("a path", "/var/lib/pegloom"))?;
    match text {
        NONE => Ok(None),
        "" => Err(given.refuse("an empty path is nowhere", "/var/lib/pegloom").into()),
        text => Ok(Some(PathBuf::from(text))),
    }
}

/// Every key of a route of `http://`.
pub(super) fn keys_of_route() -> Vec<Key> {
    Route::KEYS.iter().filter(|key| !ABOUT_FRAMES.contains(&key.name)).chain(Http::KEYS).copied().collect()
}

/// Every key of its destinations.
pub(super) fn keys_of_server() -> Vec<Key> {
    Destination::KEYS.iter().filter(|key| !SAID_BY_DESTINATIONS.contains(&key.name)).copied().collect()
}

/// Every key of the destinations of a route that replicates.
pub(super) fn keys_of_mirror() -> Vec<Key> {
    keys_of_server().into_iter().filter(|key| !OF_SERVERS.contains(&key.name)).collect()
}

/// Every key of a destination of frames.
pub(super) fn keys_of_destination() -> Vec<Key> {
    Destination::KEYS.iter().filter(|key| !OF_SERVERS.contains(&key.name)).copied().collect()
}

/// Whether the key of a destination says something of it.
pub(super) fn is_said_of_server(key: &str) -> bool {
    OF_SERVERS.contains(&key)
}

/// Whether the key of a route or destination is about frames.
pub(super) fn is_about_frames(key: &str) -> bool {
    ABOUT_FRAMES.contains(&key) || SAID_BY_DESTINATIONS.contains(&key)
}

/// Refuses flags that do not go with the route's transport.
pub(super) fn check_flags(is_http: bool, layers: &Layers<'_>, problems: &mut Vec<Problem>) {
    let wrong = |key: &str| if is_http { ABOUT_FRAMES.contains(&key) } else { is_key(key) };
    let (what, advice) = if is_http {
        ("means nothing in a route of http://, which has no frames", "to leave it out, or tcp://")
    } else {
        (NOT_WITHOUT, WITH)
    };
    let flags = layers.flags.iter().filter(|(key, _)| wrong(key));
    problems.extend(flags.map(|(_, given)| given.refuse_with(what, advice)));
}

/// Takes from a process without a route of `http://` what is only for those, and refuses what was said of it.
pub(super) fn check_process(settings: &mut Settings, problems: &mut Vec<Problem>, layers: &Layers<'_>) {
    if settings.routes.iter().any(|route| route.http.is_some()) {
        return;
    }
    let said = OF_PROCESS.iter().filter_map(|key| layers.flags.get(key).or_else(|| layers.table.find(key)));
    problems.extend(said.map(|given| given.refuse_with(NOT_WITHOUT, WITH)));
    settings.rows.retain(|row| !OF_PROCESS.contains(&row.key.as_str()));
}

fn is_key(name: &str) -> bool {
    Http::KEYS.iter().any(|key| key.name == name)
}

#[cfg(test)]
mod tests {
    use super::super::{Settings, tests::refusals};
    use super::*;

    const ROUTE: &str =
        "[[route]]\nlisten = 'http://:8080'\ndestinations = ['a:1', { address = 'b:1', weight = 2 }]\n";

    #[track_caller]
    fn route(keys: &str) -> Route {
        Settings::from_toml("f", &format!("{ROUTE}{keys}")).unwrap().routes.remove(0)
    }

    #[test]
    fn a_route_of_requests_has_servers_and_what_it_needs_for_them() {
        let route = route("ttl = '1m'\nbalance = 'least-requests'\nhealth = '/up'\nmax_body = '1MiB'");
        let http = route.http.unwrap();

        assert_eq!((http.ttl.as_secs(), http.balance), (60, Balance::LeastRequests));
        assert_eq!((http.health.as_deref(), http.max_body.get()), (Some("/up"), 1 << 20));
        let servers: Vec<_> = route.destinations.iter().map(|it| (it.name.as_str(), it.weight)).collect();
        assert_eq!(servers, [("server-1", 1), ("server-2", 2)]);
        assert!(route.rows.iter().all(|row| !is_about_frames(&row.key)));
    }

    #[test]
    fn nothing_is_kept_for_no_time() {
        for zero in ["'0s'", "0", "'0'"] {
            assert_eq!(route(&format!("ttl = {zero}")).http.unwrap().ttl, Duration::ZERO);
        }
    }

    #[test]
    fn what_is_about_frames_is_refused_for_requests_and_the_other_way_round() {
        let frames = "in a route that does not listen on http://";
        let requests = "in a route that listens on http://";
        assert_eq!(
            refusals(&format!("{ROUTE}codec = 'lines'\nhold = '1ms'")),
            [
                format!("f:4: codec: this key is not known / `codec` {frames}"),
                format!("f:5: hold: this key is not known / `hold` {frames}"),
            ]
        );
        let tcp =
            "[[route]]\nlisten = ':1'\ndestinations = ['a:1', { address = 'b:1', weight = 2 }]\nttl = '1s'";
        assert_eq!(
            refusals(tcp),
            [
                format!("f:3: weight: this key is not known / `weight` {requests}"),
                format!("f:4: ttl: this key is not known / `ttl` {requests}"),
            ]
        );
        assert_eq!(
            refusals(&format!("access_log = '/x'\n{}", "[[route]]\nlisten = ':1'\ndestinations = ['a:1']")),
            [format!("f:1: access_log: {NOT_WITHOUT} / {WITH}")]
        );
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        assert_eq!(
            refusals(&format!("{ROUTE}ttl = '2years'\nbalance = 'random'\nhealth = 'up'")),
            [
                "f:4: ttl: `2years` is more than a year / ttl = \"180s\"",
                "f:5: balance: `random` is neither round-robin nor least-requests / balance = \"round-robin\"",
                "f:6: health: `up` is not a path / health = \"/health\"",
            ]
        );
    }
}
