//! Where a member may be, as a person types it or a peer tells it, and why nobody is met there.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use crate::host::in_brackets;

/// `HOST:PORT`, to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Why nobody is met at an address, as far as one can see from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Absence {
    /// The name is not known, or nobody could be asked for it.
    NotFound,
    /// The host is there, and refuses.
    NobodyListens,
    /// Nothing has come back.
    NobodyAnswers,
    /// It can be connected to; no member has said to hear it.
    NoMember,
}

impl fmt::Display for Absence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFound => "its host is not found",
            Self::NobodyListens => "nobody listens there",
            Self::NobodyAnswers => "nobody answers there",
            Self::NoMember => "what answers there is no member of a mesh, or cannot reach this one",
        })
    }
}

impl Address {
    /// Whether it may stand for several places, or another one tomorrow.
    pub(crate) fn is_name(&self) -> bool {
        self.host.parse::<IpAddr>().is_err()
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_canonical().to_string(), port: address.port() }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        write!(f, "{}:{port}", in_brackets(host))
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(typed: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "it is HOST:PORT, as in `localhost:7001` or `[::1]:7001`";
        let (host, port) = typed.rsplit_once(':').ok_or(FORM)?;
        let port = port.parse().ok().filter(|&port| port != 0).ok_or(FORM)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = bare.or((!host.contains(':')).then_some(host)).filter(|host| !host.is_empty());
        Ok(Self { host: host.ok_or(FORM)?.to_owned(), port })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_is_written() {
        for typed in ["localhost:7001", "10.0.0.1:1", "[::1]:7001"] {
            assert_eq!(typed.parse::<Address>().unwrap().to_string(), typed);
        }
        for typed in ["localhost", ":7001", "a:0", "a:b", "::1:7001", "a:70000", "[]:1"] {
            assert!(typed.parse::<Address>().is_err(), "{typed}");
        }
    }

    #[test]
    fn a_name_is_no_address() {
        let is_name = |typed: &str| typed.parse::<Address>().unwrap().is_name();
        assert_eq!(["localhost:1", "10.0.0.1:1", "[::1]:1"].map(is_name), [true, false, false]);
    }
}
