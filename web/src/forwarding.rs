//! What of a head is passed on, and what is added on the way (RFC 9110 §7.6, RFC 7239).
//!
//! Hop-by-hop fields end here: those that are always so, and those that `Connection` names. `Trailer` stays, because trailers
//! are passed on. `Host` stays; of a target that is a URI the host becomes the `Host`. How long a body is and where it ends is
//! said anew by whoever sends it. Nothing here is asked whether a client may be believed: what it said of itself in
//! `Forwarded` and `X-Forwarded-…` stays before what is known here, which is always the last of each list.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Uri, Version,
    header::{self, Entry},
    request, response,
};

/// By what name pegloom is known in `Via`.
const PSEUDONYM: &str = "pegloom";
/// So many of us may be in a row; one more is a loop.
pub const MAX_HOPS: usize = 8;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Lines that are added to a request.
const ADDED: usize = 5;

/// Fields for the next hop only. `Proxy-Authenticate` and its like are about a proxy that we are not.
static HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-authentication-info"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The request has come through pegloom more than [`MAX_HOPS`] times: 508.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loop;

impl fmt::Display for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the request has passed {PSEUDONYM} more than {MAX_HOPS} times")
    }
}

impl std::error::Error for Loop {}

/// Makes of a request that came from `client` the one that goes to a server. Who is trusted says by which name and scheme it was
/// asked itself.
pub fn pass_request(parts: &mut request::Parts, client: SocketAddr, trusts_client: bool) -> Result<(), Loop> {
    if hops(&parts.headers) >= MAX_HOPS {
        return Err(Loop);
    }
    take_host_from_target(parts);
    let headers = &mut parts.headers;
    let takes_trailers = lists(headers, &header::TE, b"trailers");
    remove_hop_by_hop(headers);
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
    }
    headers.reserve(ADDED);
    add_via(headers, parts.version);
    if !trusts_client {
        // Many programs build links out of what stands first, and a cache would hand those to others.
        for name in [FORWARDED_PROTO, FORWARDED_HOST] {
            headers.remove(name);
        }
    }
    add_forwarded(headers, client.ip().to_canonical());
    Ok(())
}

/// Makes of a server's reply the one that goes to the client.
pub fn pass_reply(parts: &mut response::Parts) {
    remove_hop_by_hop(&mut parts.headers);
    add_via(&mut parts.headers, parts.version);
}

/// Removes what is meant for the next hop only. `Host` and `Content-Length` are never that, whatever `Connection` says.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    for name in named_by_connection(headers).iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    let names = tokens(headers, &header::CONNECTION).filter_map(|name| HeaderName::from_bytes(name).ok());
    names.filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH).collect()
}

/// How often the request has passed one of us.
fn hops(headers: &HeaderMap) -> usize {
    let is_ours = |via: &&[u8]| {
        let mut words = via.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words.nth(1) == Some(PSEUDONYM.as_bytes())
    };
    tokens(headers, &header::VIA).filter(is_ours).count()
}

fn add_via(headers: &mut HeaderMap, version: Version) {
    let via = if version == Version::HTTP_10 { "1.0 pegloom" } else { "1.1 pegloom" };
    append(headers, header::VIA, HeaderValue::from_static(via));
}

fn add_forwarded(headers: &mut HeaderMap, client: IpAddr) {
    let host = headers.get(header::HOST).filter(|host| !host.is_empty() && host.to_str().is_ok()).cloned();
    let address = client.to_string();
    let forwarded = forwarded(client, &address, host.as_ref().and_then(|host| host.to_str().ok()));
    // Neither an address nor a host has anything that a value may not have.
    if let (Ok(forwarded), Ok(address)) = (forwarded.try_into(), address.try_into()) {
        append(headers, header::FORWARDED, forwarded);
        append(headers, FORWARDED_FOR, address);
    }
    append(headers, FORWARDED_PROTO, HeaderValue::from_static("http"));
    if let Some(host) = host {
        append(headers, FORWARDED_HOST, host);
    }
}

/// One element of `Forwarded`: what is no token is quoted.
fn forwarded(client: IpAddr, address: &str, host: Option<&str>) -> String {
    // It is written for every request: what `format!` would cost shows.
    let mut element = String::with_capacity(64);
    let node = if client.is_ipv4() { ["for=", address, ""] } else { ["for=\"[", address, "]\""] };
    element.extend(node);
    if let Some(host) = host {
        element.push_str(";host=");
        push_quoted(&mut element, host);
    }
    element.push_str(";proto=http");
    element
}

fn push_quoted(element: &mut String, text: &str) {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.bytes().all(is_token) {
        element.push_str(text);
        return;
    }
    element.push('"');
    for letter in text.chars() {
        if matches!(letter, '\\' | '"') {
            element.push('\\');
        }
        element.push(letter);
    }
    element.push('"');
}

/// Of a target that is a URI the host is the request's (RFC 9112 §3.2.2), and a server is told the path.
fn take_host_from_target(parts: &mut request::Parts) {
    let Some(authority) = parts.uri.authority() else { return };
    if let Ok(host) = HeaderValue::from_str(authority.as_str()) {
        parts.headers.insert(header::HOST, host);
    }
    let path = parts.uri.path_and_query().cloned();
    parts.uri = path.map_or_else(Uri::default, Uri::from);
}

/// Puts an element at the end of a list, which becomes one line: many programs read the first line only.
fn append(headers: &mut HeaderMap, name: HeaderName, element: HeaderValue) {
    match headers.entry(name) {
        Entry::Vacant(none) => _ = none.insert(element),
        Entry::Occupied(mut lines) => {
            let list = lines.iter().chain([&element]).map(HeaderValue::as_bytes).filter(|it| !it.is_empty());
            let list = list.collect::<Vec<_>>().join(&b", "[..]);
            // Made of values that were valid, it is one.
            if let Ok(list) = HeaderValue::from_bytes(&list) {
                lines.insert(list);
            }
        }
    }
}

fn lists(headers: &HeaderMap, name: &HeaderName, token: &[u8]) -> bool {
    tokens(headers, name).any(|each| each.eq_ignore_ascii_case(token))
}

/// The elements of a list, however many lines it has.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
    let lines = headers.get_all(name).iter();
    lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b',')).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Lines<'a> = &'a [(&'a str, &'a str)];

    const CLIENT: &str = "192.0.2.1:5000";

    fn request(target: &str, lines: Lines<'_>) -> request::Parts {
        let request = lines
            .iter()
            .fold(http::Request::get(target), |request, &(name, value)| request.header(name, value));
        request.body(()).unwrap().into_parts().0
    }

    /// All lines but those that are always added, as text.
    fn lines(headers: &HeaderMap) -> Vec<String> {
        let added = [header::VIA, header::FORWARDED, FORWARDED_FOR, FORWARDED_PROTO, FORWARDED_HOST];
        let lines = headers.iter().filter(|(name, _)| !added.contains(name));
        let mut lines: Vec<_> =
            lines.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort_unstable();
        lines
    }

    fn passed(lines: Lines<'_>) -> HeaderMap {
        let mut parts = request("/a", lines);
        pass_request(&mut parts, CLIENT.parse().unwrap(), true).unwrap();
        parts.headers
    }

    /// Fails with: any name taken out of `HOP_BY_HOP`, or `Connection` not read to its last line.
    #[test]
    fn what_is_for_the_next_hop_only_is_not_passed_on() {
        let rows: &[(Lines<'_>, &[&str])] = &[
            (&[("connection", "close")], &[]),
            (
                &[("connection", "X-One, x-two"), ("connection", "x-three"), ("x-one", "1"), ("x-two", "2")],
                &[],
            ),
            (&[("connection", "x-three"), ("x-four", "4")], &["x-four: 4"]),
            (&[("connection", "host, content-length"), ("content-length", "3")], &["content-length: 3"]),
            (&[("connection", "not a name, ,"), ("a", "b")], &["a: b"]),
            (&[("keep-alive", "timeout=5"), ("proxy-connection", "keep-alive")], &[]),
            (&[("proxy-authorization", "x"), ("proxy-authenticate", "x")], &[]),
            (&[("proxy-authentication-info", "x"), ("authorization", "x")], &["authorization: x"]),
            (&[("transfer-encoding", "chunked"), ("upgrade", "websocket")], &[]),
            (&[("te", "gzip")], &[]),
            (&[("te", "gzip, Trailers")], &["connection: te", "te: trailers"]),
            (&[("trailer", "x-sum")], &["trailer: x-sum"]),
            (&[("cookie", "a"), ("cookie", "b")], &["cookie: a", "cookie: b"]),
        ];
        for (request, expected) in rows {
            assert_eq!(lines(&passed(request)), *expected, "{request:?}");
        }
    }

    #[test]
    fn a_reply_loses_what_was_for_us_only() {
        let reply = http::Response::builder()
            .header("connection", "x-mine")
            .header("x-mine", "1")
            .header("server", "s");
        let mut parts = reply.header("via", "1.1 before").body(()).unwrap().into_parts().0;
        pass_reply(&mut parts);
        assert_eq!(lines(&parts.headers), ["server: s"]);
        assert_eq!(parts.headers["via"], "1.1 before, 1.1 pegloom");
    }

    #[test]
    fn who_asks_and_for_what_is_added_at_the_end() {
        let rows = [
            ("192.0.2.1:9", "h", "for=192.0.2.1;host=h;proto=http", "192.0.2.1"),
            ("192.0.2.1:9", "h:80", "for=192.0.2.1;host=\"h:80\";proto=http", "192.0.2.1"),
            ("[2001:db8::1]:9", "[::1]", "for=\"[2001:db8::1]\";host=\"[::1]\";proto=http", "2001:db8::1"),
            ("[::ffff:192.0.2.1]:9", "a\"\\", "for=192.0.2.1;host=\"a\\\"\\\\\";proto=http", "192.0.2.1"),
        ];
        for (client, host, forwarded, forwarded_for) in rows {
            let mut parts = request("/a", &[("host", host)]);
            pass_request(&mut parts, client.parse().unwrap(), true).unwrap();
            let headers = parts.headers;
            assert_eq!(
                (&headers["forwarded"], &headers["x-forwarded-for"]),
                (&value(forwarded), &value(forwarded_for))
            );
            assert_eq!(
                (&headers["x-forwarded-host"], &headers["x-forwarded-proto"]),
                (&value(host), &value("http"))
            );
            assert_eq!((&headers["host"], &headers["via"]), (&value(host), &value("1.1 pegloom")));
        }
    }

    fn value(text: &str) -> HeaderValue {
        HeaderValue::from_str(text).unwrap()
    }

    #[test]
    fn what_others_have_added_stays_before_and_becomes_one_line() {
        let headers = passed(&[
            ("x-forwarded-for", "10.0.0.1"),
            ("x-forwarded-for", ""),
            ("x-forwarded-for", "10.0.0.2, 10.0.0.3"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=_x"),
            ("via", "1.0 a (b)"),
        ]);
        let all = |name| headers.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(all("x-forwarded-for"), ["10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.1"]);
        assert_eq!(all("x-forwarded-proto"), ["https, http"]);
        assert_eq!(all("forwarded"), ["for=_x, for=192.0.2.1;proto=http"]);
        assert_eq!(all("via"), ["1.0 a (b), 1.1 pegloom"]);
        assert!(!headers.contains_key("x-forwarded-host"), "there was no Host");
    }

    /// Fails if `Connection` can keep what is known here from a server.
    #[test]
    fn a_client_cannot_have_its_address_left_out() {
        let headers =
            passed(&[("connection", "forwarded, x-forwarded-for, via"), ("x-forwarded-for", "10.0.0.1")]);
        assert_eq!(headers["x-forwarded-for"], "192.0.2.1");
        assert_eq!(headers["via"], "1.1 pegloom");
    }

    #[test]
    fn the_version_that_was_spoken_is_in_via() {
        let mut parts = request("/a", &[]);
        parts.version = Version::HTTP_10;
        pass_request(&mut parts, CLIENT.parse().unwrap(), true).unwrap();
        assert_eq!(parts.headers["via"], "1.0 pegloom");
    }

    /// Fails with: hops not counted, counted on the first line only, or others' counted, too.
    #[test]
    fn a_request_that_goes_in_circles_is_stopped() {
        let via = |count| vec!["1.1 pegloom"; count].join(" , ");
        let rows = [
            (via(MAX_HOPS - 1), "1.1 other, 1.1 pegloom2", Ok(())),
            (via(MAX_HOPS - 1), "1.1   pegloom (here)", Err(Loop)),
            (via(MAX_HOPS), "1.1 other", Err(Loop)),
            (String::new(), "pegloom, 1.1 a (pegloom)", Ok(())),
        ];
        for (first, second, expected) in rows {
            let mut parts = request("/a", &[("via", &first), ("via", second)]);
            assert_eq!(
                pass_request(&mut parts, CLIENT.parse().unwrap(), true),
                expected,
                "{first}, {second}"
            );
        }
    }

    #[test]
    fn of_a_target_with_a_host_the_path_goes_on_and_the_host_counts() {
        let rows = [
            ("http://i:81/a?b", "i:81", "/a?b"),
            ("http://i", "i", "/"),
            ("/a?b", "h", "/a?b"),
            ("*", "h", "*"),
        ];
        for (target, host, passed_on) in rows {
            let mut parts = request(target, &[("host", "h")]);
            pass_request(&mut parts, CLIENT.parse().unwrap(), true).unwrap();
            assert_eq!((&parts.headers["host"], parts.uri.to_string().as_str()), (&value(host), passed_on));
        }
    }

    /// Fails if what a stranger says of scheme and host reaches a server, or what is known of it does not.
    #[test]
    fn a_stranger_does_not_say_by_which_name_it_was_asked() {
        let mut parts =
            http::Request::get("/").header("host", "shop.example").body(()).unwrap().into_parts().0;
        parts.headers.insert(FORWARDED_HOST, HeaderValue::from_static("evil.example"));
        parts.headers.insert(FORWARDED_PROTO, HeaderValue::from_static("https"));

        pass_request(&mut parts, CLIENT.parse().unwrap(), false).unwrap();

        assert_eq!(parts.headers[FORWARDED_HOST], "shop.example");
        assert_eq!(parts.headers[FORWARDED_PROTO], "http");
    }
}
