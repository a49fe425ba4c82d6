//! Where requests and replies begin and end: in pieces, in rows, chunked, unfinished, and such that two programs could
//! disagree about it.

use crate::harness::{
    Client, Fabric, Peer, Plan, Shape, Then, WebServer, eventually, get, ok, read_body, reply, web_request,
};
use crate::http_cache::noise;
use crate::in_every_shape;

in_every_shape!(
    requests_come_in_pieces_in_rows_and_one_after_the_other,
    bodies_are_chunked_both_ways_with_their_trailers,
    a_client_that_expects_100_gets_it_before_its_body_and_not_when_it_is_refused,
    a_reply_without_a_length_ends_with_its_connection,
    what_a_server_says_too_much_is_nobodys_answer,
    a_reply_that_is_early_reaches_who_is_still_uploading,
    a_server_that_closes_after_each_reply_loses_no_request,
);

/// Answers with the request's method, target and body.
fn mirror() -> WebServer {
    WebServer::answering(|asked| {
        ok(&[format!("{} {} ", asked.method(), asked.target()).as_bytes(), &asked.body].concat())
    })
}

fn before(server: &WebServer, shape: Shape) -> Plan {
    Fabric::shaped(shape).web().forward_to(server.address()).set("ttl", "0s").set("eject_after", "100000")
}

/// Fails if a request has to come in one read, or answers can overtake each other.
fn requests_come_in_pieces_in_rows_and_one_after_the_other(shape: Shape) {
    let server = mirror();
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());
    for byte in web_request("POST", "/pieces", "", b"body") {
        client.send([byte]);
    }
    assert_eq!(client.answer().text(), "POST /pieces body");

    let row: Vec<u8> = (0..100)
        .flat_map(|number| {
            let method = ["GET", "POST", "PUT"][number % 3];
            let body: &[u8] = if method == "GET" { b"" } else { b"xyz" };
            web_request(method, &format!("/{number}"), "", body)
        })
        .collect();
    client.send(&row);
    for number in 0..100 {
        let expected = ["GET /# ", "POST /# xyz", "PUT /# xyz"][number % 3].replace('#', &number.to_string());
        assert_eq!(client.answer().text(), expected);
    }
    assert!(server.accepted() <= 2, "{} connections for requests one after the other", server.accepted());

    // The first closes unless it asks not to; a later version keeps open unless it asks to close.
    let mut old = Client::connect(fabric.address());
    let answer = old.send("GET /old HTTP/1.0\r\n\r\n").answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "GET /old "), "{answer:?}");
    old.expect_close();
    let mut kept = Client::connect(fabric.address());
    for _ in 0..2 {
        let answer = kept.send("GET /kept HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").answer();
        assert_eq!((answer.text().as_str(), answer.header("connection")), ("GET /kept ", Some("keep-alive")));
    }
    let answer = client.ask("GET", "/last", "Connection: close\r\n", b"");
    assert_eq!(answer.header("connection"), Some("close"));
    client.expect_close();
}

/// Fails if a chunk, an extension or a trailer moves where a body ends, or is lost.
fn bodies_are_chunked_both_ways_with_their_trailers(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        let Some(asked) = read_body(asked, peer) else { return Then::Close };
        let trailers = asked.trailers.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
        let trailers: String = trailers.collect();
        let mut said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n".to_vec();
        for chunk in asked.body.chunks(1000) {
            said.extend(format!("{:x};name=\"a b\"\r\n", chunk.len()).into_bytes());
            said.extend(chunk);
            said.extend(b"\r\n");
        }
        said.extend(format!("0\r\n{trailers}\r\n").into_bytes());
        peer.write(&said);
        Then::GoOn
    });
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());
    for length in [0, 1, 999, 100_000] {
        let body = noise(length);
        let mut said =
            b"POST /a HTTP/1.1\r\nHost: h\r\nTE: trailers\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
        for chunk in body.chunks(777) {
            said.extend(format!("{:X};x\r\n", chunk.len()).into_bytes());
            said.extend(chunk);
            said.extend(b"\r\n");
        }
        said.extend(b"0\r\nX-Sum: 1\r\n\r\n");
        let answer = client.send(said).answer();
        assert!(answer.body == body, "{length} bytes: {}", answer.line);
        assert_eq!(answer.trailers, [("x-sum".to_owned(), "1".to_owned())]);
    }
    assert_eq!(server.accepted(), 1, "connections for requests one after the other");
}

/// Fails if 100 is not sent, is sent beside a refusal, or a server's own reaches the client twice.
fn a_client_that_expects_100_gets_it_before_its_body_and_not_when_it_is_refused(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        if asked.header("expect").is_some() {
            peer.write(b"HTTP/1.1 100 Continue\r\n\r\n");
        }
        let Some(asked) = read_body(asked, peer) else { return Then::Close };
        peer.write(&ok(&asked.body));
        Then::GoOn
    });
    let fabric = before(&server, shape).set("max_body", "1000B").start();
    let mut client = Client::connect(fabric.address());
    for _ in 0..2 {
        client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
        assert_eq!(client.head().status, 100);
        let answer = client.send("body").answer();
        assert_eq!((answer.text().as_str(), answer.interim.len()), ("body", 0), "{answer:?}");
    }
    client.send("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n");
    let answer = client.answer();
    assert_eq!((answer.status, answer.interim.len()), (413, 0), "{answer:?}");
    client.expect_close();
}

/// Fails if the end of such a connection is an error, or its reply's end is not told to the client.
fn a_reply_without_a_length_ends_with_its_connection(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        peer.write(b"HTTP/1.1 200 OK\r\n\r\n");
        if asked.target() == "/long" {
            peer.write(&noise(3_000_000));
        }
        peer.write(b"the end");
        Then::Close
    });
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());
    for _ in 0..3 {
        assert_eq!(client.get("/short").text(), "the end");
        assert!(client.get("/long").body == [&noise(3_000_000), &b"the end"[..]].concat());
    }
    let mut old = Client::connect(fabric.address());
    assert_eq!(old.send("GET /short HTTP/1.0\r\n\r\n").answer().text(), "the end");
    old.expect_close();
}

/// Fails if bytes behind a reply become the answer to the next request: another client's.
fn what_a_server_says_too_much_is_nobodys_answer(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        read_body(asked, peer);
        let second = reply("200 OK", "", b"poison");
        let first = match asked.target() {
            "/204" => b"HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\npoison".to_vec(),
            "/304" => b"HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\npoison".to_vec(),
            "/twice" => [ok(b"first"), second].concat(),
            "/head" => ok(b"no body belongs here"),
            "/long" => b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n".to_vec(),
            target => ok(target.as_bytes()),
        };
        peer.write(&first);
        Then::GoOn
    });
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());
    for round in 0..10 {
        let odd = [
            ("GET", "/204", 204),
            ("GET", "/304", 304),
            ("GET", "/twice", 200),
            ("HEAD", "/head", 200),
            ("GET", "/long", 200),
        ];
        for (method, target, status) in odd {
            assert_eq!(client.ask(method, target, "", b"").status, status, "{target}");
            let next = format!("/next-{round}");
            assert_eq!(client.get(&next).text(), next, "behind {target}");
            let posted = client.ask("GET", &next, "", b"");
            assert_eq!(posted.text(), next, "behind {target}");
        }
    }
}

/// Fails if a reply is held until the request is whole, or is lost because the server reads no more.
fn a_reply_that_is_early_reaches_who_is_still_uploading(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        match asked.target() {
            "/close" => {
                peer.write(&reply("413 Content Too Large", "Connection: close\r\n", b"too much"));
                Then::Close
            }
            "/deaf" => {
                peer.write(&reply("403 Forbidden", "", b"no"));
                peer.hold();
                Then::Close
            }
            _ => {
                // In turns: a piece of the answer for each piece of the question.
                peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
                while let Some(piece) = peer.read_some(5) {
                    peer.write(&[b"5\r\n", &piece[..], b"\r\n"].concat());
                    if piece == b"last!" {
                        break;
                    }
                }
                peer.write(b"0\r\n\r\n");
                Then::GoOn
            }
        }
    });
    let fabric = before(&server, shape).start();
    for (target, status) in [("/close", 413), ("/deaf", 403)] {
        let mut client = Client::connect(fabric.address());
        client.send(format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: 50000000\r\n\r\n"));
        client.send(noise(10_000));
        let answer = client.answer();
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        // Nobody has to wait for it.
        assert_eq!(Client::connect(fabric.address()).ask("POST", "/turns", "", b"last!").text(), "last!");
        // It may go on sending; nothing of that is answered, and nobody is harmed.
        let _ = client.try_send(noise(1_000_000));
    }
    let mut client = Client::connect(fabric.address());
    client.send("POST /turns HTTP/1.1\r\nHost: h\r\nContent-Length: 15\r\n\r\n");
    assert_eq!(client.head().status, 200);
    for piece in ["first", "then.", "last!"] {
        client.send(piece);
        assert_eq!(client.read_exactly(10).unwrap(), format!("5\r\n{piece}\r\n").as_bytes());
    }
    assert_eq!(client.read_exactly(5).unwrap(), b"0\r\n\r\n");
    assert_eq!(client.ask("POST", "/turns", "", b"last!").text(), "last!", "the connection serves on");
}

/// Fails if a connection that its server has closed is taken for one that can be used.
fn a_server_that_closes_after_each_reply_loses_no_request(shape: Shape) {
    let server = WebServer::by_hand(|asked, peer| {
        let Some(whole) = read_body(asked, peer) else { return Then::Close };
        let says = if asked.target() == "/says" { "Connection: close\r\n" } else { "" };
        peer.write(&reply("200 OK", says, &whole.body));
        Then::Close
    });
    let fabric = before(&server, shape).start();
    let mut client = Client::connect(fabric.address());
    for number in 0..50 {
        assert_eq!(client.ask("POST", "/says", "", b"body").text(), "body", "{number}");
    }
    // Without a word of it, what may be repeated is.
    for number in 0..50 {
        assert_eq!(client.get("/does").status, 200, "{number}");
    }
}

/// Fails if a connection that its server has closed long ago is used for a request that cannot be repeated.
#[test]
fn a_connection_that_its_server_has_closed_gets_no_request() {
    let server = WebServer::by_hand(|asked, peer| {
        let Some(asked) = read_body(asked, peer) else { return Then::Close };
        peer.write(&ok(&asked.body));
        Then::Close
    });
    let fabric = before(&server, Shape::Inproc).start();
    let mut client = Client::connect(fabric.address());
    for _ in 0..20 {
        assert_eq!(client.ask("POST", "/a", "", b"body").text(), "body");
        let connections = || fabric.front().connections_to(server.address());
        eventually("it has heard of the end", || connections().is_empty());
    }
}

/// Fails if what an old client cannot understand is sent to it.
#[test]
fn a_chunked_reply_to_an_old_client_ends_with_its_connection() {
    let server = WebServer::by_hand(|_, peer| {
        peer.write(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n",
        );
        Then::GoOn
    });
    let fabric = Fabric::shaped(Shape::Inproc).web().forward_to(server.address()).start();
    for keep in ["", "Connection: keep-alive\r\n"] {
        for _ in 0..2 {
            let mut old = Client::connect(fabric.address());
            old.send(format!("GET /a HTTP/1.0\r\nHost: h\r\n{keep}\r\n"));
            let head = old.head();
            assert_eq!(head.header("transfer-encoding"), None, "{head:?}");
            if head.header("content-length").is_none() {
                assert_eq!(old.rest().1, b"abcde");
            } else {
                assert_eq!(old.read_exactly(5).unwrap(), b"abcde");
            }
        }
    }
    assert_eq!(server.count(), 1);
}

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
    let answer = match client.try_answer_to("GET") {
        Ok(answer) => answer,
        Err(_) => return "closed".to_owned(),
    };
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
        // A POST, which is asked once.
        client.send(web_request("POST", &format!("/{number}"), "", b""));
        let outcome = match client.try_answer_to("POST") {
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

/// Fails if fields are lost, joined, reordered among their like, or changed on their way, or hop-by-hop ones pass.
#[test]
fn fields_pass_as_they_are_and_those_of_one_hop_do_not() {
    let server = WebServer::answering(|asked| {
        let fields = "X-Case: MiXeD\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Empty:\r\nX-Bytes: \u{fc}\u{df}\r\n\
                      Connection: keep-alive, x-hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nVary: a\r\nVary: b\r\n\
                      Proxy-Authenticate: Basic\r\n";
        assert_eq!(asked.header("x-hop"), None);
        reply("200 Fine By Me", fields, b"")
    });
    let fabric = before(&server, Shape::Inproc).start();
    let mut client = Client::connect(fabric.address());
    let fields = "X-Many: 1\r\nx-many: 2\r\nX-MANY: 3\r\nX-Bytes: \u{fc}\r\nCookie: a=b; c=\"d\"\r\nX-Empty:\r\n\
                  Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nX-Tabs: a\tb\r\n";
    let answer = client.ask("GET", "/a?b=c&d", fields, b"");
    let asked = server.last();
    let all = |headers: &[(String, String)], name: &str| -> Vec<String> {
        headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    };
    assert_eq!(asked.line, "GET /a?b=c&d HTTP/1.1");
    assert_eq!(all(&asked.headers, "x-many"), ["1", "2", "3"]);
    assert_eq!(all(&asked.headers, "x-bytes"), ["\u{fc}"]);
    assert_eq!(all(&asked.headers, "cookie"), ["a=b; c=\"d\""]);
    assert_eq!(all(&asked.headers, "x-empty"), [""]);
    assert_eq!(all(&asked.headers, "x-tabs"), ["a\tb"]);
    assert_eq!(all(&asked.headers, "host"), ["h"]);
    assert_eq!(all(&asked.headers, "x-forwarded-for"), ["127.0.0.1"]);
    for gone in ["x-hop", "keep-alive", "connection"] {
        assert!(all(&asked.headers, gone).is_empty(), "{gone}: {asked:?}");
    }
    assert_eq!(all(&answer.headers, "set-cookie"), ["a=1", "b=2"]);
    assert_eq!(all(&answer.headers, "vary"), ["a", "b"]);
    assert_eq!(all(&answer.headers, "x-case"), ["MiXeD"]);
    assert_eq!(all(&answer.headers, "x-bytes"), ["\u{fc}\u{df}"]);
    for gone in ["x-hop", "keep-alive", "proxy-authenticate"] {
        assert!(all(&answer.headers, gone).is_empty(), "{gone}: {answer:?}");
    }
}

/// Fails if who has closed its half goes on holding a server, or is waited for.
#[test]
fn who_closes_its_half_while_it_waits_has_left() {
    let server = WebServer::by_hand(|asked, peer| {
        if asked.target() == "/held" {
            // Until nobody waits for it.
            while peer.read().is_some() {}
            return Then::Close;
        }
        peer.write(&ok(asked.target().as_bytes()));
        Then::GoOn
    });
    let fabric = before(&server, Shape::Inproc).set("max_connections", "1").start();
    let mut client = Client::connect(fabric.address());
    client.send(web_request("GET", "/held", "", b""));
    server.expect_count(1);
    client.half_close().expect_close();
    assert_eq!(get(fabric.address(), "/next").text(), "/next", "its place is free");
    eventually("it is gone", || fabric.report().value()["routes"][0]["http"]["clients"].as_u64() == Some(0));
}
