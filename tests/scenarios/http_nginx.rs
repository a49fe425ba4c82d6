//! nginx behind it, as many will have it.

use crate::harness::{Client, Fabric, Nginx, Shape, eventually, get};
use crate::http_cache::noise;
use crate::in_every_shape;

in_every_shape!(nginx_serves_through_it_what_it_would_serve_by_itself);

/// Fails if connections to a real server are not used again, or its lengths, parts, codings or validators are not kept.
fn nginx_serves_through_it_what_it_would_serve_by_itself(shape: Shape) {
    let large = noise(50_000_000);
    let text = "the same again and again\n".repeat(400);
    let files: [(&str, &[u8]); 4] =
        [("large", &large), ("text.html", text.as_bytes()), ("brief", b"it lasts a second"), ("empty", b"")];
    let Some(nginx) = Nginx::serving(&files) else { return };

    let plain = Fabric::shaped(shape).web().forward_to(nginx.address()).set("ttl", "0s").start();
    let mut client = Client::connect(plain.address());
    for (name, bytes) in files {
        assert!(client.get(&format!("/{name}")).body == bytes, "{name}");
    }
    for _ in 0..30 {
        assert_eq!(client.get("/text.html").text(), text);
    }
    let mut connections: Vec<u64> = nginx.log().iter().map(|(connection, ..)| *connection).collect();
    assert!(connections.len() >= 34, "{connections:?}");
    connections.dedup();
    assert_eq!(connections.len(), 1, "every request went over the same connection");
    let part = client.ask("GET", "/large", "Range: bytes=1000000-1999999\r\n", b"");
    assert!(part.status == 206 && part.body == large[1_000_000..2_000_000], "{}", part.line);
    let head = client.ask("HEAD", "/large", "", b"");
    assert_eq!((head.status, head.header("content-length")), (200, Some("50000000")));
    assert_eq!(client.get("/missing").status, 404);
    assert_eq!(client.ask("POST", "/brief", "", b"x").status, 405);
    let packed = client.ask("GET", "/text.html", "Accept-Encoding: gzip\r\n", b"");
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.starts_with(b"\x1f\x8b") && packed.body.len() < text.len() / 4);

    let cached =
        Fabric::shaped(shape).web().forward_to(nginx.address()).set("cache_memory", "256MiB").start();
    let asked = |what: &str| nginx.log().iter().filter(|(.., request)| request.contains(what)).count();
    let before = asked("/large");
    for _ in 0..2 {
        assert!(get(cached.address(), "/large").body == large);
    }
    let mut client = Client::connect(cached.address());
    let part = client.ask("GET", "/large", "Range: bytes=-10\r\n", b"");
    assert!(part.status == 206 && part.body == large[large.len() - 10..], "{part:?}");
    assert_eq!(asked("/large"), before + 1);
    let first = client.get("/text.html");
    let since = format!("If-Modified-Since: {}\r\n", first.header("last-modified").unwrap());
    assert_eq!(client.ask("GET", "/text.html", &since, b"").status, 304);
    // The other variant is one of its own.
    let packed = client.ask("GET", "/text.html", "Accept-Encoding: gzip\r\n", b"");
    assert_eq!((packed.header("content-encoding"), packed.is_hit()), (Some("gzip"), false));
    assert_eq!(client.get("/text.html").text(), text);

    assert_eq!(client.get("/brief").text(), "it lasts a second");
    let renewed =
        || nginx.log().iter().any(|(_, status, request)| *status == 304 && request.contains("/brief"));
    eventually("nginx says that it still holds", || {
        assert_eq!(client.get("/brief").text(), "it lasts a second");
        renewed()
    });
}
