//! Addresses: where a route listens and where a destination is.
//!
//! Reads `host:port`, `:port`, `[v6]:port` and their `tcp://` and `udp://` forms, and knows which of them would meet. Names are not
//! looked up: what a name means may change while the process runs.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

use super::{
    given::Given,
    layers::Read,
    transport::{Transport, split_transport},
    value::Show,
};

const THIS_MACHINE: &str = "localhost";

/// Where a destination is. The host is a name or an IP address without brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// A name, in small letters, or an IP address.
    pub host: String,
    /// From 1.
    pub port: u16,
}

/// Where a route listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Listen {
    /// For what.
    pub transport: Transport,
    /// None for every interface, v4 and v6.
    pub host: Option<String>,
    /// 0 for any free port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl Address {
    /// A number that is the same wherever the same address was written for the same transport: FNV-1a of its text.
    pub fn fingerprint(&self, transport: Transport) -> u64 {
        let fold = |hash: u64, octet: u8| (hash ^ u64::from(octet)).wrapping_mul(0x0000_0100_0000_01b3);
        // A server of requests is given a stream like any other, and a stream's address stands alone.
        let prefix = if transport == Transport::Udp { transport.to_string() } else { String::new() };
        format!("{prefix}{self}").bytes().fold(0xcbf2_9ce4_8422_2325, fold)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Some(host) => {
                write!(f, "{}{}", self.transport, Address { host: host.clone(), port: self.port })
            }
            None => write!(f, "{}:{}", self.transport, self.port),
        }
    }
}

impl Show for Address {
    fn show(&self) -> String {
        self.to_string()
    }
}

impl Show for Listen {
    fn show(&self) -> String {
        self.to_string()
    }
}

/// Reads where to listen; port 0 is any free one.
pub(super) fn listen(given: &Given) -> Read<Listen> {
    const INSTEAD: &str = "tcp://:7890";
    let text = given.text().ok_or_else(|| given.refuse_kind("an address", INSTEAD))?;
    text.parse().map_err(|fault: String| given.refuse(fault, INSTEAD).into())
}

/// For what listens without being a route.
impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (transport, rest) = split_transport(text)?;
        let (host, port) = parse(text, rest)?;
        let transport = transport.unwrap_or_default();
        Ok(Self { transport, host: host.filter(|host| host != "*"), port })
    }
}

/// Reads where a destination is; without a host it is on this machine.
pub(super) fn destination(given: &Given) -> Read<Address> {
    let text = given.text().ok_or_else(|| given.refuse_kind("an address", "10.0.0.1:1234"))?;
    parse_destination(text).map_err(|fault| given.refuse(fault, "10.0.0.1:1234").into())
}

fn parse_destination(text: &str) -> Result<Address, String> {
    match parse(text, split_transport(text)?.1)? {
        (_, 0) => Err(format!("`{text}`: port 0 is no destination; ports are 1 to 65535")),
        (Some(host), _) if host == "*" => {
            Err(format!("`{text}`: a destination is one host, not every interface"))
        }
        (host, port) => Ok(Address { host: host.unwrap_or_else(|| THIS_MACHINE.to_owned()), port }),
    }
}

/// The host and port in `rest`, which `text` ends with.
fn parse(text: &str, rest: &str) -> Result<(Option<String>, u16), String> {
    if rest.is_empty() {
        return Err("the address is empty".to_owned());
    }
    let (host, port) = split(rest).ok_or_else(|| {
        format!("`{text}` is not HOST:PORT; an IPv6 address goes in brackets, as in [::1]:9")
    })?;
    let host = host.map_err(|host| format!("`{text}`: `{host}` is not a host name or IP address"))?;
    let port =
        parse_port(port).ok_or_else(|| format!("`{text}`: `{port}` is not a port; ports are 1 to 65535"))?;
    Ok((host, port))
}

/// A host, if there is one, or what cannot be one.
type Host<'a> = Result<Option<String>, &'a str>;

/// Host and port; nothing if there is no telling them apart.
fn split(text: &str) -> Option<(Host<'_>, &str)> {
    if let Some(inside) = text.strip_prefix('[') {
        let (host, rest) = inside.split_once(']')?;
        return Some((parse_v6(host).map(Some).ok_or(host), rest.strip_prefix(':')?));
    }
    let (host, port) = text.rsplit_once(':').filter(|(host, _)| !host.contains(':'))?;
    Some((parse_host(host), port))
}

fn parse_v6(host: &str) -> Option<String> {
    let (address, zone) = host.split_once('%').map_or((host, None), |(address, zone)| (address, Some(zone)));
    let address: Ipv6Addr = address.parse().ok()?;
    match zone {
        None => Some(address.to_string()),
        Some(zone) if is_label(zone) => Some(format!("{address}%{zone}")),
        Some(_) => None,
    }
}

fn parse_host(host: &str) -> Host<'_> {
    match host {
        "" => Ok(None),
        "*" => Ok(Some(host.to_owned())),
        host if host.parse::<Ipv4Addr>().is_ok() || is_name(host) => Ok(Some(host.to_ascii_lowercase())),
        host => Err(host),
    }
}

/// Whether `host` is a name. What ends in a number was meant as an IPv4 address.
fn is_name(host: &str) -> bool {
    let name = host.strip_suffix('.').unwrap_or(host);
    let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    name.len() <= 253 && !numeric && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=63).contains(&label.len())
        && label.bytes().all(fits)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A port in digits and nothing else: `u16::from_str` would take `+1`.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Whether a connection to `address` would arrive at `listener`.
pub(super) fn arrives_at(address: &Address, listener: &Listen) -> bool {
    listener.port == address.port && meet(&places(listener.host.as_deref()), &targets(&address.host))
}

/// Whether both would listen for the same connections. Two free ports never do.
pub(super) fn collide(one: &Listen, other: &Listen) -> bool {
    let (ones, others) = (places(one.host.as_deref()), places(other.host.as_deref()));
    let overlap = |one: &Place, other: &Place| one == other || takes_in(one, other) || takes_in(other, one);
    one.port != 0
        && (one.transport == Transport::Udp, one.port) == (other.transport == Transport::Udp, other.port)
        && ones.iter().any(|one| others.iter().any(|other| overlap(one, other)))
}

/// Whether both are the same service, as far as one can tell without asking.
pub(super) fn same(one: &Address, other: &Address) -> bool {
    one.port == other.port && meet(&targets(&one.host), &targets(&other.host))
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    Ip(IpAddr),
    Name(String),
}

fn places(host: Option<&str>) -> Vec<Place> {
    let ips = |v4: Ipv4Addr, v6: Ipv6Addr| vec![Place::Ip(v4.into()), Place::Ip(v6.into())];
    let Some(host) = host else { return ips(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED) };
    let host = host.strip_suffix('.').unwrap_or(host);
    if host == THIS_MACHINE || host.ends_with(".localhost") {
        return ips(Ipv4Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    }
    // A socket on `::` takes IPv4 as well.
    match host.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => ips(Ipv4Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED),
        Ok(ip) => vec![Place::Ip(ip)],
        Err(_) => vec![Place::Name(host.to_owned())],
    }
}

/// Where a connection to `host` goes: to connect to no address in particular is to connect to this machine.
fn targets(host: &str) -> Vec<Place> {
    match host.parse::<IpAddr>() {
        Ok(ip) if ip.is_unspecified() => places(Some(THIS_MACHINE)),
        _ => places(Some(host)),
    }
}

fn meet(ones: &[Place], others: &[Place]) -> bool {
    let certain = |place: &Place| matches!(place, Place::Ip(ip) if ip.is_loopback() || ip.is_unspecified());
    ones.iter().any(|one| others.iter().any(|other| one == other || (takes_in(one, other) && certain(other))))
}

/// Whether `every` is every interface of a family, and `place` an address of this machine in that family or a name.
fn takes_in(every: &Place, place: &Place) -> bool {
    match (every, place) {
        (Place::Ip(every), Place::Ip(ip)) => every.is_unspecified() && every.is_ipv4() == ip.is_ipv4(),
        (Place::Ip(every), Place::Name(_)) => every.is_unspecified(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::given::{Origin, Raw},
        *,
    };

    fn said(text: &str) -> Given {
        Given::new(Raw::Words(text.to_owned()), "forward", Origin::Flag("--forward"))
    }

    #[track_caller]
    fn to(text: &str) -> Address {
        destination(&said(text)).unwrap()
    }

    #[track_caller]
    fn on(text: &str) -> Listen {
        listen(&said(text)).unwrap()
    }

    #[test]
    fn addresses_are_read_in_every_usual_form() {
        for (text, shown) in [
            ("10.0.0.1:1234", "10.0.0.1:1234"),
            ("tcp://Mirror.Example:1", "mirror.example:1"),
            ("TCP://a_b:65535", "a_b:65535"),
            (":8081", "localhost:8081"),
            ("[::1]:9", "[::1]:9"),
            ("[0:0::1]:9", "[::1]:9"),
            ("[fe80::1%eth0]:9", "[fe80::1%eth0]:9"),
            (" host:1 ", "host:1"),
        ] {
            assert_eq!(to(text).to_string(), shown);
        }
    }

    #[test]
    fn listeners_are_read_in_every_usual_form() {
        for (text, shown) in [
            ("tcp://127.0.0.1:0", "tcp://127.0.0.1:0"),
            (":7890", "tcp://:7890"),
            ("*:7890", "tcp://:7890"),
            ("tcp://[::]:1", "tcp://[::]:1"),
            ("UDP://*:1", "udp://:1"),
            ("udp://[::1]:1", "udp://[::1]:1"),
            ("0.0.0.0:1", "tcp://0.0.0.0:1"),
        ] {
            assert_eq!(on(text).to_string(), shown);
        }
    }

    #[test]
    fn bad_destinations_are_refused_with_the_reason() {
        for (text, reason) in [
            ("", "the address is empty"),
            ("tcp://", "the address is empty"),
            ("host", "`host` is not HOST:PORT; an IPv6 address goes in brackets, as in [::1]:9"),
            ("::1:9", "`::1:9` is not HOST:PORT; an IPv6 address goes in brackets, as in [::1]:9"),
            ("[::1]", "`[::1]` is not HOST:PORT; an IPv6 address goes in brackets, as in [::1]:9"),
            ("[::g]:1", "`[::g]:1`: `::g` is not a host name or IP address"),
            ("host:0", "`host:0`: port 0 is no destination; ports are 1 to 65535"),
            ("host:70000", "`host:70000`: `70000` is not a port; ports are 1 to 65535"),
            ("host:abc", "`host:abc`: `abc` is not a port; ports are 1 to 65535"),
            ("host:+1", "`host:+1`: `+1` is not a port; ports are 1 to 65535"),
            ("host:", "`host:`: `` is not a port; ports are 1 to 65535"),
            ("10.0.0.256:1", "`10.0.0.256:1`: `10.0.0.256` is not a host name or IP address"),
            ("a b:1", "`a b:1`: `a b` is not a host name or IP address"),
            ("*:1", "`*:1`: a destination is one host, not every interface"),
            ("ws://h:1", "`ws://h:1`: ws:// is not known; tcp://, udp:// and http:// are"),
        ] {
            assert_eq!(destination(&said(text)).unwrap_err().as_slice()[0].what, reason, "{text}");
        }
    }

    #[test]
    fn a_destination_that_is_the_listener_is_recognised_under_other_names() {
        for (listener, destination, same) in [
            (":1", ":1", true),
            (":1", "localhost:1", true),
            (":1", "127.0.0.1:1", true),
            (":1", "[::1]:1", true),
            (":1", "0.0.0.0:1", true),
            (":1", "[::ffff:127.0.0.1]:1", true),
            (":1", "127.0.0.1:2", false),
            (":1", "10.0.0.1:1", false),
            ("0.0.0.0:1", "127.0.0.9:1", true),
            ("0.0.0.0:1", "[::1]:1", false),
            ("[::]:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "localhost:1", true),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("10.0.0.1:1", "10.0.0.1:1", true),
            ("10.0.0.1:1", "localhost:1", false),
            ("gate.lan:1", "GATE.lan.:1", true),
            (":0", "localhost:1", false),
        ] {
            assert_eq!(arrives_at(&to(destination), &on(listener)), same, "{destination} at {listener}");
        }
    }

    #[test]
    fn listeners_collide_where_one_takes_in_the_other() {
        for (one, other, both) in [
            (":1", "10.0.0.1:1", true),
            (":1", "[::]:1", true),
            ("0.0.0.0:1", "gate.lan:1", true),
            ("127.0.0.1:1", "10.0.0.1:1", false),
            ("0.0.0.0:1", "[::1]:1", false),
            ("localhost:1", "127.0.0.1:1", true),
            (":1", ":2", false),
            (":0", ":0", false),
            (":1", "udp://:1", false),
            (":1", "http://:1", true),
            ("udp://:1", "udp://127.0.0.1:1", true),
        ] {
            assert_eq!(collide(&on(one), &on(other)), both, "{one} and {other}");
            assert_eq!(collide(&on(other), &on(one)), both, "{other} and {one}");
        }
    }

    #[test]
    fn the_same_service_is_recognised_under_other_names() {
        assert!(same(&to(":1"), &to("127.0.0.1:1")));
        assert!(same(&to("h.example:1"), &to("H.example.:1")));
        assert!(!same(&to("127.0.0.1:1"), &to("[::1]:1")));
        assert!(!same(&to("a:1"), &to("b:1")));
    }

    #[test]
    fn the_transport_is_part_of_what_a_destination_is() {
        let address = to("10.0.0.1:1234");
        assert_ne!(address.fingerprint(Transport::Tcp), address.fingerprint(Transport::Udp));
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_reads_back(text in "((tcp|udp)://)?[\\[\\]:%.*a-z0-9é-]{0,20}(:[0-9]{1,6})?") {
            if let Ok(address) = destination(&said(&text)) {
                prop_assert_eq!(to(&address.to_string()), address);
            }
            if let Ok(listener) = listen(&said(&text)) {
                prop_assert_eq!(on(&listener.to_string()), listener);
            }
        }
    }
}
