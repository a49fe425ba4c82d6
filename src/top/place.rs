//! Where to look: a site that shows statistics over HTTP, or an endpoint that nodes publish to.
//!
//! Read from what was typed, and nothing is tried: one that merely does not answer is waited for.

use std::fmt;

use hyper::Uri;
use runtime::exit::Failure;
use stats_node::PATHS;

/// The scheme that is meant where none is typed.
const HTTP: &str = "http://";
const HTTP_PORT: u16 = 80;
/// For who typed something else.
const INSTEAD: &str = "http://127.0.0.1:8088, where --http shows statistics, or tcp://127.0.0.1:7200, which nodes are told \
                       with --stats";

/// Where to look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Somebody adds up, and shows it.
    Site(Site),
    /// We add up ourselves what is published to this endpoint.
    Endpoint(String),
}

/// A server, and the path that statistics are under.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Site {
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Empty, or `/like/this`.
    pub(crate) path: String,
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HTTP}{}{}", self.authority(), self.path)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Site(site) => site.fmt(f),
            Self::Endpoint(endpoint) => f.write_str(endpoint),
        }
    }
}

impl Site {
    /// Host and port as they are said to the server.
    pub(crate) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Reads `http://HOST:PORT/PATH`. A path that statistics have themselves is no further path.
    fn read(text: &str) -> Result<Self, String> {
        let text = text.replacen("http://:", "http://127.0.0.1:", 1);
        let uri: Uri = text.parse().map_err(|error| format!("it is no URL: {error}"))?;
        let authority = uri.authority().ok_or("it names no host")?;
        if authority.as_str().contains('@') {
            return Err("there is no user and no password".to_owned());
        }
        let port = match authority.as_str().trim_start_matches(authority.host()) {
            "" => HTTP_PORT,
            rest => port_of(rest)?,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let path = uri.path().trim_end_matches('/');
        let path = PATHS.iter().find_map(|own| path.strip_suffix(own)).unwrap_or(path).to_owned();
        Ok(Self { host, port, path })
    }
}

/// The port in `:PORT`, which is not 0.
fn port_of(text: &str) -> Result<u16, String> {
    let port = text.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|&port: &u16| port > 0);
    port.ok_or_else(|| format!("`{}` is not a port; ports are 1 to 65535", text.trim_start_matches(':')))
}

impl Place {
    /// Reads what was typed.
    pub(crate) fn read(text: &str) -> Result<Self, Failure> {
        Self::parse(text).map_err(|why| Failure::cannot(format!("look at `{text}`"), why, INSTEAD).as_usage())
    }

    fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Site::read(&format!("{HTTP}{text}")).map(Self::Site);
        };
        match scheme.to_ascii_lowercase().as_str() {
            "http" => Site::read(&format!("{HTTP}{rest}")).map(Self::Site),
            "tcp" => endpoint(rest).map(|()| Self::Endpoint(format!("tcp://{rest}"))),
            "ipc" if !rest.is_empty() => Ok(Self::Endpoint(format!("ipc://{rest}"))),
            "ipc" => Err("it names no file".to_owned()),
            "https" => Err("statistics are not encrypted".to_owned()),
            _ => Err(format!("{scheme}:// is not known; http://, tcp:// and ipc:// are")),
        }
    }
}

/// Whether `HOST:PORT` can be bound; port 0 is any.
fn endpoint(rest: &str) -> Result<(), String> {
    let (host, port) = rest.rsplit_once(':').ok_or("it is not tcp://HOST:PORT")?;
    if host.is_empty() {
        return Err("it is not tcp://HOST:PORT".to_owned());
    }
    port.parse::<u16>().map(drop).map_err(|_| format!("`{port}` is not a port; ports are 0 to 65535"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn site(text: &str) -> (String, u16, String) {
        match Place::read(text).unwrap() {
            Place::Site(site) => (site.host, site.port, site.path),
            Place::Endpoint(endpoint) => panic!("{endpoint} is no site"),
        }
    }

    #[test]
    fn a_site_is_read_as_people_type_it() {
        for (typed, host, port, path) in [
            ("http://10.0.0.9:8088", "10.0.0.9", 8088, ""),
            ("http://10.0.0.9:8088/", "10.0.0.9", 8088, ""),
            ("HTTP://gateway/stats", "gateway", 80, ""),
            ("http://gateway:8088/loom/events", "gateway", 8088, "/loom"),
            ("gateway:8088", "gateway", 8088, ""),
            (":8088", "127.0.0.1", 8088, ""),
            ("http://[::1]:8088", "::1", 8088, ""),
        ] {
            assert_eq!(site(typed), (host.to_owned(), port, path.to_owned()), "{typed}");
        }
    }

    #[test]
    fn an_endpoint_is_kept_as_it_is() {
        for typed in ["tcp://127.0.0.1:7200", "tcp://*:0", "ipc:///run/pegloom/stats"] {
            assert_eq!(Place::read(typed).unwrap(), Place::Endpoint(typed.to_owned()));
        }
    }

    #[test]
    fn nonsense_is_refused_in_two_lines_as_wrong_usage() {
        for (typed, why) in [
            ("ftp://h:1", "ftp:// is not known"),
            ("https://h", "not encrypted"),
            ("http://", "it is no URL"),
            ("http://h:99999", "`99999` is not a port"),
            ("http://h:0", "`0` is not a port"),
            ("http://me:secret@h:1", "no password"),
            ("tcp://h", "not tcp://HOST:PORT"),
            ("tcp://:7200", "not tcp://HOST:PORT"),
            ("tcp://h:x", "`x` is not a port"),
            ("ipc://", "names no file"),
            ("", "it is no URL"),
        ] {
            let failure = Place::read(typed).unwrap_err();
            let said = failure.to_string();
            assert!(said.starts_with(&format!("cannot look at `{typed}`: ")) && said.contains(why), "{said}");
            assert!(said.contains("\n  try: http://") && said.lines().count() == 2, "{said}");
            assert_eq!(failure.exit(), runtime::exit::Exit::Usage);
        }
    }

    #[test]
    fn a_place_is_shown_as_it_can_be_typed() {
        for typed in ["http://gateway:8088/loom", "http://[::1]:8088", "ipc:///run/stats"] {
            assert_eq!(Place::read(typed).unwrap().to_string(), typed);
        }
    }
}
