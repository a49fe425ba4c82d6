//! What becomes of entries: asked about, changed, purged; and of replies that are not what they should be.

use http_body_util::BodyExt;
use web::cache::{Claim, Count, Forward, Found, NoUrl, Outcome, Stale, Unkept};

use crate::site::{MIB, Site, at, bytes, futures, get, reply, request, settings, word};

const LONG: std::time::Duration = std::time::Duration::from_secs(30);

#[track_caller]
fn stale(site: &Site, asked: &http::request::Parts, now: std::time::SystemTime) -> Stale {
    match site.look(asked, now) {
        Found::Stale(stale) => stale,
        other => panic!("not stale but {other:?}"),
    }
}

fn site(headers: &[&str]) -> Site {
    let site = Site::open(settings(60));
    assert!(site.fetch(&get("/a"), &reply(200, headers), b"body", at(0)));
    site
}

/// Fails if the client's own conditions are passed on: a 304 to them would say nothing of ours.
#[test]
fn the_server_is_asked_about_what_we_have() {
    let modified = "last-modified: Tue, 14 Nov 2023 22:13:20 GMT";
    let site = site(&["cache-control: max-age=1", "etag: \"1\"", modified]);
    let asked =
        request("GET", "/a", &["if-none-match: \"2\"", "range: bytes=0-1", "if-range: \"2\"", "x: y"]);
    let mut headers = asked.headers.clone();
    stale(&site, &asked, at(5)).ask(&mut headers);

    assert_eq!(headers.get("if-none-match").unwrap(), "\"1\"");
    assert_eq!(headers.get("if-modified-since").unwrap(), "Tue, 14 Nov 2023 22:13:20 GMT");
    assert!(headers.contains_key("x") && !headers.contains_key("range") && !headers.contains_key("if-range"));
}

/// Fails if a 304 does not begin a new life, or changes what is said of the body.
#[test]
fn a_304_makes_it_fresh_again_with_new_headers() {
    let site = site(&["cache-control: max-age=1", "etag: \"1\"", "x-a: old", "x-b: kept"]);
    let stale = stale(&site, &get("/a"), at(5));
    let lead = site.cache.alone(&get("/a"));
    let said = reply(304, &["cache-control: max-age=10", "etag: \"1\"", "x-a: new", "content-length: 0"]);
    let answer = site.read(stale.freshen(&lead, &get("/a"), &said, at(5)).unwrap());

    assert_eq!((answer.status.as_u16(), &*answer.body, answer.header("age")), (200, &b"body"[..], "0"));
    assert_eq!(answer.header("cache-status"), "pegloom; fwd=stale; fwd-status=304; stored");
    let answer = site.hit(&get("/a"), at(14));
    assert_eq!((answer.header("x-a"), answer.header("x-b"), answer.header("age")), ("new", "kept", "9"));
    assert_eq!((&*answer.body, answer.header("content-length")), (&b"body"[..], "4"));
    assert_eq!(site.cache.counters().of(Count::Revalidated), 1);
}

#[test]
fn the_client_s_own_condition_is_looked_at_when_the_entry_is_fresh_again() {
    let site = site(&["cache-control: max-age=1", "etag: \"1\""]);
    let asked = request("GET", "/a", &["if-none-match: \"1\""]);
    let lead = site.cache.alone(&asked);
    let answer = stale(&site, &asked, at(5)).freshen(&lead, &asked, &reply(304, &[]), at(5)).unwrap();

    assert_eq!(answer.status(), 304);
}

/// Fails if what the server no longer has goes on being served while it is asked, or when it is down.
#[test]
fn what_is_replaced_by_what_is_not_kept_goes_unless_the_server_failed() {
    let cases: [(&str, u16, &[&str], &str); 6] = [
        ("GET", 200, &["cache-control: no-store"], "missing"),
        ("GET", 404, &["cache-control: no-store"], "missing"),
        ("GET", 302, &[], "missing"),
        ("HEAD", 200, &[], "missing"),
        ("GET", 503, &[], "stale"),
        ("GET", 500, &["cache-control: no-store"], "stale"),
    ];
    for (method, status, headers, found) in cases {
        let folder = tempfile::tempdir().unwrap();
        let disk = Some((folder.path().to_owned(), 64 * MIB));
        let site = Site::open(web::cache::Settings { disk, ..settings(60) });
        let said = reply(200, &["cache-control: max-age=1, stale-if-error=60", "vary: accept"]);
        let other = request("GET", "/a", &["accept: other"]);
        site.fetch(&other, &said, b"other", at(0));
        site.fetch(&get("/a"), &said, b"body", at(0));
        let asked = request(method, "/a", &[]);
        let lead = site.cache.alone(&asked);
        let filling = stale(&site, &asked, at(5)).admit(lead, &asked, &reply(status, headers), at(5));

        assert!(filling.is_none());
        assert_eq!(word(&site.look(&get("/a"), at(5))), found, "{method} {status} {headers:?}");
        assert_eq!(word(&site.look(&other, at(5))), "stale", "another variant stays");
    }
}

/// Fails if the entry goes on being for whom it was for, or stays beside itself for others.
#[test]
fn a_304_that_names_other_variants_makes_it_one() {
    for disk in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let disk = disk.then(|| (folder.path().to_owned(), 64 * MIB));
        let site = Site::open(web::cache::Settings { disk, ..settings(60) });
        for (target, length) in [("/short", 4), ("/long", 600_000)] {
            let (german, english) = (
                request("GET", target, &["accept-language: de"]),
                request("GET", target, &["accept-language: en"]),
            );
            let said = reply(200, &["cache-control: max-age=1", "etag: \"1\""]);
            site.fetch(&german, &said, &bytes(1, length), at(0));
            let lead = site.cache.alone(&german);
            let said = reply(304, &["cache-control: max-age=10", "vary: accept-language"]);
            stale(&site, &german, at(5)).freshen(&lead, &german, &said, at(5)).unwrap();
            site.settle();

            assert_eq!(word(&site.look(&english, at(6))), "missing", "{target}");
            assert!(site.hit(&german, at(6)).body == bytes(1, length));
            assert_eq!(site.cache.counters().of(Count::Damaged), 0);
        }
    }
}

/// Fails if a 304 to one with a cookie makes what everyone got his own, and drops it.
#[test]
fn what_everyone_was_given_is_renewed_for_everyone() {
    let site = site(&["etag: \"1\""]);
    let asked = request("GET", "/a", &["cookie: session=alice"]);
    let lead = site.cache.alone(&asked);
    stale(&site, &asked, at(70)).freshen(&lead, &asked, &reply(304, &[]), at(70)).unwrap();

    assert_eq!(site.hit(&get("/a"), at(80)).body, "body");
}

#[test]
fn a_304_about_something_else_is_no_answer() {
    let site = site(&["cache-control: max-age=1", "etag: \"1\""]);
    let lead = site.cache.alone(&get("/a"));
    let stale = stale(&site, &get("/a"), at(5));

    assert!(stale.freshen(&lead, &get("/a"), &reply(304, &["etag: \"2\""]), at(5)).is_none());
}

/// Fails if `renew` does not look whether the entry is still there.
#[test]
fn what_was_purged_is_not_brought_back_by_a_304() {
    let site = site(&["cache-control: max-age=1", "etag: \"1\""]);
    let stale = stale(&site, &get("/a"), at(5));
    assert_eq!(site.runtime.block_on(site.cache.purge("http://h/a")), Ok(true));
    let lead = site.cache.alone(&get("/a"));
    stale.freshen(&lead, &get("/a"), &reply(304, &["cache-control: max-age=10"]), at(5)).unwrap();

    assert_eq!(word(&site.look(&get("/a"), at(5))), "missing");
}

/// Fails if one of the two is taken for the other, or `must-revalidate` for nothing.
#[test]
fn stale_entries_are_served_as_far_as_the_server_allows() {
    let cases: [(&str, &[&str], u64, bool, bool); 11] = [
        ("s-maxage=1, stale-while-revalidate=10", &[], 5, true, false),
        ("max-age=1, proxy-revalidate, stale-if-error=10", &[], 5, false, false),
        ("max-age=1, stale-while-revalidate=10", &[], 5, true, false),
        ("max-age=1, stale-while-revalidate=10", &[], 12, false, false),
        ("max-age=1, stale-if-error=10", &[], 5, false, true),
        ("max-age=1, stale-if-error=10", &[], 12, false, false),
        ("max-age=1", &[], 5, false, false),
        ("max-age=1", &["cache-control: stale-if-error=10"], 5, false, true),
        ("max-age=1, must-revalidate, stale-while-revalidate=10, stale-if-error=10", &[], 5, false, false),
        ("max-age=1, must-revalidate", &["cache-control: stale-if-error=10"], 5, false, false),
        ("max-age=1, stale-while-revalidate=10", &["cache-control: no-cache"], 5, false, false),
    ];
    for (control, headers, later, meanwhile, on_error) in cases {
        let site = site(&[&format!("cache-control: {control}"), "etag: \"1\""]);
        let asked = request("GET", "/a", headers);
        let stale = stale(&site, &asked, at(later));
        assert_eq!(stale.may_be_served_meanwhile(at(later)), meanwhile, "{control} {headers:?} {later}");
        assert_eq!(
            stale.may_be_served_on_error(&asked.headers, at(later)),
            on_error,
            "{control} {headers:?}"
        );
    }
}

#[test]
fn a_stale_answer_says_how_stale_it_is() {
    let site = site(&["cache-control: max-age=1, stale-if-error=10"]);
    let stale = stale(&site, &get("/a"), at(5));
    let answer = site.read(stale.answer(&get("/a"), at(5)));

    assert_eq!((answer.header("age"), answer.header("cache-status")), ("5", "pegloom; hit; ttl=-4"));
    assert_eq!((stale.why(), site.cache.counters().of(Count::StaleServed)), (Forward::Stale, 1));
}

/// Fails if errors invalidate, or safe methods, or another host's URL.
#[test]
fn a_change_drops_what_it_makes_wrong() {
    let cases: [(&str, u16, &[&str], &[&str]); 8] = [
        ("POST", 200, &[], &["/b"]),
        ("PUT", 201, &[], &["/b"]),
        ("DELETE", 303, &[], &["/b"]),
        ("POST", 200, &["location: /b", "content-location: http://h/a"], &[]),
        ("POST", 200, &["location: http://other/b"], &["/b"]),
        ("POST", 404, &[], &["/a", "/b"]),
        ("POST", 500, &[], &["/a", "/b"]),
        ("OPTIONS", 200, &[], &["/a", "/b"]),
    ];
    for (method, status, headers, kept) in cases {
        let site = site(&[]);
        site.fetch(&get("/b"), &reply(200, &[]), b"b", at(0));
        site.cache.invalidate(&request(method, "/a", &[]), &reply(status, headers));
        for target in ["/a", "/b"] {
            let expected = if kept.contains(&target) { "fresh" } else { "missing" };
            assert_eq!(
                word(&site.look(&get(target), at(0))),
                expected,
                "{method} {status} {headers:?} {target}"
            );
        }
    }
}

/// Fails if `keep` does not ask whether it was overtaken.
#[test]
fn a_reply_that_a_change_overtook_is_not_kept() {
    let site = Site::open(settings(60));
    let filling = site.admit(&get("/a"), &reply(200, &[]), at(0)).unwrap();
    site.cache.invalidate(&request("POST", "/a", &[]), &reply(200, &[]));
    site.fill(filling, b"old");

    assert_eq!(word(&site.look(&get("/a"), at(0))), "missing");
    assert_eq!(site.cache.counters().unkept(Unkept::Overtaken), 1);
}

#[test]
fn a_purge_drops_all_variants_of_a_url_and_a_prefix_all_urls() {
    let site = Site::open(settings(60));
    for target in ["/a", "/a/b", "/a/c", "/ab", "/b"] {
        for language in ["de", "en"] {
            let asked = request("GET", target, &[&format!("accept-language: {language}")]);
            site.fetch(&asked, &reply(200, &["vary: accept-language"]), b"body", at(0));
        }
    }
    let purge = |url: &str| site.runtime.block_on(site.cache.purge(url));
    let purge_prefix = |prefix: &str| site.runtime.block_on(site.cache.purge_prefix(prefix));

    assert_eq!((purge("http://H:80/a"), purge("http://h/a"), purge("/a")), (Ok(true), Ok(false), Err(NoUrl)));
    assert_eq!(purge_prefix("http://h/a/"), Ok(4));
    assert_eq!((purge_prefix("http://h"), purge_prefix("h")), (Ok(4), Err(NoUrl)));
    assert_eq!(site.cache.counters().of(Count::Purged), 10);
}

/// Fails if the length is not compared, or a body that breaks is kept.
#[test]
fn what_does_not_end_as_it_should_is_not_kept() {
    let site = Site::open(settings(60));
    let announced = reply(200, &["content-length: 10"]);
    site.fetch(&get("/short"), &announced, b"123456789", at(0));
    site.fetch(&get("/long"), &announced, b"12345678901", at(0));
    site.fetch(&get("/twice"), &reply(200, &["content-length: 3", "content-length: 4"]), b"1234", at(0));
    let both = reply(200, &["content-length: 4", "transfer-encoding: chunked"]);
    site.fetch(&get("/both"), &both, b"1234", at(0));
    let mut broken = site.admit(&get("/broken"), &reply(200, &[]), at(0)).unwrap();
    broken.push(b"1234");
    drop(broken);

    for target in ["/short", "/long", "/twice", "/both", "/broken"] {
        assert_eq!(word(&site.look(&get(target), at(0))), "missing", "{target}");
    }
    let counters = site.cache.counters();
    assert_eq!((counters.unkept(Unkept::Truncated), counters.unkept(Unkept::Left)), (4, 1));
    assert_eq!((counters.of(Count::Stored), counters.memory_bytes), (0, 0));
}

/// Fails if the bound is looked at only when the body is whole.
#[test]
fn what_is_longer_than_an_entry_may_be_is_given_up_on_the_way() {
    let site = Site::open(web::cache::Settings { max_entry_bytes: 100_000, ..settings(60) });
    site.fetch(&get("/announced"), &reply(200, &["content-length: 100001"]), &bytes(1, 100_001), at(0));
    let mut filling = site.admit(&get("/chunked"), &reply(200, &[]), at(0)).unwrap();
    filling.push(&bytes(1, 100_000));
    assert!(filling.is_open());
    filling.push(b"1");

    assert!(!filling.is_open());
    assert_eq!(site.cache.counters().memory_bytes, 0);
    assert_eq!(site.cache.counters().unkept(Unkept::TooLarge), 2);
}

/// Fails if who reads for the cache alone is not told that nothing is kept any more.
#[test]
fn a_body_says_whether_it_is_still_being_kept() {
    let site = Site::open(web::cache::Settings { max_entry_bytes: 100_000, ..settings(60) });
    for (length, read) in [(90_000, 90_000), (400_000, 120_027)] {
        let (asked, body) = (get(&format!("/{length}")), bytes(1, length));
        let filling = site.admit(&asked, &reply(200, &[]), at(0)).unwrap();
        let mut tee = filling.beside(http_body_util::StreamBody::new(futures(&body)));
        let mut count = 0;
        while tee.is_filling()
            && let Some(frame) = site.runtime.block_on(tee.frame())
        {
            count += frame.unwrap().data_ref().unwrap().len();
        }
        assert_eq!(count, read);
    }
    assert_eq!(site.hit(&get("/90000"), at(1)).body.len(), 90_000);
}

/// Fails if who waits is not told as soon as it is known.
#[test]
fn who_waits_hears_what_came_of_it() {
    let cases: [(&[&str], &[u8], Outcome); 4] = [
        (&[], b"body", Outcome::Stored),
        (&["cache-control: no-cache", "etag: \"1\""], b"body", Outcome::NotStorable),
        (&["cache-control: no-store"], b"body", Outcome::NotStorable),
        (&["content-length: 9"], b"body", Outcome::NotStorable),
    ];
    for (headers, body, outcome) in cases {
        let site = Site::open(settings(60));
        let Claim::Lead(lead) = site.cache.claim(&get("/a"), at(0)) else { panic!("nobody leads yet") };
        let Claim::Follow(follower) = site.cache.claim(&get("/a"), at(0)) else { panic!("somebody leads") };
        if let Some(filling) = site.cache.admit(lead, &get("/a"), &reply(200, headers), at(0)) {
            site.fill(filling, body);
        }
        assert_eq!(site.runtime.block_on(follower.wait(LONG)), outcome, "{headers:?}");
    }
}

/// Fails if who leads does not look again: of two that found nothing, the second would ask though the first has the reply.
#[test]
fn who_comes_just_after_the_reply_does_not_ask_again() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Some((folder.path().to_owned(), 64 * MIB));
    let site = Site::open(web::cache::Settings { disk, ..settings(60) });
    for (target, length) in [("/short", 5), ("/long", 600_000)] {
        assert_eq!(word(&site.look(&get(target), at(0))), "missing");
        site.fetch(&get(target), &reply(200, &[]), &bytes(1, length), at(0));

        let Claim::Follow(follower) = site.cache.claim(&get(target), at(0)) else { panic!("{target}") };
        assert_eq!(site.runtime.block_on(follower.wait(LONG)), Outcome::Stored);
        let wants_better = request("GET", target, &["cache-control: no-cache"]);
        assert!(matches!(site.cache.claim(&wants_better, at(0)), Claim::Lead(_)));
        assert!(matches!(site.cache.claim(&get(target), at(60)), Claim::Lead(_)));
    }
}

/// Fails if who has a copy of his own, or wants a part, asks beside all others about what is stale.
#[test]
fn what_is_stale_is_asked_about_once_whatever_each_has() {
    let site = site(&["cache-control: max-age=1, public", "etag: \"1\""]);
    let headers: [&[&str]; 3] = [&["if-none-match: \"1\""], &["range: bytes=1-2"], &[]];
    let mut all: Vec<_> = headers.iter().map(|headers| request("GET", "/a", headers)).collect();
    all.push(request("HEAD", "/a", &[]));
    let first = stale(&site, &all[0], at(5));
    let Claim::Lead(lead) = first.claim(&all[0], at(5)) else { panic!("nobody leads yet") };
    let followers = all.iter().map(|asked| match stale(&site, asked, at(5)).claim(asked, at(5)) {
        Claim::Follow(follower) => follower,
        Claim::Lead(_) => panic!("{asked:?} asks too"),
    });
    let followers: Vec<_> = followers.collect();
    let known = request("GET", "/a", &["authorization: x"]);
    assert!(matches!(stale(&site, &known, at(5)).claim(&known, at(5)), Claim::Lead(_)), "for one alone");
    first.freshen(&lead, &all[0], &reply(304, &["cache-control: max-age=10"]), at(5)).unwrap();

    for (follower, status) in followers.into_iter().zip([304, 206, 200, 200]) {
        assert_eq!(site.runtime.block_on(follower.wait(LONG)), Outcome::Stored, "{status}");
    }
    let statuses = all.iter().map(|asked| site.hit(asked, at(6)).status.as_u16());
    assert!(statuses.eq([304, 206, 200, 200]));
}

/// Fails if those who GET are told by a HEAD that nothing can be kept: each would ask for himself.
#[test]
fn a_new_reply_to_a_head_leaves_it_to_the_next_to_ask() {
    let site = site(&["cache-control: max-age=1", "etag: \"1\""]);
    let asked = request("HEAD", "/a", &[]);
    let first = stale(&site, &asked, at(5));
    let Claim::Lead(lead) = first.claim(&asked, at(5)) else { panic!("nobody leads yet") };
    let Claim::Follow(follower) = stale(&site, &get("/a"), at(5)).claim(&get("/a"), at(5)) else {
        panic!("it leads")
    };
    assert!(first.admit(lead, &asked, &reply(200, &["cache-control: max-age=10"]), at(5)).is_none());

    assert_eq!(site.runtime.block_on(follower.wait(LONG)), Outcome::Failed);
}

/// Fails if a reply that is for one client is waited for by another.
#[test]
fn nobody_waits_for_a_reply_that_is_not_for_him() {
    let site = Site::open(settings(60));
    let _lead = site.cache.claim(&get("/a"), at(0));

    for headers in
        [["range: bytes=0-1"], ["if-none-match: \"1\""], ["authorization: x"], ["cache-control: no-store"]]
    {
        let claim = site.cache.claim(&request("GET", "/a", &headers), at(0));
        assert!(matches!(claim, Claim::Lead(_)), "{headers:?}");
    }
    assert!(matches!(site.cache.claim(&request("HEAD", "/a", &[]), at(0)), Claim::Lead(_)));
    assert!(matches!(site.cache.claim(&get("/a"), at(0)), Claim::Follow(_)));
}
