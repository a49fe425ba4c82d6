//! The page at `/`, as a person sees it in a browser, and what stands around it for strangers.
//!
//! Where there is no browser the scenarios that need one say so and end. What the page shows is asked of it again and again
//! until it is there; how it looks is not tested here.

use std::net::SocketAddr;
use std::path::Path;

use proto::id::Incarnation;
use runtime::clock::unix_millis;
use runtime::event;
use runtime::report::{DestinationReport, Published, Report, RouteReport, Sessions, Source, TOPIC};
use runtime::zeromq::{Context, Publisher};
use serde_json::{Value, json};
use thirtyfour::Key;

use crate::harness::{
    Browser, Destination, Fabric, PATIENCE, Plan, Process, Shape, Talker, ask, ask_by, eventually,
};

/// The cell of a destination's row, by the number of its column.
fn cell(row: usize, column: usize) -> String {
    format!("#routes tbody tr:nth-child({row}) > :nth-child({column})")
}

const STATE: usize = 2;
const DELIVERED: usize = 6;

fn number(browser: &Browser, selector: &str) -> u64 {
    let digits: String = browser.text(selector).chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or(0)
}

/// Waits until what is shown there has grown beyond what it is now.
#[track_caller]
fn expect_growth(browser: &Browser, selector: &str) {
    let before = number(browser, selector);
    eventually(&format!("{selector} grows"), || number(browser, selector) > before);
}

fn shown(plan: Plan) -> Fabric {
    plan.front(&["--http", "127.0.0.1:0"]).start()
}

fn is_hidden(browser: &Browser, id: &str) -> bool {
    browser.ask(&format!("return document.getElementById('{id}').hidden")) == true
}

/// A fabric whose secondary says something else, and one thing it has said.
#[track_caller]
fn lied_to(primary: &'static [u8], secondary: &'static [u8]) -> (Fabric, [Destination; 2]) {
    let ends = [Destination::replying(primary), Destination::replying(secondary)];
    let fabric = shown(Fabric::shaped(Shape::Inproc).forward(&ends[0]).forward(&ends[1]));
    let mut source = fabric.connect();
    source.send(b"which <b>one</b>?\n");
    source.expect(primary);
    eventually("it is found", || {
        fabric.report().value()["divergences"][0]["event"]["finding"] == "different"
    });
    (fabric, ends)
}

/// Fails if the page does not listen, or shows only what was there when it was opened.
#[test]
fn numbers_and_charts_move_while_traffic_flows() {
    let Some(browser) = Browser::start() else { return };
    let (primary, absent) = (Destination::echo(), Destination::echo().not_yet());
    let fabric = shown(Fabric::shaped(Shape::Inproc).forward(&primary).forward(&absent));
    browser.visit(fabric.http());
    eventually("nothing has happened yet", || browser.text("#frames") == "0");
    assert!(is_hidden(&browser, "empty") && is_hidden(&browser, "banner"));

    let talker = Talker::start(0, fabric.address());
    expect_growth(&browser, &cell(1, DELIVERED));
    expect_growth(&browser, &cell(1, DELIVERED));
    eventually("so does the head", || number(&browser, "#frames") > 0 && browser.text("#sources") == "1");
    eventually("who is away is", || browser.text(&cell(2, STATE)).starts_with("away for "));
    assert_eq!(browser.ask("return document.querySelectorAll('.destination[data-state=away]').length"), 1);
    assert_eq!(browser.text(&cell(1, STATE)), "connected");
    let corners = "return document.querySelector('.chart .line-0').getAttribute('d').split('L').length";
    let before = browser.ask(corners).as_u64();
    eventually("the chart grows", || browser.ask(corners).as_u64() > before);
    eventually("it is counted why", || browser.text("#shed-table tbody td") == "away");
    talker.expect_fresh_reply(PATIENCE);
}

/// Fails if a reply is shown on the wrong side, or the wrong byte is marked.
#[test]
fn a_lie_stands_beside_the_primarys_reply_and_the_first_difference_is_marked() {
    let Some(browser) = Browser::start() else { return };
    let (fabric, _ends) = lied_to(b"TEMP 21\xff\n", b"TEMP 27\xff\n");
    browser.visit(fabric.http());
    let sides =
        || browser.ask("return [...document.querySelectorAll('.side pre')].map(side => side.textContent)");
    let marks =
        || browser.ask("return [...document.querySelectorAll('.side mark')].map(mark => mark.textContent)");
    let text = json!(["which <b>one</b>?\\n\n", "TEMP 21\\xff\\n\n", "TEMP 27\\xff\\n\n"]);
    eventually("both are there", || sides() == text);
    assert_eq!(marks(), json!(["1", "7"]));
    assert_eq!(browser.text("#divergences .finding"), "different");
    assert_eq!(browser.text("#divergences .place"), "route-1 › secondary-1");

    browser.press("x");
    assert_eq!(marks(), json!(["31", "37"]));
    assert!(sides()[2].as_str().unwrap().contains("54 45 4d 50 20 32 37 ff"), "{}", sides());
}

/// A node that calls itself, its route and its destination something that runs where it is taken for markup.
fn hostile(name: &str) -> Published {
    let destination =
        DestinationReport { destination: name.to_owned(), address: name.to_owned(), ..Default::default() };
    let (sessions, source) = (Some(Sessions::default()), Some(Source::default()));
    let (route, listen, destinations) = (name.to_owned(), Some(name.to_owned()), vec![destination]);
    let route = RouteReport { route, listen, sessions, source, destinations, ..Default::default() };
    let report = Report { node: "ingress".to_owned(), routes: vec![route], ..Default::default() };
    let (incarnation, time) = (Incarnation(unix_millis()), unix_millis());
    Published { node: name.to_owned(), incarnation, shard: 0, sequence: 1, time, report, is_last: false }
}

/// Fails if what a node, a destination or a device says is taken for markup.
#[test]
fn names_and_payloads_that_are_markup_are_shown_as_text() {
    const NAME: &str =
        "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">";
    const REPLY: &[u8] = b"<img src=x onerror=\"document.title='owned'\">\n";
    let Some(browser) = Browser::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let bind = format!("ipc://{}", dir.path().join("stats").display());
    let (_stats, http) = start_stats(dir.path(), &bind, "127.0.0.1:0");
    let publisher = Publisher::connect(&Context::new(), &bind).unwrap();
    let report = rmp_serde::to_vec_named(&hostile(NAME)).unwrap();
    let ends = [Destination::replying(b"<i>\n"), Destination::replying(REPLY)];
    let fabric = Fabric::shaped(Shape::Tcp).forward(&ends[0]).forward(&ends[1]).stats(bind).start();
    let mut source = fabric.connect();
    source.send(b"<svg onload=\"document.title='owned'\">\n");
    source.expect(b"<i>\n");
    let torn = json!({ "node": NAME, "incarnation": 1, "shard": 0, "sequence": 1, "time": u64::MAX, "event": { "kind": "diverged" } });
    let torn = rmp_serde::to_vec_named(&torn).unwrap();
    eventually("a divergence without anything in it is told", || {
        let _ = publisher.try_send(event::TOPIC, &torn);
        let told = ask(http, "GET /stats", "").json()["divergences"].clone();
        told.as_array().unwrap().iter().any(|told| told["node"] == NAME)
    });
    browser.visit(http);
    eventually("the lie is shown", || {
        browser.text(".side:nth-of-type(3) pre").starts_with("<img src=x onerror=")
    });
    let shown = "const texts = [...document.querySelectorAll('h3 > *, tbody th, #nodes th')];\
        return texts.map((one) => one.textContent).filter((text) => text.startsWith('<script>')).length";
    eventually("the names are shown", || {
        let _ = publisher.try_send(TOPIC, &report);
        browser.ask(shown) == 4
    });
    let owned =
        "return [document.title, document.querySelectorAll('main :is(script, img, i:not(.swatch))').length]";
    assert_eq!(browser.ask(owned), json!(["pegloom", 0]));
    assert_eq!(browser.console(), Vec::<Value>::new());
}

#[track_caller]
fn start_stats(dir: &Path, bind: &str, http: &str) -> (Process, SocketAddr) {
    let args =
        ["stats-node", "--bind", bind, "--http", http, "--recovery", "stats.json", "--log-format", "json"];
    let process = Process::start(&args, &[], dir);
    let record = process.logged("statistics are shown", |_| true);
    process.logged("listening to reports", |_| true);
    (process, record["address"].as_str().unwrap().parse().unwrap())
}

/// Fails if the page has to be loaded again, does not say that it hears nothing, or draws a cliff.
#[test]
fn the_page_outlives_a_stats_node_that_is_killed_and_started_again() {
    let Some(browser) = Browser::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let bind = format!("ipc://{}", dir.path().join("stats").display());
    let (stats, http) = start_stats(dir.path(), &bind, "127.0.0.1:0");
    let primary = Destination::echo();
    let fabric = Fabric::shaped(Shape::Tcp).forward(&primary).stats(bind.clone()).start();
    let talker = Talker::start(0, fabric.address());
    browser.visit(http);
    let delivered = cell(1, DELIVERED);
    expect_growth(&browser, &delivered);
    browser.ask("window.isTheSame = true");
    let before = number(&browser, &delivered);

    stats.kill9();
    eventually("it says so", || !is_hidden(&browser, "banner"));
    let banner = browser.text("#banner");
    assert!(banner.contains(&format!("The connection to {http} is lost.")), "{banner}");
    assert!(number(&browser, &delivered) >= before, "the last numbers stay");

    let (_stats, _) = start_stats(dir.path(), &bind, &http.to_string());
    eventually("it is back", || is_hidden(&browser, "banner"));
    expect_growth(&browser, &delivered);
    assert!(number(&browser, &delivered) > before);
    assert_eq!(browser.ask("return window.isTheSame"), true, "it was not loaded again");
    let below = "const [, ...corners] = document.querySelector('.chart .line-0').getAttribute('d').split(/[ML]/);\
        const ground = Number(document.querySelector('.chart .rule').getAttribute('d').match(/,([\\d.]+)/)[1]);\
        return [corners.length, corners.filter((corner) => Number(corner.split(',')[1]) > ground + 1).length]";
    let corners = browser.ask(below);
    assert!(corners[0].as_u64() > Some(1) && corners[1] == 0, "no rate is below zero: {corners}");
    talker.expect_fresh_reply(PATIENCE);
}

/// Fails if a resource of somebody else is named, the browser has anything to complain about, or a phone must scroll.
#[test]
fn nothing_comes_from_elsewhere_and_a_phone_has_room_for_it() {
    let Some(browser) = Browser::start() else { return };
    let (fabric, _ends) = lied_to(b"A\n", b"B\n");
    browser.visit(fabric.http());
    eventually("it is drawn", || {
        browser.text(".side mark") == "A" && !browser.text(".chart .when").is_empty()
    });
    let elsewhere = "const all = performance.getEntriesByType('resource').map((one) => one.name);\
        return [all.length > 10, all.filter((name) => !name.startsWith(location.origin + '/'))]";
    assert_eq!(browser.ask(elsewhere), json!([true, []]));
    for width in [360, 320, 1360] {
        browser.resize(width, 740);
        let room = "return [innerWidth, document.documentElement.scrollWidth <= innerWidth]";
        eventually("it fits", || browser.ask(room) == json!([width, true]));
    }
    assert_eq!(browser.console(), Vec::<Value>::new());
}

/// Fails if something can be reached with a mouse only.
#[test]
fn everything_is_reached_with_the_keyboard() {
    let Some(browser) = Browser::start() else { return };
    let (fabric, _ends) = lied_to(b"A\n", b"B\n");
    browser.visit(fabric.http());
    eventually("it is drawn", || browser.text(".side mark") == "A");
    let focused =
        "const it = document.activeElement; return it.id || it.name || it.classList[0] || it.localName";
    let mut reached = Vec::new();
    for _ in 0..24 {
        browser.press(Key::Tab);
        reached.push(browser.ask(focused).as_str().unwrap().to_owned());
    }
    let wanted = ["skip", "help", "unit", "plot", "scroll", "of", "bytes", "summary", "said"];
    let missed: Vec<_> = wanted.iter().filter(|name| !reached.iter().any(|it| it == *name)).collect();
    assert!(missed.is_empty() && reached[0] == "skip", "{missed:?} of {reached:?}");

    browser.press("?");
    let is_open = || browser.ask("return document.getElementById('keys').open") == true;
    assert!(is_open());
    browser.press(Key::Escape);
    assert!(!is_open());
    browser.press("d");
    assert_eq!(browser.ask(focused), "divergences");
}

/// Fails if the page may load, run or be framed by anything but its own.
#[test]
fn the_page_is_served_with_a_head_that_forbids_what_it_does_not_need() {
    let primary = Destination::echo();
    let fabric = shown(Fabric::shaped(Shape::Inproc).forward(&primary));
    let page = ask(fabric.http(), "GET /", "");
    assert_eq!(page.status, 200);
    for header in [
        "content-type: text/html; charset=utf-8",
        "x-content-type-options: nosniff",
        "cache-control: no-cache",
    ] {
        assert!(page.head.contains(&format!("\r\n{header}\r\n")), "{}", page.head);
    }
    assert!(page.head.contains("\r\ncontent-security-policy: default-src 'self'; "), "{}", page.head);
    assert!(!page.head.contains("unsafe-"), "{}", page.head);
    let script = ask(fabric.http(), "GET /page/app.js", "");
    assert!(
        script.status == 200 && script.head.contains("\r\ncontent-type: text/javascript"),
        "{}",
        script.head
    );
    assert_eq!(ask(fabric.http(), "HEAD /", "").body, "");
    assert_eq!(ask(fabric.http(), "GET /page/../Cargo.toml", "").status, 404);
    eventually("the past is told", || {
        let history = ask(fabric.http(), "GET /history", "").json();
        let last = history["points"].as_array().and_then(|points| points.last().cloned()).unwrap_or_default();
        last["routes"][0]["destinations"][0]["destination"] == "primary"
    });
}

/// Fails if a page of a stranger can read statistics under a name of its own that leads here.
#[test]
fn a_name_that_merely_leads_to_this_machine_is_refused() {
    let primary = Destination::echo();
    let fabric = shown(Fabric::shaped(Shape::Inproc).forward(&primary));
    let http = fabric.http();
    let refused = ask_by("rebound.example", http, "GET /stats", "");
    assert_eq!(refused.status, 421);
    assert!(refused.json()["error"].as_str().unwrap().contains("for this machine only"), "{}", refused.body);
    for name in ["localhost", "127.0.0.1", "[::1]:80"] {
        assert_eq!(ask_by(name, http, "GET /stats", "").status, 200, "{name}");
    }
    let open = Fabric::shaped(Shape::Inproc).forward(&primary).front(&["--http", "0.0.0.0:0"]).start();
    let near = SocketAddr::from(([127, 0, 0, 1], open.http().port()));
    assert_eq!(
        ask_by("stats.example", near, "GET /stats", "").status,
        200,
        "whoever is to reach it may name it"
    );
}
