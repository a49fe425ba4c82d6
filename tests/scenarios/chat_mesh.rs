//! `pegloom chat mesh`: members find one another, hear one another, and agree on what was said, whatever the network does.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::harness::{Network, Process, Report, eventually, eventually_within};

/// A network that is whole again is noticed as late as this.
const HEALING: Duration = Duration::from_secs(30);

/// A member, and where it is.
struct Member {
    process: Process,
    ip: IpAddr,
    port: u16,
    _dir: TempDir,
}

impl Member {
    /// On this machine only.
    #[track_caller]
    fn start(name: &str, peers: &[&Member]) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST, 0, name, peers)
    }

    #[track_caller]
    fn start_at(ip: Ipv4Addr, port: u16, name: &str, peers: &[&Member]) -> Self {
        let peers = peers.iter().map(|peer| peer.address());
        let (address, port) = (ip.to_string(), port.to_string());
        let mut args =
            ["chat", "mesh", "--name", name, "--ip", &address, "--port", &port].map(str::to_owned).to_vec();
        args.extend(peers.flat_map(|peer| ["--peer".to_owned(), peer]));
        let dir = tempfile::tempdir().unwrap();
        let process = Process::start_to_talk_to(&args, &[], dir.path());
        let line = process.prints("where it is", |line| line.starts_with("* You are now online, at port "));
        let port = line.split(|c: char| !c.is_ascii_digit()).find(|word| !word.is_empty()).unwrap();
        Self { port: port.parse().unwrap(), process, ip: ip.into(), _dir: dir }
    }

    fn address(&self) -> String {
        format!("{}:{}", self.ip, self.port)
    }

    fn say(&self, text: &str) {
        self.process.say(text);
    }

    #[track_caller]
    fn expect(&self, line: &str) {
        self.process.prints(line, |printed| printed == line);
    }

    /// A text, whether or not it comes late, or was missed: that depends on who is faster.
    #[track_caller]
    fn hears(&self, line: &str) {
        self.process.prints(line, |printed| unmarked(printed) == line);
    }

    /// The texts with these words, as often as they are shown.
    fn heard(&self, words: &str) -> Vec<String> {
        let lines = self.process.stdout().into_iter().filter(|line| line.contains(words));
        lines.map(|line| unmarked(&line)).collect()
    }

    fn online(&self) -> u64 {
        self.counted("online")
    }

    /// One of the counts that it prints, between the lines of the chat.
    #[track_caller]
    fn counted(&self, name: &str) -> u64 {
        let reports =
            || self.process.stdout().into_iter().filter(|line| line.starts_with('{')).collect::<Vec<_>>();
        let before = reports().len();
        self.process.signal(Signal::SIGUSR1);
        eventually("it prints its counts", || reports().len() > before);
        Report::parse(&reports()[before]).value()[name].as_u64().unwrap()
    }

    /// The agreed order, as it is told now.
    #[track_caller]
    fn history(&self) -> Vec<String> {
        let before = self.process.stdout().len();
        self.say("/history 1000");
        self.say("/who");
        let is_told = |lines: &[String]| lines.iter().any(|line| line.contains(" online: "));
        eventually("the history is told", || is_told(&self.process.stdout()[before..]));
        let lines = self.process.stdout().split_off(before);
        lines.iter().filter(|line| line.contains(" (again)")).map(|line| unmarked(line)).collect()
    }
}

/// Without what is said of how it came.
fn unmarked(line: &str) -> String {
    [" (late)", " (missed)", " (again)"].iter().fold(line.to_owned(), |line, mark| line.replace(mark, ""))
}

/// All hear all.
#[track_caller]
fn expect_all_online(members: &[&Member]) {
    for member in members {
        let what = format!("{} hears all", member.process.name());
        eventually_within(HEALING, &what, || member.online() == members.len() as u64);
    }
}

/// All have so many texts, in the same order.
#[track_caller]
fn expect_agreement(members: &[&Member], texts: usize) -> Vec<String> {
    for member in members {
        let what = format!("{} has all texts", member.process.name());
        eventually_within(HEALING, &what, || member.counted("kept") == texts as u64);
    }
    let history = members[0].history();
    assert_eq!(history.len(), texts);
    for member in members {
        assert_eq!(member.history(), history, "{}", member.process.name());
    }
    history
}

/// Fails if members are not found by hearsay, or a text is not heard by all at once, once.
#[test]
fn three_who_know_one_each_hear_one_another() {
    let ann = Member::start("ann", &[]);
    let bob = Member::start("bob", &[&ann]);
    let cid = Member::start("cid", &[&bob]);
    expect_all_online(&[&ann, &bob, &cid]);

    ann.say("hello, ¡hola! 🦀");
    bob.hears("ann: hello, ¡hola! 🦀");
    cid.hears("ann: hello, ¡hola! 🦀");
    cid.say("/me waves");
    ann.hears("cid * waves");
    bob.hears("cid * waves");
    bob.say("and I am bob");
    cid.hears("bob: and I am bob");
    ann.hears("bob: and I am bob");

    assert_eq!(cid.heard("I am bob"), ["bob: and I am bob"]);
    let history = expect_agreement(&[&ann, &bob, &cid], 3);
    assert_eq!(history[0], "ann: hello, ¡hola! 🦀");
    assert_eq!(history[2], "bob: and I am bob");
}

/// Fails if what was said before one came, or while it was dead, is lost to it.
#[test]
fn who_is_killed_and_returns_hears_what_was_said_from_the_others() {
    let ann = Member::start("ann", &[]);
    let bob = Member::start("bob", &[&ann]);
    expect_all_online(&[&ann, &bob]);
    bob.say("from my first life");
    ann.hears("bob: from my first life");

    bob.process.kill9();
    ann.expect("* bob is away. 1 online.");
    ann.say("are you there?");
    let bob = Member::start_at(Ipv4Addr::LOCALHOST, bob.port, "bob", &[&ann]);

    bob.expect("ann (missed): are you there?");
    expect_all_online(&[&ann, &bob]);
    bob.say("I am");
    ann.hears("bob: I am");
    let texts = expect_agreement(&[&ann, &bob], 3);
    assert!(texts[0].ends_with(": from my first life") && texts[2] == "bob: I am", "{texts:?}");
}

/// Fails if a member that lost all it had, and knows nobody, is not found by those that know it.
#[test]
fn who_returns_and_knows_nobody_is_found_by_those_that_know_it() {
    let ann = Member::start("ann", &[]);
    let bob = Member::start("bob", &[&ann]);
    expect_all_online(&[&ann, &bob]);
    bob.say("keep this");
    ann.hears("bob: keep this");

    ann.process.kill9();
    let ann = Member::start_at(Ipv4Addr::LOCALHOST, ann.port, "ann", &[]);

    ann.expect("bob (missed): keep this");
    expect_all_online(&[&ann, &bob]);
}

/// Fails if a private text reaches others, or nobody is told that it did not reach its addressee.
#[test]
fn a_text_for_one_is_heard_by_that_one() {
    let ann = Member::start("ann", &[]);
    let bob = Member::start("bob", &[&ann]);
    let cid = Member::start("cid", &[&ann]);
    expect_all_online(&[&ann, &bob, &cid]);

    ann.say("/msg bob psst");
    bob.process.prints("what is for it", |line| line.contains("psst"));
    ann.say("/msg dan psst");
    ann.expect("! dan is not here, and is told nothing. /who says who is.");
    ann.say("/nick Zoë");
    bob.expect("* ann is now called Zoë.");
    ann.say("done");
    cid.hears("Zoë: done");

    assert!(!cid.process.stdout().iter().any(|line| line.contains("psst")));
    expect_agreement(&[&ann, &bob, &cid], 1);
}

/// Fails if one of two with the same name can be taken for the other.
#[test]
fn two_of_one_name_are_told_apart() {
    let ann = Member::start("ann", &[]);
    let one = Member::start("bob", &[&ann]);
    let other = Member::start("bob", &[&ann]);
    expect_all_online(&[&ann, &one, &other]);

    one.say("it is me");
    other.say("no, me");

    let marked = |text: &str| {
        let line = unmarked(&ann.process.prints(text, |line| line.ends_with(text)));
        line.strip_suffix(&format!(": {text}")).unwrap().to_owned()
    };
    let names = [marked("it is me"), marked("no, me")];
    assert!(names.iter().all(|name| name.starts_with("bob~")) && names[0] != names[1], "{names:?}");
}

/// Fails if a script's words get lost because it ends.
#[test]
fn a_script_that_ends_has_been_heard() {
    let ann = Member::start("ann", &[]);
    let script = Member::start("script", &[&ann]);
    for number in 0..100 {
        script.say(&format!("line {number}"));
    }
    script.process.close_stdin();

    assert_eq!(script.process.exit_code(), Some(0));
    ann.hears("script: line 99");
    ann.expect("* script left. 1 online.");
    assert_eq!(
        ann.heard(": line "),
        (0..100).map(|number| format!("script: line {number}")).collect::<Vec<_>>()
    );
}

/// Fails if it is not told that nobody heard, or if Ctrl-C waits for that.
#[test]
fn who_was_heard_by_nobody_is_told_so_at_its_end() {
    let ann = Member::start("ann", &[]);
    ann.say("is anybody there?");
    ann.process.close_stdin();
    assert_eq!(ann.process.exit_code(), Some(2));
    ann.expect("! 1 text reached nobody.");

    let bob = Member::start("bob", &[&ann]);
    bob.say("nor here?");
    bob.process.signal(Signal::SIGINT);
    assert_eq!(bob.process.exit_code_within(Duration::from_secs(2)), Some(0));
}

/// Fails if a taken port is not told, or what is no peer.
#[test]
fn what_cannot_be_is_told_with_what_to_try() {
    let ann = Member::start("ann", &[]);
    let dir = tempfile::tempdir().unwrap();
    let port = ann.port.to_string();

    let taken = ["chat", "mesh", "--name", "x", "--ip", "127.0.0.1", "--port", &port];
    let taken = Process::start(&taken, &[], dir.path());
    assert_eq!(taken.exit_code(), Some(1));
    assert!(taken.stderr().concat().contains("another --port"), "{:?}", taken.stderr());

    let wrong =
        Process::start(&["chat", "mesh", "--name", "x", "--port", "0", "--peer", "here"], &[], dir.path());
    assert_eq!(wrong.exit_code(), Some(64));
    assert!(wrong.stderr().concat().contains("HOST:PORT"), "{:?}", wrong.stderr());
}

/// Fails if a typing error in --peer looks like an empty mesh, or is told of who is there.
#[test]
fn a_peer_that_cannot_be_met_is_told_with_why() {
    let ann = Member::start("ann", &[]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    // Nothing can be called so: a label is too long. And nobody listens at the first port.
    let nonsense = format!("{}:1", "x".repeat(64));
    let (web, here) = (listener.local_addr().unwrap().to_string(), ann.address());
    let mut args = ["chat", "mesh", "--name", "bob", "--ip", "127.0.0.1", "--port", "0"].to_vec();
    for peer in [&nonsense, "127.0.0.1:1", &web, &here] {
        args.extend(["--peer", peer]);
    }
    let dir = tempfile::tempdir().unwrap();
    let bob = Process::start_to_talk_to(&args, &[], dir.path());

    let absent = |peer: &str, why| format!("! {peer} is not there yet: {why}. It is tried on.");
    for line in [
        absent(&nonsense, "its host is not found"),
        absent("127.0.0.1:1", "nobody listens there"),
        absent(&web, "what answers there is no member of a mesh, or cannot reach this one"),
    ] {
        bob.prints("who is missing", |printed| printed == line);
    }
    assert_eq!(bob.stdout().iter().filter(|line| line.starts_with('!')).count(), 3, "{:?}", bob.stdout());
}

/// Fails if what is no member can end one, or is noticed by the others.
#[test]
fn what_is_no_member_is_dropped_and_nobody_notices() {
    let ann = Member::start("ann", &[]);
    let bob = Member::start("bob", &[&ann]);
    expect_all_online(&[&ann, &bob]);

    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 10_000], b""] {
        let mut stranger = TcpStream::connect((ann.ip, ann.port)).unwrap();
        // It may be shown the door before all is said.
        let _ = stranger.write_all(bytes);
    }
    ann.say("still here");
    bob.hears("ann: still here");
    assert!(ann.process.is_running());
    assert_eq!(bob.process.stdout().iter().filter(|line| line.starts_with("* ann")).count(), 1);
}

/// Fails if a partition costs a text, repeats one, or leaves two orders.
#[test]
fn three_that_were_cut_in_two_sides_agree_when_the_network_is_whole() {
    let hosts = ["ann", "bob", "cid"];
    let Some(network) = Network::of(&hosts) else { return };
    network.delay(Duration::from_millis(5));
    let start = |name: &'static str, peers: &[&Member]| {
        let host = network.host(name);
        host.inside(|| Member::start_at(host.address(), 7001, name, peers))
    };
    let ann = start("ann", &[]);
    let bob = start("bob", &[&ann]);
    let cid = start("cid", &[&ann]);
    let all = [&ann, &bob, &cid];
    expect_all_online(&all);
    ann.say("before");
    bob.hears("ann: before");
    cid.hears("ann: before");

    network.cut_off("cid");
    ann.expect("* cid is away. 2 online.");
    cid.process.prints("that it is alone", |line| line.ends_with("is away. 1 online."));
    for number in 0..20 {
        ann.say(&format!("a{number}"));
        cid.say(&format!("c{number}"));
        bob.say(&format!("b{number}"));
    }
    ann.hears("bob: b19");
    bob.hears("ann: a19");
    assert!(!cid.process.stdout().iter().any(|line| line.contains(": a")));

    network.heal();

    expect_all_online(&all);
    let history = expect_agreement(&all, 61);
    assert_eq!(history[0], "ann: before");
    for (name, letter) in [("ann", 'a'), ("bob", 'b'), ("cid", 'c')] {
        let own: Vec<_> =
            history.iter().filter(|line| line.starts_with(&format!("{name}: {letter}"))).collect();
        let said: Vec<_> = (0..20).map(|number| format!("{name}: {letter}{number}")).collect();
        assert!(own.into_iter().eq(&said), "{history:?}");
    }
    let late = cid.process.stdout().iter().filter(|line| line.contains("(late)")).count();
    assert!(late > 0, "{:?}", cid.process.stdout());
}

/// Fails if two that cannot reach one another do not hear one another through a third.
#[test]
fn two_that_do_not_hear_each_other_are_told_by_a_third() {
    let hosts = ["ann", "bob", "cid"];
    let Some(network) = Network::of(&hosts) else { return };
    network.cut("ann", "cid");
    let start = |name: &'static str, peers: &[&Member]| {
        let host = network.host(name);
        host.inside(|| Member::start_at(host.address(), 7001, name, peers))
    };
    let bob = start("bob", &[]);
    let ann = start("ann", &[&bob]);
    let cid = start("cid", &[&bob]);
    eventually("bob hears both", || bob.online() == 3);

    ann.say("can you hear me?");
    cid.process.prints("what ann says", |line| line.ends_with(": can you hear me?"));
    cid.say("through bob");
    ann.process.prints("what cid says", |line| line.ends_with(": through bob"));

    assert_eq!((ann.online(), cid.online()), (2, 2));
    expect_agreement(&[&ann, &bob, &cid], 2);
}
