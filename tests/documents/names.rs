//! docs/operations.md: the names an operator looks up are the program's own.

use std::{collections::BTreeSet, fs, process::Command};

use proto::{
    counters::{ShedReason, Tally},
    id::Incarnation,
    ingress::{By, Ending},
    time::Instant,
    wire::Cause,
};
use runtime::{
    event::{Asked, Diverged, Event, Outage, Published, Sample, SessionEnded, WorkerLost},
    exit::Exit,
    report::{
        self, CacheReport, DestinationReport, Foo, Latency, Report, Requests, RouteReport, Said,
        ServerReport, Sessions, Source,
    },
};
use serde_json::Value;
use stats_node::{Statistics, Summary};
use web::cache::{Count, Unkept};

use crate::{files, markdown, root, text};

pub(crate) fn operations(heading: &str) -> String {
    markdown::section(&text("docs/operations.md"), heading).to_owned()
}

/// The flags of every node, as their help has them.
fn flags() -> BTreeSet<String> {
    let helps = ["up", "ingress", "fanout", "stats-node"].map(|command| {
        let output = Command::new(env!("CARGO_BIN_EXE_pegloom")).args([command, "--help"]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    });
    let first_words = helps.iter().flat_map(|help| help.lines()).map(|line| {
        let line = line.trim_start().trim_start_matches("-h, ");
        line.split([' ', '=']).next().unwrap()
    });
    let flags = first_words.filter(|word| word.starts_with("--") && *word != "--help");
    flags.map(String::from).collect()
}

/// Fails if a flag is added, renamed or dropped, and the table is not.
#[test]
fn the_table_of_flags_is_that_of_the_help() {
    assert_eq!(markdown::column(&operations("## Flags"), 0), flags());
}

/// Fails if an exit code changes, or one is added, and the table does not follow.
#[test]
fn the_exit_codes_are_those_of_the_program() {
    let codes =
        [Exit::Clean, Exit::Failed, Exit::GraceExpired, Exit::Usage].map(|exit| exit.code().to_string());

    assert_eq!(markdown::column(&operations("## Exit codes"), 0), BTreeSet::from(codes));
}

/// Fails if a shed reason is added or renamed, and the table is not.
#[test]
fn the_shed_reasons_are_those_that_are_counted() {
    let names = ShedReason::ALL.map(|reason| reason.name().to_owned());

    assert_eq!(markdown::column(&operations("## Why frames are shed"), 0), BTreeSet::from(names));
}

/// Fails if an ending is renamed, or the table has one that does not exist.
#[test]
fn the_endings_are_those_that_are_logged() {
    let cause = Cause::Other;
    let endings = [
        Ending::Closed,
        Ending::Linger,
        Ending::Idle,
        Ending::Reset,
        Ending::Refused(cause),
        Ending::ConnectTimeout,
        Ending::Lost(cause),
        Ending::WorkerLost,
        Ending::TornReply,
        Ending::TornRequest,
        Ending::Drained,
    ];
    let logged = endings.map(|ending| ending.to_string().split(':').next().unwrap().to_owned());
    let section = operations("## How sessions end");

    assert_eq!(markdown::column(&section, 1), BTreeSet::from(logged));
    let by = [By::Source, By::Primary, By::Ingress].map(|by| by.to_string());
    assert_eq!(markdown::column(&section, 0), BTreeSet::from(by));
}

/// Fails if a field of the report is added, renamed or dropped, and the table is not.
#[test]
fn the_fields_of_a_report_are_those_that_are_printed() {
    let destination =
        DestinationReport { said: Some(Said::default()), refusals: Some(0), ..DestinationReport::default() };
    let route = RouteReport {
        listen: Some(String::new()),
        sessions: Some(Sessions::default()),
        source: Some(Source::default()),
        foo: Some(Foo::default()),
        latency: Some(Latency::default()),
        http: Some(requests()),
        destinations: vec![destination],
        ..RouteReport::default()
    };
    let links = [("counter".to_owned(), 1)].into();
    let report = Report { routes: vec![route], links, ..Report::default() };
    let section = operations("## The report");
    let (fields, counters) = section.split_once("| counter of").unwrap();

    let mut printed = keys(&serde_json::to_value(report).unwrap());
    printed.remove("counter");
    printed.remove("name of a server");
    assert_eq!(markdown::column(fields, 0), printed);

    let sources = text("ingress/src/report.rs") + &text("fanout/src/report.rs");
    let (counters, of_caches) = counters.split_once("| count of a cache").unwrap();
    let documented = markdown::column(&format!("|-\n| counter of{counters}"), 0);
    let absent: Vec<_> =
        documented.iter().filter(|name| !sources.contains(&format!("(\"{name}\", "))).collect();
    assert!(absent.is_empty(), "counters of links that nobody counts: {absent:?}");
    assert_eq!(markdown::column(&format!("|-\n| count{of_caches}"), 0), counts_of_caches());
}

/// Requests with a cache and a server.
fn requests() -> Requests {
    let servers = [("name of a server".to_owned(), ServerReport::default())].into();
    Requests { cache: Some(CacheReport::default()), servers, ..Requests::default() }
}

/// What a cache counts, and why it keeps something not, by the names in reports.
fn counts_of_caches() -> BTreeSet<String> {
    let counts = Count::ALL.iter().map(|count| count.name());
    counts.chain(Unkept::ALL.iter().map(|reason| reason.name())).map(str::to_owned).collect()
}

/// What is shown of a node of each kind, with a problem of each kind.
fn summary() -> Summary {
    let destination = |is_away| DestinationReport {
        destination: "primary".to_owned(),
        role: "primary".to_owned(),
        is_away,
        outages: u64::from(is_away),
        said: Some(Said::default()),
        ..DestinationReport::default()
    };
    let mut statistics = Statistics::default();
    for (kind, is_away) in [("ingress", false), ("fanout", true)] {
        let route = RouteReport {
            listen: Some(String::new()),
            sessions: Some(Sessions::default()),
            source: Some(Source::default()),
            foo: Some(Foo::default()),
            latency: Some(Latency { buckets: vec![0], ..Latency::default() }),
            destinations: vec![DestinationReport { refusals: Some(0), ..destination(is_away) }],
            ..RouteReport::default()
        };
        let report = Report { node: kind.to_owned(), routes: vec![route], ..Report::default() };
        let (node, incarnation) = (kind.to_owned(), Incarnation(1));
        let (shard, sequence, time, is_last) = (0, 1, 1, false);
        let published = report::Published { node, incarnation, shard, sequence, time, report, is_last };
        statistics.observe(published, Instant::ZERO);
    }
    Summary::of(&statistics, "stats-node", Instant::from_micros(4_000_000))
}

/// Fails if a field of the statistics is added, renamed or dropped, and the table is not.
#[test]
fn the_fields_of_the_statistics_are_those_that_are_printed() {
    let (report, section) = (operations("## The report"), operations("## Statistics"));
    let (of_report, _) = report.split_once("| counter of").unwrap();
    let of_report = markdown::column(of_report, 0);
    let (fields, _) = section.split_once("\n### ").unwrap();
    let documented = markdown::column(fields, 0);

    let printed = keys(&serde_json::to_value(summary()).unwrap());
    let undocumented: Vec<_> =
        printed.iter().filter(|name| !documented.contains(*name) && !of_report.contains(*name)).collect();
    let absent: Vec<_> = documented.difference(&printed).collect();

    assert!(undocumented.is_empty() && absent.is_empty(), "undocumented {undocumented:?}, absent {absent:?}");
}

/// Fails if a metric is added, renamed or dropped, and the table is not.
#[test]
fn the_metrics_are_those_that_are_exposed() {
    let exposed = stats_node::families(&summary()).into_iter().map(|family| family.name.to_owned());

    assert_eq!(markdown::column(&operations("## Metrics"), 0), exposed.collect());
}

/// Fails if a path is added, renamed or dropped, and the table is not.
#[test]
fn the_paths_are_those_that_are_answered() {
    let paths = stats_node::PATHS.map(str::to_owned);

    assert_eq!(markdown::column(&operations("## Over HTTP"), 0), BTreeSet::from(paths));
}

/// One of each kind.
fn events() -> [Event; 7] {
    let text = String::new;
    let asked = || Asked {
        session: text(),
        route: text(),
        destination: text(),
        frame: Sample::default(),
        answer: None,
        left_out: 0,
    };
    let outage = || Outage { route: text(), destination: text(), address: text(), cause: None };
    let diverged = Diverged {
        session: text(),
        route: text(),
        destination: text(),
        finding: text(),
        request: Sample::default(),
        primary: Sample::default(),
        secondary: Sample::default(),
        offset: None,
        path: Some(text()),
        left_out: 0,
    };
    let ended = SessionEnded {
        session: text(),
        route: text(),
        by: text(),
        ending: text(),
        phase: text(),
        received: Tally::ZERO,
        sent: Tally::ZERO,
        left_out: 0,
    };
    let lost = WorkerLost { worker: text(), route: text(), destination: text(), why: text(), sessions: 0 };
    [
        Event::Diverged(diverged),
        Event::Asked(asked()),
        Event::AskedAgain(asked()),
        Event::Away(outage()),
        Event::Back(outage()),
        Event::SessionEnded(ended),
        Event::WorkerLost(lost),
    ]
}

/// Fails if a kind or a field of events is added, renamed or dropped, and the tables are not.
#[test]
fn the_kinds_and_fields_of_events_are_those_that_are_published() {
    let published = events().map(|event| {
        let (node, incarnation) = (String::new(), Incarnation(1));
        let published = Published { node, incarnation, shard: 0, sequence: 1, time: 0, event };
        serde_json::to_value(published).unwrap()
    });
    let section = operations("## Events");
    let (fields, kinds) = section.split_once("| kind |").unwrap();

    let printed: BTreeSet<String> = published.iter().flat_map(keys).collect();
    assert_eq!(markdown::column(fields, 0), printed);
    let told = published.iter().map(|published| published["event"]["kind"].as_str().unwrap().to_owned());
    assert_eq!(markdown::column(&format!("| kind |{kinds}"), 0), told.collect());
}

fn keys(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => {
            let below = fields.values().flat_map(keys);
            fields.keys().cloned().chain(below).collect()
        }
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        _ => BTreeSet::new(),
    }
}

/// Fails if a line's words are changed in the code and an operator would look for the old ones.
#[test]
fn the_log_lines_are_those_of_the_code() {
    let sources = ["ingress/src", "fanout/src", "stats-node/src", "runtime/src", "web/src"]
        .map(|folder| files(&root().join(folder), "rs"));
    let code: String = sources.iter().flatten().map(|path| fs::read_to_string(path).unwrap()).collect();
    let lines = markdown::column(&operations("## Log lines that matter"), 1);
    assert!(lines.len() > 20, "{} lines", lines.len());

    let absent: Vec<_> = lines.iter().filter(|line| !code.contains(&format!("\"{line}\""))).collect();

    assert!(absent.is_empty(), "lines that nobody logs: {absent:#?}");
}
