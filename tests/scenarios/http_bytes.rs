//! Requests and replies as bytes: tables of what is understood in one way, and of what is refused.

use crate::harness::{Client, Fabric, Peer, Shape, Then, WebServer, web_request};
use crate::http_framing::{before, mirror};

/// Requests as bytes, and what is answered: statuses with the mirror's words, and whether the connection serves on.
#[test]
fn each_request_is_understood_in_one_way_or_refused() {
    let long = "a".repeat(40_000);
    let many = "X: y\r\n".repeat(101);
    let bearable = "X: y\r\n".repeat(90);
    let post = |headers: &str, body: &str| format!("POST /a HTTP/1.1\r\nHost: h\r\n{headers}\r\n{body}");
    let plain = |headers: &str| format!("GET /a HTTP/1.1\r\nHost: h\r\n{headers}\r\n");
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
    let hidden = "0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    let rows = [
        (plain(""), "200 GET /a , open"),
        (post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", hidden), "400, closed"),
        (post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", hidden), "400, closed"),
        (post("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"), "400, closed"),
        (post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab"), "400, closed"),
        (post("Content-Length: 2, 2\r\n", "ab"), "400, closed"),
        (post("Content-Length: +2\r\n", "ab"), "400, closed"),
        (post("Content-Length : 2\r\n", "ab"), "400, closed"),
        (post("Transfer-Encoding: xchunked\r\n", hidden), "400, closed"),
        (post("Transfer-Encoding: gzip, chunked\r\n", hidden), "501, closed"),
        (post("Transfer-Encoding: chunked, chunked\r\n", hidden), "400, closed"),
        (post("Transfer-Encoding:\x0bchunked\r\n", hidden), "400, closed"),
        (post("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\n"), "200 POST /a ab, open"),
        (post("Transfer-Encoding: chunked\r\n", "2\r\nabc\r\n0\r\n\r\n"), "400, closed"),
        (post("Transfer-Encoding: chunked\r\n", "-1\r\nab\r\n0\r\n\r\n"), "400, closed"),
        (post("Transfer-Encoding: chunked\r\n", "0x2\r\nab\r\n0\r\n\r\n"), "400, closed"),
        (post("Transfer-Encoding: chunked\r\n", "ffffffffffffffff2\r\nab\r\n0\r\n\r\n"), "400, closed"),
        (post("Content-Length: 2\r\nConnection: content-length\r\n", "ab"), "200 POST /a ab, open"),
        (plain("X: a\r\n b\r\n"), "400, closed"),
        (plain(" X: a\r\n"), "400, closed"),
        (plain("X: a\rb\r\n"), "400, closed"),
        (plain("X: a\0b\r\n"), "400, closed"),
        (plain("X\r\n"), "400, closed"),
        (plain("X y: z\r\n"), "400, closed"),
        (plain(": z\r\n"), "400, closed"),
        (plain("Host: i\r\n"), "400, closed"),
        ("GET /a HTTP/1.1\r\n\r\n".to_owned(), "400, closed"),
        ("GET /a HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), "400, closed"),
        ("GET /a HTTP/1.1\r\nHost: u@h\r\n\r\n".to_owned(), "400, closed"),
        ("GET /a HTTP/1.1\r\nHost: h/b\r\n\r\n".to_owned(), "400, closed"),
        ("GET /a HTTP/2.0\r\nHost: h\r\n\r\n".to_owned(), "400, closed"),
        ("GET /a HTTP/1.2\r\nHost: h\r\n\r\n".to_owned(), "400, closed"),
        ("GET /a\r\n\r\n".to_owned(), "400, closed"),
        ("GET  /a HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "400, closed"),
        ("G<T /a HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "400, closed"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), "closed"),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n".to_owned(), "400, closed"),
        ("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n".to_owned(), "501, closed"),
        ("\r\nGET /a HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "200 GET /a , open"),
        (target("a"), "400, closed"),
        (target("*"), "400, closed"),
        (target("h:80"), "400, closed"),
        (target("ftp://h/a"), "400, closed"),
        (target("http://u@h/a"), "400, closed"),
        (target("http://i/a?b"), "200 GET /a?b , open"),
        (target("HTTP://i/a"), "200 GET /a , open"),
        (target("http://i"), "200 GET / , open"),
        (target("http://i?b"), "200 GET /?b , open"),
        (target("//i/a"), "200 GET //i/a , open"),
        (target("/a#b"), "200 GET /a , open"),
        (target("/a\\b"), "200 GET /a\\b , open"),
        (target("/a|b\"{}"), "200 GET /a|b\"{} , open"),
        (target("/%zz"), "200 GET /%zz , open"),
        (target("/ñ"), "200 GET /ñ , open"),
        (target(&format!("/{long}{long}")), "431, closed"),
        (target(&format!("/{}", &long[..20_000])), "200, open"),
        ("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "200 OPTIONS * , open"),
        (
            "FROBNICATE /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\nx".to_owned(),
            "200 FROBNICATE /a x, open",
        ),
        (plain(&bearable), "200 GET /a , open"),
        (plain(&many), "431, closed"),
        (plain(&format!("X: {long}\r\n")), "431, closed"),
        (post("Content-Length: 1000001\r\n", ""), "413, closed"),
        (post("Content-Length: 18446744073709551615\r\n", ""), "431, closed"),
        (post("Content-Length: 18446744073709551616\r\n", ""), "400, closed"),
        (
            post("Transfer-Encoding: chunked\r\n", &format!("f4241\r\n{}", "b".repeat(1_000_001))),
            "413, closed",
        ),
        (plain("Upgrade: websocket\r\nConnection: upgrade\r\n"), "200 GET /a , open"),
        (plain("Expect: a-miracle\r\n"), "200 GET /a , open"),
        (
            plain("Transfer-Encoding: chunked\r\n").replace("\r\n\r\n", "\r\n\r\n0\r\n\r\n"),
            "200 GET /a , open",
        ),
        ("TRACE /a HTTP/1.1\r\nHost: h\r\n\r\n".to_owned(), "200 TRACE /a , open"),
    ];
    let server = mirror();
    let fabric = before(&server, Shape::Inproc).set("max_body", "1000000B").start();
    let wrong: Vec<String> = rows
        .iter()
        .filter_map(|(request, expected)| {
            let outcome = outcome(&fabric, request, expected.contains("200 "));
            let shown: String = request.escape_debug().to_string().chars().take(150).collect();
            (outcome != *expected).then(|| format!("{shown}\n  expected {expected}\n  was      {outcome}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(server.count_of("/hidden"), 0);
    fabric.expect_all_running();
}

/// What comes of a request, with the words of what answers it if those matter.
fn outcome(fabric: &Fabric, request: &str, has_words: bool) -> String {
    let mut client = Client::connect(fabric.address());
    // What is refused early may be cut off before it is all said.
    let _ = client.try_send(request);
    let Ok(answer) = client.try_answer_to("GET") else { return "closed".to_owned() };
    let words = if has_words { format!(" {}", answer.text()) } else { String::new() };
    if answer.header("connection") == Some("close") {
        let (_, rest) = client.rest();
        return format!("{}{words}, closed{}", answer.status, rest.escape_ascii());
    }
    let next = client.get("/next").text();
    let state = if next == "GET /next " { "open" } else { "out of step" };
    format!("{}{words}, {state}", answer.status)
}

/// Fails if a reply is passed on that means something between a server and us only, or two things.
#[test]
fn each_reply_is_understood_in_one_way_or_refused() {
    let rows: &[(&[u8], &str)] = &[
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok"),
        (b"HTTP/1.0 200 OK\r\n\r\nok", "200 ok"),
        (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", "200 ok"),
        (b"HTTP/1.1 299 Never Heard\r\nContent-Length: 2\r\n\r\nok", "299 ok"),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok"),
        (b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "200 ok"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nboo", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nok", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "200 ok"),
        (b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 2\r\n\r\nok", "502"),
        (b"HTTP/1.1 200 OK\r\nX: a\0b\r\nContent-Length: 2\r\n\r\nok", "502"),
        (b"HTTP/2 200 OK\r\n\r\n", "502"),
        (b"ICY 200 OK\r\n\r\n", "502"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "502"),
        (b"\x15\x03\x01\0\x02\x02\x0a", "502"),
        (b"HTTP/1.1 99 Low\r\n\r\n", "502"),
        (b"HTTP/1.1 abc Word\r\n\r\n", "502"),
        (b"HTTP/1.1 200 OK\r\nContent-", "502"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "502"),
        (b"", "502"),
    ];
    let server = WebServer::by_hand(move |asked, peer: &mut Peer| {
        peer.write(rows[asked.target()[1..].parse::<usize>().unwrap()].0);
        Then::Close
    });
    let fabric = before(&server, Shape::Inproc).start();
    let mut wrong = Vec::new();
    for (number, (said, expected)) in rows.iter().enumerate() {
        let mut client = Client::connect(fabric.address());
        client.send(web_request("GET", &format!("/{number}"), "", b""));
        let outcome = match client.try_answer_to("GET") {
            Ok(answer) if answer.status == 502 => "502".to_owned(),
            Ok(answer) => format!("{} {}", answer.status, answer.text()),
            Err(error) => error.to_string(),
        };
        if outcome != *expected {
            wrong.push(format!("{}\n  expected {expected}\n  was      {outcome}", said.escape_ascii()));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
}
