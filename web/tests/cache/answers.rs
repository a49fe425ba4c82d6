//! What a client gets of an entry: all of it, a part, or the word that he has it already.

use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert_eq, proptest};

use crate::site::{MIB, Site, at, bytes, get, reply, request, settings};

const SEGMENT: usize = 256 * 1024;

fn site(headers: &[&str], body: &[u8]) -> Site {
    let site = Site::open(settings(60));
    assert!(site.fetch(&get("/a"), &reply(200, headers), body, at(0)));
    site
}

#[test]
fn a_hit_has_its_age_and_says_that_it_is_one() {
    let headers =
        ["content-type: text/plain", "x-a: 1", "x-a: 2", "connection: x-gone", "x-gone: 1", "te: x"];
    let site = site(&headers, b"body");
    let answer = site.hit(&get("/a"), at(7));

    assert_eq!((answer.header("age"), answer.header("cache-status")), ("7", "pegloom; hit; ttl=53"));
    assert_eq!((answer.header("content-type"), answer.header("content-length")), ("text/plain", "4"));
    assert_eq!(answer.headers.get_all("x-a").iter().collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(answer.header("date"), "Tue, 14 Nov 2023 22:13:20 GMT");
    for gone in ["connection", "x-gone", "te"] {
        assert!(!answer.headers.contains_key(gone), "{gone}");
    }
}

#[test]
fn what_other_caches_said_comes_first() {
    let site = site(&["cache-status: other; hit", "age: 5"], b"body");
    let answer = site.hit(&get("/a"), at(1));

    let said: Vec<_> = answer.headers.get_all("cache-status").iter().collect();
    assert_eq!(said, ["other; hit", "pegloom; hit; ttl=54"]);
    assert_eq!(answer.headers.get_all("age").iter().collect::<Vec<_>>(), ["6"]);
}

/// Fails if the body of HEAD is taken from the entry, or its length from the body.
#[test]
fn head_has_the_length_and_no_body() {
    let site = site(&[], b"body");
    let answer = site.hit(&request("HEAD", "/a", &[]), at(0));

    assert_eq!((answer.header("content-length"), answer.body.len()), ("4", 0));
    assert_eq!(site.hit(&get("/a"), at(0)).body, "body");
}

/// Fails if tags are compared strongly, or the date where there is a tag.
#[test]
fn who_has_it_is_told_so() {
    let headers = ["etag: \"1\"", "last-modified: Tue, 14 Nov 2023 22:13:20 GMT", "content-type: a/b"];
    let site = site(&headers, b"body");
    let cases: [(&[&str], u16); 9] = [
        (&["if-none-match: \"1\""], 304),
        (&["if-none-match: W/\"1\""], 304),
        (&["if-none-match: \"0\", \"1\""], 304),
        (&["if-none-match: *"], 304),
        (&["if-none-match: \"2\""], 200),
        (&["if-none-match: \"2\"", "if-modified-since: Tue, 14 Nov 2023 22:13:20 GMT"], 200),
        (&["if-modified-since: Tue, 14 Nov 2023 22:13:20 GMT"], 304),
        (&["if-modified-since: Tue, 14 Nov 2023 22:13:19 GMT"], 200),
        (&["if-modified-since: yesterday"], 200),
    ];
    for (headers, status) in cases {
        for method in ["GET", "HEAD"] {
            let answer = site.hit(&request(method, "/a", headers), at(0));
            assert_eq!(answer.status, status, "{method} {headers:?}");
            assert_eq!(answer.header("etag"), "\"1\"");
            assert_eq!(answer.header("content-length"), if status == 304 { "" } else { "4" });
            assert_eq!(answer.body.len(), if status == 304 || method == "HEAD" { 0 } else { 4 });
        }
    }
}

#[test]
fn a_range_has_its_place_and_its_length() {
    let site = site(&["etag: \"1\"", "content-type: a/b"], b"0123456789");
    let part = |range: &str| site.hit(&request("GET", "/a", &[&format!("range: {range}")]), at(0));

    let answer = part("bytes=2-4");
    assert_eq!((answer.status.as_u16(), &*answer.body), (206, &b"234"[..]));
    assert_eq!((answer.header("content-range"), answer.header("content-length")), ("bytes 2-4/10", "3"));
    assert_eq!((answer.header("content-type"), answer.header("etag")), ("a/b", "\"1\""));
    assert_eq!(part("bytes=-3").body, "789");
    assert_eq!(part("bytes=8-99").header("content-range"), "bytes 8-9/10");

    let answer = part("bytes=10-");
    assert_eq!((answer.status.as_u16(), answer.header("content-range")), (416, "bytes */10"));
    assert_eq!((answer.header("content-length"), answer.body.len()), ("0", 0));
    assert_eq!(part("bytes=0-1,4-5").status, 200);
}

/// Fails if a part is put to a whole that the client does not have.
#[test]
fn a_range_is_given_only_of_what_the_client_has() {
    let modified = "last-modified: Tue, 14 Nov 2023 22:13:20 GMT";
    let strong = site(&["etag: \"1\"", modified], b"0123456789");
    let weak = site(&["etag: W/\"1\""], b"0123456789");
    let cases = [
        (&strong, "\"1\"", 206),
        (&strong, "\"2\"", 200),
        (&strong, "Tue, 14 Nov 2023 22:13:20 GMT", 206),
        (&strong, "Tue, 14 Nov 2023 22:13:21 GMT", 200),
        (&weak, "W/\"1\"", 200),
        (&weak, "\"1\"", 200),
    ];
    for (site, condition, status) in cases {
        let asked = request("GET", "/a", &["range: bytes=2-4", &format!("if-range: {condition}")]);
        assert_eq!(site.hit(&asked, at(0)).status, status, "{condition}");
    }
    assert_eq!(strong.hit(&request("HEAD", "/a", &["range: bytes=2-4"]), at(0)).status, 200);
}

#[test]
fn a_reply_that_is_not_200_is_answered_whole() {
    let site = Site::open(settings(60));
    site.fetch(&get("/a"), &reply(404, &["etag: \"1\""]), b"none", at(0));
    let answer = site.hit(&request("GET", "/a", &["if-none-match: \"1\"", "range: bytes=0-0"]), at(0));

    assert_eq!((answer.status.as_u16(), &*answer.body), (404, &b"none"[..]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Fails if a segment is cut at the wrong place, in memory or on disk.
    #[test]
    fn any_range_is_that_slice(
        length in (0..4_usize, 0..3_usize).prop_map(|(segments, more)| segments * SEGMENT + more),
        (first, last) in any::<(u32, u32)>(),
        on_disk in any::<bool>(),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let disk = on_disk.then(|| (folder.path().to_owned(), 64 * MIB));
        let site = Site::open(web::cache::Settings { disk, ..settings(60) });
        let body = bytes(1, length);
        site.fetch(&get("/a"), &reply(200, &[]), &body, at(0));
        let (first, last) = (first as usize % (length + 2), last as usize % (length + 2));
        let answer = site.hit(&request("GET", "/a", &[&format!("range: bytes={first}-{last}")]), at(0));

        let (status, expected) = match body.get(first..length.min(last + 1)) {
            _ if last < first => (200, &*body),
            Some(part) if !part.is_empty() => (206, part),
            _ => (416, &[][..]),
        };
        prop_assert_eq!(answer.status.as_u16(), status);
        assert!(answer.body == expected, "{first}-{last} of {length}");
    }
}
