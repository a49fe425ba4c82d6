//! Many clients on many threads ask for the same at once.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use http_body_util::BodyExt;
use web::cache::{Cache, Claim, Found, Outcome, Settings};

use crate::site::{MIB, at, bytes, get, reply, settings};

const CLIENTS: usize = 50;

/// A server that counts what it is asked.
struct Server {
    body: Vec<u8>,
    asked: AtomicUsize,
}

/// What a node does with one request, until it has an answer.
async fn serve(cache: &Cache, server: &Server, target: &str) -> Vec<u8> {
    let request = get(target);
    loop {
        let found = match cache.lookup(&request, at(0)) {
            Found::OnDisk(loading) => loading.load(&request, at(0)).await,
            found => found,
        };
        if let Found::Fresh(response) = found {
            return response.into_body().collect().await.unwrap().to_bytes().to_vec();
        }
        match cache.claim(&request, at(0)) {
            Claim::Follow(follower) => {
                assert_eq!(follower.wait(Duration::from_secs(60)).await, Outcome::Stored);
            }
            Claim::Lead(lead) => {
                server.asked.fetch_add(1, Relaxed);
                let filling = cache.admit(lead, &request, &reply(200, &[]), at(0)).unwrap();
                let body = http_body_util::Full::new(server.body.clone().into());
                return filling.beside(body).collect().await.unwrap().to_bytes().to_vec();
            }
        }
    }
}

/// Fails if those who wait for a long body are told before it can be found.
#[test]
fn fifty_clients_of_a_cold_url_are_one_request_to_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Some((folder.path().to_owned(), 64 * MIB));
    let cache = Cache::open(Settings { disk, ..settings(60) }).unwrap();
    for round in 0..6 {
        let length = if round % 2 == 0 { 1_000 } else { 700_000 };
        let server = Server { body: bytes(round, length), asked: AtomicUsize::new(0) };
        let start = Barrier::new(CLIENTS);
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                    start.wait();
                    let body = runtime.block_on(serve(&cache, &server, &format!("/{round}")));
                    assert!(body == server.body);
                });
            }
        });
        assert_eq!(server.asked.load(Relaxed), 1, "round {round}");
    }
}
