//! The link's port when anyone but a worker talks to it: whatever comes, the fabric goes on.
//!
//! Some of the visitors speak enough ZMTP (3.0, NULL mechanism) to get their bytes as far as our own decoder.

use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::{Destination, Fabric, Shape, Source, Talker, eventually};

const VISITS: usize = 20;

/// Fails if a decoder panics, a foreign peer is answered or kept without a bound, or the link's loop stops for it.
#[test]
fn strangers_at_the_link_port_harm_nothing() {
    let (primary, secondary) = (Destination::echo(), Destination::silent());
    let mut fabric = Fabric::shaped(Shape::Tcp).forward(&primary).forward(&secondary).start();
    let link: SocketAddr = fabric.link().trim_start_matches("tcp://").parse().unwrap();
    let before = fabric.front().resident_bytes();
    let talker = Talker::start(0, fabric.address());

    let mut lingering = Vec::new();
    for visit in 0..VISITS {
        for words in strangers(visit) {
            let mut stranger = Source::connect(link);
            // Being hung up on while speaking is fine.
            let _ = stranger.try_send(&words);
            lingering.push(stranger);
        }
        // Some stay, the others leave.
        talker.expect_fresh_reply(Duration::from_secs(2));
        lingering.truncate(2 * VISITS);
    }

    fabric.expect_all_running();
    let (source, sent) = talker.hush_and_hear_everything();
    drop(source);
    secondary.expect(&crate::harness::lines(0, sent));
    assert_eq!((primary.accepted(), secondary.accepted()), (1, 1));
    fabric.at_rest();
    assert!(
        fabric.front().resident_bytes().saturating_sub(before) < 64 << 20,
        "the ingress kept what strangers said"
    );
    fabric.start_worker(0, 1);
}

/// Fails if a stranger's connection is kept when the stranger is gone.
#[test]
fn strangers_leave_no_descriptor_behind() {
    let primary = Destination::echo();
    let fabric = Fabric::shaped(Shape::Tcp).forward(&primary).start();
    let link: SocketAddr = fabric.link().trim_start_matches("tcp://").parse().unwrap();
    let before = fabric.front().descriptors();

    for words in strangers(0) {
        let mut stranger = Source::connect(link);
        let _ = stranger.try_send(&words);
    }
    eventually("the descriptors are back", || fabric.front().descriptors() <= before);
    let mut source = fabric.connect();
    source.send(b"hello\n");
    source.expect(b"hello\n");
}

/// What strangers say: noise, other protocols, ZMTP that breaks off, ZMTP that carries what is no batch of ours.
fn strangers(visit: usize) -> Vec<Vec<u8>> {
    let noise = noise(visit as u64 + 1, 4096);
    let dealer = [greeting(), ready(b"DEALER")].concat();
    vec![
        Vec::new(),
        noise.clone(),
        b"GET / HTTP/1.1\r\nHost: link\r\n\r\n".to_vec(),
        greeting()[..11].to_vec(),
        greeting(),
        [greeting(), noise.clone()].concat(),
        [greeting(), ready(b"PUB")].concat(),
        // A message that says it is huge and is not.
        [dealer.clone(), vec![2, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(),
        [dealer.clone(), message(b"")].concat(),
        [dealer.clone(), message(&noise[..200])].concat(),
        // MessagePack that promises a list of four billion.
        [dealer.clone(), message(&[0xdd, 0xff, 0xff, 0xff, 0xff])].concat(),
        // As deeply nested as a short message can be.
        [dealer.clone(), message(&[0x91; 250])].concat(),
        // Many frames where one is expected.
        [dealer, [1, 1, b'x'].repeat(100), message(b"end")].concat(),
    ]
}

fn greeting() -> Vec<u8> {
    let mut greeting = vec![0; 64];
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting[12..16].copy_from_slice(b"NULL");
    greeting
}

fn ready(socket_type: &[u8]) -> Vec<u8> {
    let mut body = b"\x05READY\x0bSocket-Type".to_vec();
    body.extend((socket_type.len() as u32).to_be_bytes());
    body.extend(socket_type);
    [vec![4, body.len() as u8], body].concat()
}

/// One last, short frame.
fn message(body: &[u8]) -> Vec<u8> {
    [&[0, body.len() as u8], body].concat()
}

/// Bytes without a pattern, the same every time (xorshift).
fn noise(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(|_| next()).collect()
}
