//! Whom a question was meant for: the name in `Host`, against pages of strangers.
//!
//! A page on any site may point a name of its own at this machine and have the browser ask here under that name; it would
//! then read the answers as its own. So a port that is for this machine only answers to addresses and to `localhost`, never
//! to other names. Where the port is open to others, names are how they reach it, and all are taken.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, Uri, header::HOST};

/// Whether a question with this head is meant for a port of this machine only.
pub(crate) fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let named = headers.get(HOST).map(|host| host.to_str().unwrap_or_default());
    // Without either it is no browser.
    uri.host().into_iter().all(is_local_name) && named.is_none_or(is_local_name)
}

/// Whether `host`, with or without a port, is an address or this machine.
fn is_local_name(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix('[') {
        let address = rest.split(']').next().unwrap_or_default();
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let name = host.split(':').next().unwrap_or_default();
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    name.parse::<Ipv4Addr>().is_ok() || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails if a name that leads here by a stranger's will is taken for one of ours.
    #[test]
    fn addresses_and_localhost_are_local_and_other_names_are_not() {
        for local in
            ["127.0.0.1:8088", "10.0.0.9", "[::1]:8088", "[::1]", "localhost", "LocalHost.:80", "a.localhost"]
        {
            assert!(is_local_name(local), "{local}");
        }
        let foreign = [
            "evil.example",
            "127.0.0.1.evil.example:80",
            "localhost.evil.example",
            "[evil]",
            "",
            ":80",
            "notlocalhost",
        ];
        for foreign in foreign {
            assert!(!is_local_name(foreign), "{foreign}");
        }
    }

    #[test]
    fn who_names_nobody_is_no_browser() {
        assert!(is_local(&Uri::from_static("/stats"), &HeaderMap::new()));
        assert!(!is_local(&Uri::from_static("http://evil.example/stats"), &HeaderMap::new()));
    }
}
