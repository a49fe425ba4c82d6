//! What a route carries, from its listener to its destinations.
//!
//! One word for both: a route is streams or datagrams throughout, so it is named where the route listens.

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
}

impl Transport {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
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
        "http" => Err(format!("`{text}`: {scheme}:// is not served by this version; tcp:// and udp:// are")),
        _ => Err(format!("`{text}`: {scheme}:// is not known; tcp:// and udp:// are")),
    }
}
