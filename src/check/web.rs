//! What `check` says of a route of `http://`: who gets a request, what is kept, and when a server gets none.
//!
//! It only puts settings into words, as `talk` does for routes of frames; a key that was set and does nothing gets a sentence, too.

use std::path::Path;

use humantime::format_duration as span;
use runtime::settings::{Balance, Destination, Http, Route};

use super::{called, list, talk::idle};

/// Keys that say what a cache may keep.
const OF_CACHES: [&str; 4] = ["cache_memory", "cache_disk", "cache_longest", "cache_wait"];
/// Keys that say who of several servers gets a request.
const OF_SEVERAL: [&str; 3] = ["balance", "eject_after", "eject_for"];

/// What the route will do, if it listens on `http://`.
pub(super) fn sentence(route: &Route, data_dir: Option<&Path>) -> Option<String> {
    let http = route.http.as_ref()?;
    let Route { name, listen, destinations, .. } = route;
    Some(format!(
        "{name}: requests to {listen} go to {}; {}.",
        servers(destinations, http.balance),
        kept(http, data_dir)
    ))
}

fn servers(servers: &[Destination], balance: Balance) -> String {
    if let [server] = servers {
        return called(server);
    }
    let is_even = servers.iter().all(|server| server.weight == 1);
    let named = |server: &Destination| {
        let weight = if is_even { String::new() } else { format!(", weight {}", server.weight) };
        format!("{} ({}{weight})", server.name, server.address)
    };
    let how = match (balance, is_even) {
        (Balance::RoundRobin, true) => "in turn",
        (Balance::RoundRobin, false) => "in turn, each as often as its weight says",
        (Balance::LeastRequests, true) => "the one with the fewest requests in progress",
        (Balance::LeastRequests, false) => "the one with the fewest requests in progress for its weight",
    };
    format!("one of {}, {how}", list(servers.iter().map(named).collect(), "and"))
}

fn kept(http: &Http, data_dir: Option<&Path>) -> String {
    if http.ttl.is_zero() {
        return "no reply is kept".to_owned();
    }
    let memory = format!("at most {} in memory", http.cache_memory);
    let place = match data_dir {
        Some(dir) => format!("{memory} and {} in {}", http.cache_disk, dir.display()),
        None => format!("{memory} and nothing on disk"),
    };
    format!("replies that say nothing about it are kept for {}, {place}", span(http.ttl))
}

/// The rest, a sentence for each that matters.
pub(super) fn sentences(route: &Route, data_dir: Option<&Path>) -> Vec<String> {
    let Some(http) = &route.http else { return vec![] };
    let limit = format!(
        "At most {} requests are with servers at once; a further one waits up to {}, and is then answered 503.",
        http.max_connections,
        span(http.queue_timeout)
    );
    let caching = if http.ttl.is_zero() {
        idle(route, &OF_CACHES, "no reply is kept")
    } else if data_dir.is_none() {
        idle(route, &["cache_disk"], "there is no `data_dir`")
    } else {
        None
    };
    let several = match route.destinations.len() {
        1 => idle(route, &OF_SEVERAL, "there is only one server"),
        _ => Some(ejecting(http)),
    };
    [Some(limit), several, checking(route, http), caching].into_iter().flatten().collect()
}

fn ejecting(http: &Http) -> String {
    let failures = match http.eject_after {
        1 => "a request".to_owned(),
        count => format!("{count} requests in a row"),
    };
    format!(
        "A server that fails {failures} gets none for {}, and for longer each time it fails again.",
        span(http.eject_for)
    )
}

fn checking(route: &Route, http: &Http) -> Option<String> {
    let Some(path) = &http.health else { return idle(route, &["health_interval"], "there is no `health`") };
    Some(format!("Each server is asked for {path} every {}.", span(http.health_interval)))
}

#[cfg(test)]
mod tests {
    use runtime::settings::Settings;

    use super::*;

    const THREE: &str = "'a:80', 'b:80', { name = 'big', address = 'c:80', weight = 2 }";

    /// What a route of `http://` with these keys does, its sentences below it.
    #[track_caller]
    fn told(servers: &str, keys: &str, data_dir: Option<&str>) -> Vec<String> {
        let text =
            format!("[[route]]\nname = 'web'\nlisten = 'http://:8080'\ndestinations = [{servers}]\n{keys}");
        let route = Settings::from_toml("f", &text).unwrap().routes.remove(0);
        let data_dir = data_dir.map(Path::new);
        sentence(&route, data_dir).into_iter().chain(sentences(&route, data_dir)).collect()
    }

    #[test]
    fn who_gets_a_request_and_what_is_kept_is_said() {
        assert_eq!(
            told("'a:80', 'b:80'", "", Some("/var/lib/pegloom")),
            [
                "web: requests to http://:8080 go to one of server-1 (a:80) and server-2 (b:80), in turn; replies \
                 that say nothing about it are kept for 3m, at most 64MiB in memory and 1GiB in /var/lib/pegloom.",
                "At most 1024 requests are with servers at once; a further one waits up to 5s, and is then \
                 answered 503.",
                "A server that fails 3 requests in a row gets none for 5s, and for longer each time it fails again.",
            ]
        );
    }

    #[test]
    fn weights_balance_and_health_are_said_where_they_are_set() {
        let told = told(THREE, "balance = 'least-requests'\nhealth = '/up'\neject_after = 1", None);
        assert!(
            told[0].contains(
                "big (c:80, weight 2), the one with the fewest requests in progress for its weight; "
            )
        );
        assert!(told[0].ends_with(" at most 64MiB in memory and nothing on disk."), "{}", told[0]);
        assert!(told[2].starts_with("A server that fails a request gets none for 5s, "), "{}", told[2]);
        assert_eq!(told[3], "Each server is asked for /up every 5s.");
    }

    /// Fails if a key that does nothing passes without a word.
    #[test]
    fn what_does_nothing_is_said_with_the_reason() {
        let last = |servers, keys| told(servers, keys, None).pop().unwrap();
        for (servers, keys, sentence) in [
            (
                "'a:80'",
                "balance = 'least-requests'",
                "`balance` does nothing here: there is only one server.",
            ),
            (THREE, "health_interval = '1s'", "`health_interval` does nothing here: there is no `health`."),
            (THREE, "cache_disk = '1MiB'", "`cache_disk` does nothing here: there is no `data_dir`."),
            (
                THREE,
                "ttl = '0s'\ncache_memory = '1MiB'",
                "`cache_memory` does nothing here: no reply is kept.",
            ),
        ] {
            assert_eq!(last(servers, keys), sentence);
        }
        let keeps_nothing = told("'a:80'", "ttl = '0s'", None);
        assert!(keeps_nothing[0].ends_with("go to server-1 (a:80); no reply is kept."), "{keeps_nothing:?}");
    }
}
