//! What a Foo proxy in one process says of what passes through it: on signals, over HTTP, and as moving rates.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use prometheus_parse::{Sample, Scrape, Value as Metric};
use serde_json::Value;

use crate::harness::{
    Destination, Fabric, FooClient, Shape, Source, always_for, answer_to, ask, eventually, eventually_within,
    foo_server, request, since,
};

/// The eight fields of the statistics: `msg_total`, `msg_req`, `msg_ack` and `msg_nak`, and the rates of requests and of
/// responses over one second and ten.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Eight {
    pub(crate) messages: [u64; 4],
    pub(crate) rates: [f64; 4],
}

impl Eight {
    #[track_caller]
    pub(crate) fn of(summary: &Value) -> Self {
        let messages = ["msg_total", "msg_req", "msg_ack", "msg_nak"];
        let rates = ["request_rate_1s", "request_rate_10s", "response_rate_1s", "response_rate_10s"];
        Self {
            messages: messages.map(|name| summary[name].as_u64().expect("a count is an integer")),
            rates: rates.map(|name| summary[name].as_f64().expect("a rate is a number")),
        }
    }

    /// These messages, and as many requests as responses a second, over one second and over ten.
    pub(crate) fn are(messages: [u64; 4], short: f64, long: f64) -> Self {
        Self { messages, rates: [short, long, short, long] }
    }

    #[track_caller]
    pub(crate) fn on_signal(fabric: &Fabric) -> Self {
        Self::of(fabric.report().value())
    }
}

/// A hundred requests in one write, and every answer. Ten of them are NAK.
#[track_caller]
pub(crate) fn burst(fabric: &Fabric) -> Source {
    let mut client = fabric.connect();
    client.send(&(1..=100).flat_map(request).collect::<Vec<_>>());
    client.expect(&(1..=100).flat_map(answer_to).collect::<Vec<_>>());
    client
}

/// What [`burst`] adds.
pub(crate) const BURST: [u64; 4] = [200, 100, 90, 10];

/// A client that asks until it is told to stop, and returns how often it did.
fn chatter(fabric: &Fabric, stops: &Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    let (address, stops) = (fabric.address(), Arc::clone(stops));
    thread::spawn(move || {
        let mut client = FooClient::connect(address);
        while !stops.load(Ordering::Relaxed) {
            client.converse(10);
        }
        client.asked()
    })
}

/// Fails if a signal is answered twice or not at all, an answer is no JSON, or traffic suffers from being counted.
#[test]
fn fifty_signals_in_traffic_are_a_line_each_and_lose_no_message() {
    let server = foo_server();
    let fabric = Fabric::shaped(Shape::Inproc).codec("foo").shards(2).forward(&server).start();
    let stops = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4).map(|_| chatter(&fabric, &stops)).collect();
    let mut last = 0;
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2].into_iter().cycle().take(50) {
        let [total, req, ack, nak] = Eight::of(fabric.front().report_by(signal).value()).messages;
        assert_eq!(total, req + ack + nak);
        assert!(total >= last, "totals fell from {last} to {total}");
        last = total;
    }
    always_for(Duration::from_millis(300), "a line for each signal", || fabric.front().stdout().len() == 50);
    stops.store(true, Ordering::Relaxed);

    let asked: Vec<usize> =
        clients.into_iter().map(|client| client.join().expect("all are answered")).collect();
    let (req, nak) =
        (asked.iter().sum::<usize>() as u64, asked.iter().map(|asked| asked / 10).sum::<usize>() as u64);
    assert!(req > 0);
    fabric.at_rest();
    assert_eq!(Eight::on_signal(&fabric).messages, [2 * req, req, req - nak, nak]);
}

/// A proxy that has had one burst, and a look at it while all of that was less than a second ago. On a machine that stops
/// for so long between the two there is nothing exact to see, and another proxy is tried.
#[track_caller]
fn seen_in_its_second(start: impl Fn() -> Fabric) -> (Fabric, Source, Eight) {
    for _ in 0..TRIES {
        let (fabric, elapsed) = (start(), since());
        assert_eq!(Eight::on_signal(&fabric), Eight::are([0; 4], 0.0, 0.0));
        let client = burst(&fabric);
        let seen = Eight::on_signal(&fabric);
        if elapsed() < IN_TIME {
            return (fabric, client, seen);
        }
    }
    panic!("in none of {TRIES} tries was there a look within {IN_TIME:?}");
}

const TRIES: usize = 20;
/// A second, but for the part of 100 ms at its beginning that a window may cut off.
const IN_TIME: Duration = Duration::from_millis(900);

/// Fails if a window is a mean since the start, does not move, keeps what has left it, or HTTP says something else.
#[test]
fn a_burst_through_the_proxy_is_in_the_short_window_for_a_second_and_in_the_long_one_for_ten() {
    let server = foo_server();
    let plan = || Fabric::shaped(Shape::Inproc).codec("foo").forward(&server);
    let (fabric, client, seen) = seen_in_its_second(|| plan().front(&["--http", "127.0.0.1:0"]).start());
    assert_eq!(seen, Eight::are(BURST, 100.0, 10.0));
    let later = Eight::are(BURST, 0.0, 10.0);
    eventually_within(Duration::from_secs(3), "the second is over", || Eight::on_signal(&fabric) == later);
    let over_http = || Eight::of(&ask(fabric.http(), "GET /stats", "").json());
    assert_eq!(over_http(), later);
    eventually_within(Duration::from_secs(12), "so are the ten", || {
        Eight::on_signal(&fabric) == Eight::are(BURST, 0.0, 0.0)
    });
    assert_eq!(over_http(), Eight::are(BURST, 0.0, 0.0));
    drop(client);
}

/// What `/metrics` says under this name where a label has this value, once it says something.
#[track_caller]
fn metric(fabric: &Fabric, name: &str, label: &str) -> Option<String> {
    let answer = ask(fabric.http(), "GET /metrics", "");
    let scrape =
        Scrape::parse(answer.body.lines().map(|line| Ok(line.to_owned()))).expect("metrics are read");
    let is_it =
        |sample: &&Sample| sample.metric == name && sample.labels.values().any(|value| value == label);
    match scrape.samples.iter().find(is_it)?.value {
        Metric::Counter(value) => Some(value.to_string()),
        ref other => panic!("{name} {label}: {other:?}"),
    }
}

/// Fails if a scraper cannot read what has passed, before there is any traffic or after it.
#[test]
fn metrics_are_what_a_scraper_reads_and_what_has_passed() {
    let (server, silent) = (foo_server(), Destination::silent());
    let plan = Fabric::shaped(Shape::Inproc).codec("foo").shards(2).forward(&server).forward(&silent);
    let fabric = plan.front(&["--http", "127.0.0.1:0"]).start();
    let is_counted = |messages: [u32; 3], invalid: [u32; 2]| {
        let is =
            |name: &str, label: &str, count: u32| metric(&fabric, name, label) == Some(count.to_string());
        let mut messages = ["req", "ack", "nak"].into_iter().zip(messages);
        let mut invalid = ["source", "primary"].into_iter().zip(invalid);
        messages.all(|(kind, count)| is("pegloom_foo_messages_total", kind, count))
            && invalid.all(|(from, count)| is("pegloom_foo_invalid_total", from, count))
    };
    eventually("zeros are scraped before any traffic", || is_counted([0; 3], [0; 2]));
    let mut client = burst(&fabric);
    client.send(b"FOO 1\nreq 2\n");
    // This server answers whatever has a number.
    eventually("then all that passed is", || is_counted([100, 92, 10], [2, 0]));
}
