//! Processes that are killed, servers and workers that go, and what a client gets meanwhile: a right answer, or none.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::Signal;

use crate::harness::{
    Client, Fabric, Plan, Shape, Then, WebServer, eventually, get, ok, read_body, web_request,
};
use crate::http_cache::noise;

/// What `/0`, `/1`, … are: of several lengths, and no two alike.
struct Library(Vec<u8>);

impl Library {
    const LENGTHS: [usize; 5] = [0, 100, 5_000, 70_000, 1_000_000];
    const COUNT: usize = 40;

    fn new() -> Arc<Self> {
        Arc::new(Self(noise(1_001_000)))
    }

    fn volume(&self, number: usize) -> &[u8] {
        &self.0[number * 7..][..Self::LENGTHS[number % Self::LENGTHS.len()]]
    }

    fn server(self: &Arc<Self>) -> WebServer {
        let library = Arc::clone(self);
        WebServer::answering(move |asked| ok(library.volume(asked.target()[1..].parse().unwrap())))
    }
}

/// Clients that ask for volumes without end, wherever the fabric is.
struct Readers {
    is_over: Arc<AtomicBool>,
    right: Arc<AtomicUsize>,
    hits: Arc<AtomicUsize>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Readers {
    fn start(library: &Arc<Library>, address: &Arc<Mutex<SocketAddr>>) -> Self {
        let (is_over, right, hits): (Arc<AtomicBool>, Arc<AtomicUsize>, Arc<AtomicUsize>) =
            Default::default();
        let threads = (0..4)
            .map(|seed| {
                let (library, address) = (Arc::clone(library), Arc::clone(address));
                let (is_over, right, hits) = (Arc::clone(&is_over), Arc::clone(&right), Arc::clone(&hits));
                thread::spawn(move || {
                    let mut number = seed;
                    while !is_over.load(Relaxed) {
                        let Ok(mut client) = Client::try_connect(*address.lock().unwrap()) else { continue };
                        // As long as it goes well.
                        loop {
                            number = (number * 5 + 3) % Library::COUNT;
                            let request = web_request("GET", &format!("/{number}"), "", b"");
                            if client.try_send(request).is_err() {
                                break;
                            }
                            let Ok(answer) = client.try_answer_to("GET") else { break };
                            if answer.status == 200 {
                                assert!(answer.body == library.volume(number), "/{number}: {answer:?}");
                                right.fetch_add(1, Relaxed);
                                let status = answer.header("cache-status").unwrap_or_default();
                                hits.fetch_add(usize::from(status.contains("; hit")), Relaxed);
                            }
                            if is_over.load(Relaxed) {
                                return;
                            }
                        }
                    }
                })
            })
            .collect();
        Self { is_over, right, hits, threads }
    }

    /// So many more are right.
    #[track_caller]
    fn expect_more(&self, count: usize) {
        let before = self.right.load(Relaxed);
        eventually("answers are right", || self.right.load(Relaxed) >= before + count);
    }

    fn end(self) -> usize {
        self.is_over.store(true, Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("every whole answer is right"));
        self.hits.load(Relaxed)
    }
}

fn before(server: &WebServer, shape: Shape) -> Plan {
    Fabric::shaped(shape).web().forward_to(server.address())
}

/// Fails if what a killed process left on disk is given to a client though it is not whole.
#[test]
fn kill_9_under_load_never_leaves_a_wrong_body() {
    const KILLS: usize = 10;
    let directory = tempfile::tempdir().unwrap();
    let library = Library::new();
    let server = library.server();
    let start = |directory: &Path| {
        // Little memory, so that what is kept is read from disk.
        before(&server, Shape::Inproc)
            .set("cache_memory", "2MiB")
            .front(&["--data-dir", directory.to_str().unwrap()])
            .start()
    };
    let mut fabric = start(directory.path());
    let address = Arc::new(Mutex::new(fabric.address()));
    let readers = Readers::start(&library, &address);
    for _ in 0..KILLS {
        readers.expect_more(20);
        fabric.front().kill9();
        fabric = start(directory.path());
        *address.lock().unwrap() = fabric.address();
    }
    readers.expect_more(20);
    assert!(readers.end() > 0, "nothing came out of the cache");
    for number in 0..Library::COUNT {
        assert!(get(fabric.address(), &format!("/{number}")).body == library.volume(number), "/{number}");
    }
}

/// Fails if a worker that goes takes requests with it that another server could answer, or one that is back gets none.
#[test]
fn a_killed_worker_is_a_server_that_is_away() {
    for shape in [Shape::Ipc, Shape::Tcp] {
        let library = Library::new();
        let servers = [library.server(), library.server()];
        let mut fabric = before(&servers[0], shape)
            .forward_to(servers[1].address())
            .set("ttl", "0s")
            .set("eject_for", "100ms")
            .set("connect_timeout", "500ms")
            .start();
        let mut client = Client::connect(fabric.address());
        for number in 0..4 {
            assert_eq!(client.get(&format!("/{number}")).status, 200);
        }
        fabric.server_of("server-1").kill9();
        for number in 0..20 {
            let answer = client.get(&format!("/{number}"));
            assert!(
                answer.status == 200 && answer.body == library.volume(number),
                "/{number}: {}",
                answer.line
            );
        }
        let before = servers[0].count();
        fabric.start_worker(0, 0);
        eventually("its server is asked again", || {
            assert_eq!(client.get("/1").status, 200);
            servers[0].count() > before
        });
    }
}

/// Fails if a reply that its server or worker breaks off looks whole, or harms the client's next request.
#[test]
fn a_reply_that_breaks_off_is_seen_to_be_broken() {
    for shape in [Shape::Inproc, Shape::Tcp] {
        let server = WebServer::by_hand(|asked, peer| {
            match asked.target() {
                "/cut" => {
                    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
                    peer.write(&noise(500_000));
                    return Then::Close;
                }
                "/reset" => {
                    peer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhalf!\r\n");
                    peer.reset();
                    return Then::Close;
                }
                "/stall" => {
                    peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
                    peer.hold();
                }
                target => peer.write(&ok(target.as_bytes())),
            }
            Then::GoOn
        });
        let fabric = before(&server, shape).set("upstream_timeout", "1s").set("eject_after", "1000").start();
        for target in ["/cut", "/reset", "/stall"] {
            let mut client = Client::connect(fabric.address());
            client.send(web_request("GET", target, "", b""));
            assert!(client.try_answer_to("GET").is_err(), "{target}");
            assert_eq!(get(fabric.address(), "/next").text(), "/next");
        }
        let torn = || fabric.report().value()["routes"][0]["http"]["torn"].as_u64();
        eventually("they are counted", || torn() == Some(3));
    }
}

/// Fails if a client's leaving is told to nobody: its server would go on for it.
#[test]
fn who_leaves_in_the_middle_takes_its_request_along() {
    for shape in [Shape::Inproc, Shape::Tcp] {
        let ended = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&ended);
        let server = WebServer::by_hand(move |asked, peer| {
            if asked.target() == "/next" {
                peer.write(&ok(b"next"));
                return Then::GoOn;
            }
            if asked.target() == "/download" {
                peer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nsome");
            }
            if read_body(asked, peer).is_some() {
                while peer.read().is_some() {}
            }
            seen.fetch_add(1, Relaxed);
            Then::Close
        });
        let fabric = before(&server, shape).set("ttl", "0s").start();
        for (number, (target, length)) in
            [("/wait", 0), ("/download", 0), ("/upload", 1_000_000)].iter().enumerate()
        {
            let mut client = Client::connect(fabric.address());
            client.send(format!("POST {target} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n"));
            server.expect_count(number + 1);
            if *target == "/download" {
                assert_eq!(client.head().status, 200);
            }
            client.reset();
            eventually(&format!("{target}: its server hears of it"), || ended.load(Relaxed) == number + 1);
        }
        assert_eq!(get(fabric.address(), "/next").text(), "next");
        fabric.expect_all_running();
    }
}

/// Fails if a request that is in progress when its ingress is stopped for a while is lost, or answered twice.
#[test]
fn a_process_that_stands_still_for_a_while_loses_nothing() {
    let library = Library::new();
    let server = library.server();
    let fabric = before(&server, Shape::Ipc).set("ttl", "0s").start();
    let address = Arc::new(Mutex::new(fabric.address()));
    let readers = Readers::start(&library, &address);
    for process in fabric.processes() {
        readers.expect_more(50);
        process.stop();
        process.signal(Signal::SIGCONT);
    }
    readers.expect_more(50);
    readers.is_over.store(true, Relaxed);
    readers.threads.into_iter().for_each(|thread| thread.join().unwrap());
}
