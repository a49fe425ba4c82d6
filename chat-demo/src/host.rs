//! Hosts, as people type them and as ZeroMQ has them.

use std::{
    io,
    net::{IpAddr, ToSocketAddrs as _},
    thread,
};

use tokio::sync::oneshot;

/// The endpoint to listen at: `all` is every interface. What is no host may be an interface, which ZeroMQ knows by name.
pub(crate) async fn listening(ip: &str, port: u16) -> String {
    match ip {
        "all" => endpoint("*", port),
        ip => {
            let known = find(ip).await.unwrap_or_default();
            endpoint(&known.first().map_or_else(|| ip.to_owned(), IpAddr::to_string), port)
        }
    }
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

/// An IPv6 address in brackets; anything else as it is.
pub(crate) fn in_brackets(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

fn endpoint(host: &str, port: u16) -> String {
    format!("tcp://{}:{port}", in_brackets(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn interfaces_and_hosts_are_listened_at() {
        assert_eq!(listening("all", 1).await, "tcp://*:1");
        assert_eq!(listening("::1", 1).await, "tcp://[::1]:1");
        assert_eq!(listening("127.0.0.1", 0).await, "tcp://127.0.0.1:0");
        // No host can be called so: a label is too long.
        let interface = "x".repeat(64);
        assert_eq!(listening(&interface, 1).await, format!("tcp://{interface}:1"));
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
