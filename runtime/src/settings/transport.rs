//! What a route carries, from its listener to its destinations.
//!
//! One word for both: a route is streams, datagrams or requests throughout, so it is named where the route listens.

use std::fmt;

use super::given::Given;

/// What a route carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Streams.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
    /// Requests.
    Http,
}

impl Transport {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Http => "http",
        }
    }
}

/// As it stands before an address.
impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.name())
    }
}

/// The transport that an address names.
pub(super) fn transport_of(given: &Given) -> Option<Transport> {
    split_transport(given.text()?).ok()?.0
}

/// The transport that an address names, and the rest.
pub(super) fn split_transport(text: &str) -> Result<(Option<Transport>, &str), String> {
    let Some((scheme, rest)) = text.split_once("://") else { return Ok((None, text)) };
    match scheme.to_ascii_lowercase().as_str() {
        "tcp" => Ok((Some(Transport::Tcp), rest)),
        "udp" => Ok((Some(Transport::Udp), rest)),
        "http" => Ok((Some(Transport::Http), rest)),
        _ => Err(format!("`{text}`: {scheme}:// is not known; tcp://, udp:// and http:// are")),
    }
}
