//! The rows: a name, the request, what hyper alone makes of it, and what comes of it with heads watched, where that
//! is another thing.
//!
//! "by hyper" is worth reading by itself: `200` beside a refusal is what hyper lets through or hides. Bytes beyond ASCII are
//! written as the characters of the same number.

/// A request, and what becomes of it.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) request: String,
    pub(crate) by_hyper: &'static str,
    pub(crate) watched: &'static str,
}

/// All rows.
pub(crate) fn all() -> impl Iterator<Item = Row> {
    let posts =
        [LENGTHS, CODINGS, CHUNKS].into_iter().flatten().map(|&(name, headers, body, by_hyper, watched)| {
            let request = format!("POST /a HTTP/1.1\r\nHost: h\r\n{headers}\r\n\r\n{body}");
            row(name, request, by_hyper, watched)
        });
    let others = [LINES, TARGETS].into_iter().flatten();
    posts.chain(
        others.map(|&(name, request, by_hyper, watched)| row(name, request.to_owned(), by_hyper, watched)),
    )
}

fn row(name: &'static str, request: String, by_hyper: &'static str, watched: &'static str) -> Row {
    Row { name, request, by_hyper, watched: if watched == SAME { by_hyper } else { watched } }
}

/// Name, headers, body, by hyper, watched.
type Post = (&'static str, &'static str, &'static str, &'static str, &'static str);
/// Name, request, by hyper, watched.
type Other = (&'static str, &'static str, &'static str, &'static str);

const SAME: &str = "as by hyper";

const LENGTHS: &[Post] = &[
    ("one length", "Content-Length: 3", "abc", "200 /a abc, open", SAME),
    (
        "length, then chunked",
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "0\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 /a, closed",
        "400, closed",
    ),
    (
        "chunked, then length",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "0\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 /a, closed",
        "400, closed",
    ),
    (
        "chunked, then a length that is none",
        "Transfer-Encoding: chunked\r\nContent-Length: x",
        "0\r\n\r\n",
        "200 /a, closed",
        "400, closed",
    ),
    (
        "two lengths, equal",
        "Content-Length: 3\r\nContent-Length: 3",
        "abc",
        "200 /a abc, open",
        "400, closed",
    ),
    ("two lengths, different", "Content-Length: 3\r\nContent-Length: 4", "abc", "400, closed", SAME),
    ("two lengths in a list", "Content-Length: 3, 3", "abc", "400, closed", SAME),
    ("a length with a sign", "Content-Length: +3", "abc", "400, closed", SAME),
    ("a negative length", "Content-Length: -1", "abc", "400, closed", SAME),
    ("an empty length", "Content-Length:", "abc", "400, closed", SAME),
    ("a length in hexadecimal", "Content-Length: 0x3", "abc", "400, closed", SAME),
    ("a length beyond 64 bits", "Content-Length: 18446744073709551616", "abc", "400, closed", SAME),
    ("the largest length of 64 bits", "Content-Length: 18446744073709551615", "abc", "431, closed", SAME),
    ("a length by a name with an underscore", "Content_Length: 3", "abc", "200 /a, open", SAME),
];

const CODINGS: &[Post] = &[
    (
        "chunked",
        "Transfer-Encoding: chunked",
        "3\r\nabc\r\n0\r\n\r\nGET /x HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 /a abc, 200 /x, open",
        SAME,
    ),
    ("CHUNKED", "Transfer-Encoding: CHUNKED", "3\r\nabc\r\n0\r\n\r\n", "200 /a abc, open", SAME),
    ("chunked, chunked", "Transfer-Encoding: chunked, chunked", "0\r\n\r\n", "200 /a, open", "400, closed"),
    (
        "chunked on two lines",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n",
        "200 /a, open",
        "400, closed",
    ),
    ("identity", "Transfer-Encoding: identity", "0\r\n\r\n", "400, closed", SAME),
    (
        "identity, then chunked on another line",
        "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
        "0\r\n\r\n",
        "200 /a, open",
        "501, closed",
    ),
    (
        "chunked, then identity on another line",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "0\r\n\r\n",
        "400, closed",
        SAME,
    ),
    ("chunked, identity", "Transfer-Encoding: chunked, identity", "0\r\n\r\n", "400, closed", SAME),
    ("gzip, chunked", "Transfer-Encoding: gzip, chunked", "0\r\n\r\n", "200 /a, open", "501, closed"),
    ("gzip", "Transfer-Encoding: gzip", "0\r\n\r\n", "400, closed", SAME),
    ("xchunked", "Transfer-Encoding: xchunked", "0\r\n\r\n", "400, closed", SAME),
    ("an empty coding", "Transfer-Encoding:", "0\r\n\r\n", "400, closed", SAME),
    (
        "an empty coding and a length",
        "Transfer-Encoding:\r\nContent-Length: 5",
        "0\r\n\r\n",
        "400, closed",
        SAME,
    ),
    ("chunked and a comma", "Transfer-Encoding: chunked,", "0\r\n\r\n", "400, closed", SAME),
    ("a comma and chunked", "Transfer-Encoding: ,chunked", "0\r\n\r\n", "200 /a, open", "501, closed"),
    ("chunked in quotes", "Transfer-Encoding: \"chunked\"", "0\r\n\r\n", "400, closed", SAME),
    ("chunked behind a vertical tab", "Transfer-Encoding: \x0bchunked", "0\r\n\r\n", "400, closed", SAME),
    (
        "chunked with a byte beyond ASCII",
        "Transfer-Encoding: \u{a0}chunked",
        "0\r\n\r\n",
        "400, closed",
        SAME,
    ),
    ("a space before the colon", "Transfer-Encoding : chunked", "0\r\n\r\n", "400, closed", SAME),
];

const CHUNKS: &[Post] = &[
    ("trailers", "Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\nX: y\r\n\r\n", "200 /a abc, open", SAME),
    (
        "a chunk extension",
        "Transfer-Encoding: chunked",
        "3;a=\"b\"\r\nabc\r\n0\r\n\r\n",
        "200 /a abc, open",
        SAME,
    ),
    (
        "a line feed in a chunk extension",
        "Transfer-Encoding: chunked",
        "3;a\nabc\r\n0\r\n\r\n",
        "400, closed",
        SAME,
    ),
    (
        "a chunk size with zeros before it",
        "Transfer-Encoding: chunked",
        "000000000000000000003\r\nabc\r\n0\r\n\r\n",
        "200 /a abc, open",
        SAME,
    ),
    (
        "a chunk size beyond 64 bits",
        "Transfer-Encoding: chunked",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "400, closed",
        SAME,
    ),
    ("a chunk size with 0x", "Transfer-Encoding: chunked", "0x3\r\nabc\r\n0\r\n\r\n", "400, closed", SAME),
    ("a chunk size with a sign", "Transfer-Encoding: chunked", "-3\r\nabc\r\n0\r\n\r\n", "400, closed", SAME),
    (
        "a space behind a chunk size",
        "Transfer-Encoding: chunked",
        "3 \r\nabc\r\n0\r\n\r\n",
        "200 /a abc, open",
        SAME,
    ),
    (
        "chunk lines that end in a line feed",
        "Transfer-Encoding: chunked",
        "3\nabc\n0\n\n",
        "400, closed",
        SAME,
    ),
    (
        "a chunk longer than its size",
        "Transfer-Encoding: chunked",
        "3\r\nabcd\r\n0\r\n\r\n",
        "400, closed",
        SAME,
    ),
    ("a trailer that is none", "Transfer-Encoding: chunked", "0\r\nX y\r\n\r\n", "400, closed", SAME),
    (
        "a length among the trailers",
        "Transfer-Encoding: chunked",
        "0\r\nContent-Length: 9\r\n\r\n",
        "200 /a, open",
        SAME,
    ),
];

const LINES: &[Other] = &[
    ("a header over two lines", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n", "400, closed", SAME),
    ("a first header that begins with a space", "GET /a HTTP/1.1\r\n Host: h\r\n\r\n", "400, closed", SAME),
    ("a carriage return in a value", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\rY: b\r\n\r\n", "400, closed", SAME),
    ("lines that end in a line feed", "GET /a HTTP/1.1\nHost: h\n\n", "200 /a, open", SAME),
    ("lines that end in a carriage return", "GET /a HTTP/1.1\rHost: h\r\r", "400, closed", SAME),
    ("NUL in a value", "GET /a HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n", "400, closed", SAME),
    ("NUL in a name", "GET /a HTTP/1.1\r\nHost: h\r\nX\0: a\r\n\r\n", "400, closed", SAME),
    ("no name", "GET /a HTTP/1.1\r\nHost: h\r\n: a\r\n\r\n", "400, closed", SAME),
    ("no colon", "GET /a HTTP/1.1\r\nHost: h\r\nX\r\n\r\n", "400, closed", SAME),
    ("empty lines before the request", "\r\n\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n", "200 /a, open", SAME),
    ("two spaces in the request line", "GET  /a HTTP/1.1\r\nHost: h\r\n\r\n", "400, closed", SAME),
    ("a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", "400, closed", SAME),
    ("a tab in the target", "GET /a\tb HTTP/1.1\r\nHost: h\r\n\r\n", "400, closed", SAME),
    ("HTTP/0.9", "GET /a\r\n\r\n", "400, closed", SAME),
    ("HTTP/1.2", "GET /a HTTP/1.2\r\nHost: h\r\n\r\n", "400, closed", SAME),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "closed", SAME),
    ("a method in lower case", "get /a HTTP/1.1\r\nHost: h\r\n\r\n", "200 /a, open", SAME),
    ("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03", "400, closed", SAME),
    (
        "requests one behind the other",
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 /a, 200 /b, open",
        SAME,
    ),
    (
        "the last request, and one behind it",
        "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 /a, closed",
        SAME,
    ),
    (
        "GET with a body",
        "GET /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabcGET /x HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 /a abc, 200 /x, open",
        SAME,
    ),
    (
        "chunked in HTTP/1.0",
        "POST /a HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "400, closed",
        SAME,
    ),
];

const TARGETS: &[Other] = &[
    ("no Host", "GET /a HTTP/1.1\r\n\r\n", "200 /a, open", "400, closed"),
    ("no Host in HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n", "200 /a, closed", SAME),
    ("an empty Host", "GET /a HTTP/1.1\r\nHost:\r\n\r\n", "200 /a, open", SAME),
    ("two Hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n", "200 /a, open", "400, closed"),
    ("two equal Hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", "200 /a, open", "400, closed"),
    ("two Hosts in a list", "GET /a HTTP/1.1\r\nHost: h, i\r\n\r\n", "200 /a, open", "400, closed"),
    ("a Host with a user", "GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n", "200 /a, open", "400, closed"),
    ("a Host with a path", "GET /a HTTP/1.1\r\nHost: h/a\r\n\r\n", "200 /a, open", "400, closed"),
    ("a Host with a port", "GET /a HTTP/1.1\r\nHost: h:8080\r\n\r\n", "200 /a, open", SAME),
    (
        "a Host with a port that is none",
        "GET /a HTTP/1.1\r\nHost: h:80x\r\n\r\n",
        "200 /a, open",
        "400, closed",
    ),
    ("a Host of IPv6", "GET /a HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "200 /a, open", SAME),
    ("a URI", "GET http://h/a HTTP/1.1\r\nHost: h\r\n\r\n", "200 http://h/a, open", SAME),
    ("a URI and another Host", "GET http://i/a HTTP/1.1\r\nHost: h\r\n\r\n", "200 http://i/a, open", SAME),
    (
        "a URI with a user",
        "GET http://u@h/a HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 http://u@h/a, open",
        "400, closed",
    ),
    (
        "a URI of another scheme",
        "GET ftp://h/a HTTP/1.1\r\nHost: h\r\n\r\n",
        "200 ftp://h/a, open",
        "400, closed",
    ),
    ("CONNECT", "CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", "200 , closed", "501, closed"),
    ("a host and port for GET", "GET h:80 HTTP/1.1\r\nHost: h\r\n\r\n", "200 h:80, open", "400, closed"),
    ("an asterisk for OPTIONS", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "200 *, open", SAME),
    ("an asterisk for GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n", "200 *, open", "400, closed"),
    ("no slash", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", "200 a, open", "400, closed"),
    ("a fragment", "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", "200 /a, open", SAME),
    ("dots", "GET /../../etc/passwd HTTP/1.1\r\nHost: h\r\n\r\n", "200 /../../etc/passwd, open", SAME),
    ("two slashes", "GET //h/a HTTP/1.1\r\nHost: h\r\n\r\n", "200 //h/a, open", SAME),
    ("a byte beyond ASCII", "GET /\u{ff} HTTP/1.1\r\nHost: h\r\n\r\n", "400, closed", SAME),
];
