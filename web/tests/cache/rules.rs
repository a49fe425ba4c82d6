//! RFC 9111 for a shared cache, as a table: a reply, a later request, and what the cache makes of it.

use web::cache::Unkept;

use crate::site::{MIB, Site, at, bytes, get, reply, request, settings, word};

/// The first request, the reply to it, the second request, how many seconds later, and what is found for it.
struct Case(
    &'static [&'static str],
    u16,
    &'static [&'static str],
    &'static [&'static str],
    u64,
    &'static str,
);

#[track_caller]
fn check(ttl: u64, cases: &[Case]) {
    assert!(!cases.is_empty());
    for Case(first, status, headers, second, later, expected) in cases {
        let site = Site::open(settings(ttl));
        site.fetch(&request("GET", "/a", first), &reply(*status, headers), b"body", at(0));
        let found = site.look(&request("GET", "/a", second), at(*later));
        assert_eq!(
            word(&found),
            *expected,
            "{first:?} {status} {headers:?}, then {second:?} after {later} s"
        );
    }
}

/// Fails if a reply that says how long it lasts is given the ttl.
#[test]
fn a_reply_is_fresh_as_long_as_it_says() {
    check(
        2,
        &[
            Case(&[], 200, &["cache-control: max-age=10"], &[], 9, "fresh"),
            Case(&[], 200, &["cache-control: max-age=10", "etag: \"1\""], &[], 10, "stale"),
            Case(&[], 200, &["cache-control: max-age=10, s-maxage=5"], &[], 4, "fresh"),
            Case(&[], 200, &["cache-control: max-age=10, s-maxage=5"], &[], 5, "stale"),
            Case(&[], 200, &["cache-control: max-age=10", "age: 8"], &[], 1, "fresh"),
            Case(&[], 200, &["cache-control: max-age=10", "age: 8"], &[], 2, "stale"),
            Case(&[], 200, &["cache-control: max-age=10", "expires: 0"], &[], 9, "fresh"),
            Case(
                &[],
                200,
                &["date: Tue, 14 Nov 2023 22:13:20 GMT", "expires: Tue, 14 Nov 2023 22:13:30 GMT"],
                &[],
                9,
                "fresh",
            ),
            Case(&[], 200, &["cache-control: max-age=10, proxy-revalidate"], &[], 9, "fresh"),
            Case(
                &[],
                200,
                &["cache-control: max-age=10, proxy-revalidate"],
                &["cache-control: max-stale"],
                11,
                "stale",
            ),
            Case(&[], 200, &["expires: 0"], &[], 0, "missing"),
            Case(&[], 200, &["expires: 0", "etag: \"1\""], &[], 0, "stale"),
            Case(&[], 200, &["cache-control: max-age=99999999999999999"], &[], 9, "fresh"),
            Case(
                &[],
                200,
                &["cache-control: max-age=18446744073709551615", "age: 7"],
                &["cache-control: max-stale"],
                9,
                "fresh",
            ),
            Case(
                &[],
                200,
                &["etag: \"1\"", "age: 18446744073709551615"],
                &["cache-control: max-stale"],
                9,
                "fresh",
            ),
            Case(
                &[],
                200,
                &["etag: \"1\"", "age: 18446744073709551615"],
                &["cache-control: max-stale=5"],
                9,
                "stale",
            ),
        ],
    );
}

/// Fails if the ttl is given to what says no-cache, or to statuses that are not cacheable by themselves.
#[test]
fn the_ttl_is_for_replies_that_say_nothing() {
    check(
        2,
        &[
            Case(&[], 200, &[], &[], 1, "fresh"),
            Case(&[], 200, &[], &[], 3, "stale"),
            Case(&[], 200, &["cache-control: public"], &[], 1, "fresh"),
            Case(&[], 200, &["last-modified: Tue, 14 Nov 2000 22:13:20 GMT"], &[], 3, "stale"),
            Case(&[], 404, &[], &[], 1, "fresh"),
            Case(&[], 301, &["location: /b"], &[], 1, "fresh"),
            Case(&[], 302, &["location: /b"], &[], 1, "missing"),
            Case(&[], 302, &["cache-control: max-age=5"], &[], 1, "fresh"),
            Case(&[], 500, &[], &[], 1, "missing"),
            Case(&[], 500, &["cache-control: max-age=5"], &[], 1, "missing"),
            Case(&[], 502, &[], &[], 1, "missing"),
            Case(&[], 206, &["content-range: bytes 0-3/9"], &[], 1, "missing"),
            Case(&[], 206, &["cache-control: max-age=5", "content-range: bytes 0-3/9"], &[], 1, "missing"),
            Case(&[], 304, &["cache-control: max-age=5"], &[], 1, "missing"),
            Case(&[], 200, &["cache-control: no-cache"], &[], 0, "missing"),
            Case(&[], 200, &["pragma: no-cache"], &[], 0, "missing"),
        ],
    );
}

/// Fails if a ttl of nothing is taken for no ttl.
#[test]
fn without_a_ttl_replies_that_say_nothing_are_not_kept() {
    check(
        0,
        &[
            Case(&[], 200, &[], &[], 0, "missing"),
            Case(&[], 404, &[], &[], 0, "missing"),
            Case(&[], 200, &["cache-control: max-age=5"], &[], 1, "fresh"),
        ],
    );
}

/// Fails if directives are compared in lower case only, or if one of these rules is left out.
#[test]
fn what_is_not_for_everyone_is_not_kept() {
    check(
        60,
        &[
            Case(&[], 200, &["cache-control: no-store"], &[], 0, "missing"),
            Case(&[], 200, &["cache-control: No-Store, max-age=9"], &[], 0, "missing"),
            Case(&[], 200, &["cache-control: private"], &[], 0, "missing"),
            Case(&[], 200, &["cache-control: Private, max-age=9"], &[], 0, "missing"),
            Case(&["cache-control: no-store"], 200, &[], &[], 0, "missing"),
            Case(&[], 200, &["vary: *"], &[], 0, "missing"),
            Case(&[], 200, &["vary: accept, *"], &[], 0, "missing"),
            Case(&[], 200, &["set-cookie: a=b"], &[], 0, "missing"),
            Case(&[], 200, &["set-cookie: a=b", "cache-control: max-age=9"], &[], 0, "missing"),
            Case(&[], 200, &["set-cookie: a=b", "cache-control: public"], &[], 0, "fresh"),
            Case(&[], 200, &["set-cookie: a=b", "cache-control: s-maxage=9"], &[], 0, "fresh"),
            Case(&["authorization: x"], 200, &[], &[], 0, "missing"),
            Case(&["authorization: x"], 200, &["cache-control: max-age=9"], &[], 0, "missing"),
            Case(&["authorization: x"], 200, &["cache-control: s-maxage=9"], &[], 0, "fresh"),
            Case(&["authorization: x"], 200, &["cache-control: public, max-age=9"], &[], 0, "fresh"),
            Case(&[], 200, &["cache-control: max-age=9"], &["authorization: x"], 0, "missing"),
            Case(&[], 200, &["cache-control: public, max-age=9"], &["authorization: x"], 0, "fresh"),
        ],
    );
}

#[test]
fn a_client_may_ask_for_better_or_worse() {
    const TEN: &[&str] = &["cache-control: max-age=10", "etag: \"1\""];
    check(
        60,
        &[
            Case(&[], 200, TEN, &["cache-control: no-cache"], 0, "stale"),
            Case(&[], 200, TEN, &["Cache-Control: No-Cache"], 0, "stale"),
            Case(&[], 200, TEN, &["pragma: no-cache"], 0, "stale"),
            Case(&[], 200, TEN, &["cache-control: max-age=3"], 2, "fresh"),
            Case(&[], 200, TEN, &["cache-control: max-age=3"], 4, "stale"),
            Case(&[], 200, TEN, &["cache-control: min-fresh=5"], 4, "fresh"),
            Case(&[], 200, TEN, &["cache-control: min-fresh=5"], 6, "stale"),
            Case(&[], 200, TEN, &["cache-control: max-stale=5"], 12, "fresh"),
            Case(&[], 200, TEN, &["cache-control: max-stale=5"], 16, "stale"),
            Case(&[], 200, TEN, &["cache-control: only-if-cached"], 1, "fresh"),
            Case(&[], 200, TEN, &["cache-control: only-if-cached"], 12, "only if cached"),
            Case(
                &[],
                200,
                &["cache-control: no-store"],
                &["cache-control: only-if-cached"],
                0,
                "only if cached",
            ),
            Case(&[], 200, TEN, &["cache-control: no-store"], 0, "bypassed"),
            Case(&[], 200, TEN, &["if-match: \"1\""], 0, "bypassed"),
            Case(&[], 200, TEN, &["content-length: 3"], 0, "bypassed"),
            Case(&["content-length: 3"], 200, TEN, &[], 0, "missing"),
            Case(&["transfer-encoding: chunked"], 200, TEN, &[], 0, "missing"),
            Case(
                &[],
                200,
                &["cache-control: max-age=10, must-revalidate"],
                &["cache-control: max-stale=5"],
                12,
                "stale",
            ),
            Case(
                &[],
                200,
                &["cache-control: no-cache", "etag: \"1\""],
                &["cache-control: max-stale=5"],
                0,
                "stale",
            ),
        ],
    );
}

/// Fails if what is added on the way counts as the client's: the server chose by it, and later requests do not show it.
#[test]
fn what_differs_by_what_is_added_on_the_way_is_not_kept() {
    for name in
        ["X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "Forwarded", "via", "accept, Via"]
    {
        let site = Site::open(settings(60));
        let said = reply(200, &["cache-control: max-age=9", &format!("vary: {name}")]);
        assert!(!site.fetch(&get("/a"), &said, b"one client's", at(0)), "{name}");
        assert_eq!(site.cache.counters().unkept(Unkept::Forbidden), 1, "{name}");
    }
}

/// Fails if the ttl is given to what may be for one client, or if that stays without a word of the server's.
#[test]
fn the_ttl_is_not_for_replies_that_may_be_for_one_client() {
    const ALICE: &[&str] = &["cookie: session=alice"];
    check(
        60,
        &[
            Case(ALICE, 200, &[], &[], 0, "missing"),
            Case(ALICE, 404, &[], &[], 0, "missing"),
            Case(ALICE, 200, &["etag: \"1\""], &["cache-control: max-stale"], 0, "missing"),
            Case(ALICE, 200, &["cache-control: stale-if-error=60", "etag: \"1\""], &[], 0, "missing"),
            Case(ALICE, 200, &["cache-control: max-age=9"], &[], 0, "fresh"),
            Case(ALICE, 200, &["cache-control: public"], &[], 0, "fresh"),
            Case(ALICE, 200, &["expires: Wed, 15 Nov 2023 22:13:30 GMT"], &[], 0, "fresh"),
            Case(&["authorization: x"], 200, &["cache-control: must-revalidate"], &[], 0, "missing"),
            Case(&[], 200, &[], ALICE, 0, "fresh"),
        ],
    );
}

/// Fails if a line that cannot be read is taken for one that is not there.
#[test]
fn a_reply_that_says_what_nobody_can_read_is_not_kept() {
    check(
        60,
        &[
            Case(&[], 200, &["cache-control: private, x=é"], &[], 0, "missing"),
            Case(&[], 200, &["cache-control: max-age=9", "cache-control: é"], &[], 0, "missing"),
            Case(&[], 200, &["vary: cookie, é"], &[], 0, "missing"),
            Case(&[], 200, &["vary: accept-language cookie"], &[], 0, "missing"),
            Case(&[], 200, &["vary: accept,, cookie,"], &[], 0, "fresh"),
            Case(&[], 200, &["x: é"], &[], 0, "fresh"),
        ],
    );
}

/// Fails if `Selection::matches` looks at the first line only, or not at what is absent.
#[test]
fn variants_are_for_who_asks_alike() {
    const VARY: &[&str] = &["vary: Accept-Language, x-a"];
    check(
        60,
        &[
            Case(&["accept-language: de"], 200, VARY, &["accept-language: de"], 0, "fresh"),
            Case(&["accept-language: de"], 200, VARY, &["accept-language: en"], 0, "missing"),
            Case(&["accept-language: de"], 200, VARY, &[], 0, "missing"),
            Case(&[], 200, VARY, &["x-a: 1"], 0, "missing"),
            Case(&["x-a: 1", "x-a: 2"], 200, VARY, &["x-a: 1, 2"], 0, "fresh"),
            Case(&["x-a: 1", "x-a: 2"], 200, VARY, &["x-a: 1", "x-a: 3"], 0, "missing"),
            Case(&["x-b: 1"], 200, VARY, &["x-b: 2"], 0, "fresh"),
        ],
    );
}

#[test]
fn variants_are_kept_beside_each_other() {
    let site = Site::open(settings(60));
    for language in ["de", "en", "fr"] {
        let asked = request("GET", "/a", &[&format!("accept-language: {language}")]);
        site.fetch(&asked, &reply(200, &["vary: accept-language"]), language.as_bytes(), at(0));
    }
    for language in ["de", "en", "fr"] {
        let asked = request("GET", "/a", &[&format!("accept-language: {language}")]);
        assert_eq!(site.hit(&asked, at(1)).body, language);
    }
}

/// Fails if anything but GET and HEAD is looked up, or anything but GET is kept.
#[test]
fn only_get_is_kept_and_only_get_and_head_are_answered() {
    let site = Site::open(settings(60));
    for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"] {
        assert!(!site.fetch(
            &request(method, "/a", &[]),
            &reply(200, &["cache-control: max-age=9"]),
            b"",
            at(0)
        ));
    }
    assert_eq!(word(&site.look(&get("/a"), at(0))), "missing");

    site.fetch(&get("/a"), &reply(200, &[]), b"body", at(0));
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        assert_eq!(word(&site.look(&request(method, "/a", &[]), at(0))), "bypassed", "{method}");
    }
    assert_eq!(word(&site.look(&request("HEAD", "/a", &[]), at(0))), "fresh");
}

/// Fails if variants that are too much for the room together push each other out.
#[test]
fn of_too_many_variants_the_newest_stay() {
    let site = Site::open(web::cache::Settings { memory_bytes: MIB, ..settings(60) });
    let asked = |index: u64| request("GET", "/a", &[&format!("accept-language: {index}")]);
    for index in 0..50 {
        site.fetch(&asked(index), &reply(200, &["vary: accept-language"]), &bytes(index, 100_000), at(0));
        assert!(site.hit(&asked(index), at(1)).body == bytes(index, 100_000));
    }
    assert_eq!(word(&site.look(&asked(0), at(1))), "missing");
    assert!(site.cache.counters().memory_bytes <= MIB);
}

#[test]
fn resources_are_told_apart() {
    let site = Site::open(settings(60));
    let all = [
        get("/a/b"),
        get("/a_b"),
        get("/a/b?"),
        get("/a/b?q=1"),
        get("/a/b?q=2"),
        get("/../../etc/passwd"),
        request("GET", "/a/b", &["host: other"]),
        request("GET", "/a/b", &["host: h:8080"]),
    ];
    for (index, asked) in all.iter().enumerate() {
        site.fetch(asked, &reply(200, &[]), format!("{index}").as_bytes(), at(0));
    }
    for (index, asked) in all.iter().enumerate() {
        assert_eq!(site.hit(asked, at(0)).body, format!("{index}"), "{}", asked.uri);
    }
    assert_eq!(site.hit(&request("GET", "http://H:80/a_b", &[]), at(0)).body, "1");
}
