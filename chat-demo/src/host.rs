//! Hosts, as people type them and as ZeroMQ has them.

use std::{
    io,
    net::{IpAddr, ToSocketAddrs as _},
    thread,
};

use nix::{ifaddrs::getifaddrs, sys::socket::SockaddrStorage};
use runtime::exit::Failure;
use tokio::sync::oneshot;

/// The endpoint to listen at: `all`, an interface, or a host that is this machine.
pub(crate) async fn listening(ip: &str, port: u16) -> Result<String, Failure> {
    if ip == "all" {
        return Ok(endpoint("*", port));
    }
    let known = match of_interface(ip) {
        known if known.is_empty() => find(ip).await.map_err(|error| {
            let advice = "--ip with all, or an interface or address of this machine";
            Failure::cannot(format!("listen at {ip}"), error, advice).as_usage()
        })?,
        known => known,
    };
    Ok(endpoint(&known[0].to_string(), port))
}

/// The endpoint to call. A name stays one, to be looked up at each attempt; but whether there is such a host is found out
/// now, since ZeroMQ would look for it for ever.
pub(crate) async fn calling(host: &str, port: u16) -> io::Result<String> {
    let known = find(host).await?;
    // Who listens on every interface hears this one; of two addresses ZeroMQ tries one only.
    let local = known.first().filter(|_| host == "localhost");
    Ok(endpoint(&local.map_or_else(|| host.to_owned(), IpAddr::to_string), port))
}

/// The addresses of a host: at least one, those of IPv4 first. The system may take its time over a name; nobody waits for the
/// thread that waits for it.
pub(crate) async fn find(host: &str) -> io::Result<Vec<IpAddr>> {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    if let Ok(address) = host.parse() {
        return Ok(vec![address]);
    }
    let (found, is_found) = oneshot::channel();
    thread::Builder::new().name("lookup".to_owned()).spawn(move || {
        // Whoever asked may have left.
        let _ = found.send(look_up(&host));
    })?;
    is_found.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

fn look_up(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut known: Vec<_> = (host, 0).to_socket_addrs()?.map(|address| address.ip()).collect();
    if known.is_empty() {
        return Err(io::Error::other("it has no address"));
    }
    known.sort_by_key(IpAddr::is_ipv6);
    Ok(known)
}

/// The addresses of an interface, those of IPv4 first; those that are of one link only are left out, for who calls would
/// have to know by which.
fn of_interface(name: &str) -> Vec<IpAddr> {
    let of_it = getifaddrs().into_iter().flatten().filter(|address| address.interface_name == name);
    let mut known: Vec<_> = of_it.filter_map(|address| ip_of(&address.address?)).collect();
    known.sort_by_key(IpAddr::is_ipv6);
    known
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    if let Some(address) = address.as_sockaddr_in() {
        return Some(address.ip().into());
    }
    let address = address.as_sockaddr_in6()?.ip();
    (!address.is_unicast_link_local()).then_some(address.into())
}

/// An IPv6 address in brackets; anything else as it is.
pub(crate) fn in_brackets(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

fn endpoint(host: &str, port: u16) -> String {
    format!("tcp://{}:{port}", in_brackets(host))
}

#[cfg(test)]
mod tests {
    use runtime::exit::Exit;

    use super::*;

    #[tokio::test]
    async fn interfaces_and_hosts_are_listened_at() {
        assert_eq!(listening("all", 1).await.unwrap(), "tcp://*:1");
        assert_eq!(listening("::1", 1).await.unwrap(), "tcp://[::1]:1");
        assert_eq!(listening("lo", 0).await.unwrap(), "tcp://127.0.0.1:0");
        // Nothing can be called so: a label is too long.
        let problem = listening(&"x".repeat(64), 1).await.unwrap_err();
        assert_eq!(problem.exit(), Exit::Usage);
    }

    #[tokio::test]
    async fn what_is_an_address_is_called_as_it_is() {
        assert_eq!(calling("10.0.0.1", 1).await.unwrap(), "tcp://10.0.0.1:1");
        assert_eq!(calling("[::1]", 1).await.unwrap(), "tcp://[::1]:1");
        assert!(calling(&"x".repeat(64), 1).await.is_err());
    }

    #[test]
    fn only_what_has_colons_is_put_in_brackets() {
        for (host, written) in
            [("::1", "[::1]"), ("[::1]", "[::1]"), ("127.0.0.1", "127.0.0.1"), ("a.b", "a.b")]
        {
            assert_eq!(in_brackets(host), written);
        }
    }
}
