//! Peers that speak ZMTP by its bytes, as no library would: messages of parts that do not end.
//!
//! libzmq by itself bounds each part, and counts a message when it is whole (docs/adr/0005-libzmq-from-source.md).

use std::{
    io::{ErrorKind, Read as _, Result, Write as _},
    net::TcpStream,
    time::Duration,
};

use runtime::zeromq::{Context, Dealer, Hall, Limits, MAX_BATCH, Pair, PeerId, Router, Subscriber};

use crate::support::{ANYWHERE, DEADLINE, greet, on_one_thread, received};

const MORE: u8 = 1;
const LAST: u8 = 0;
/// What a part counts beside its bytes, at most.
const BLOCK: usize = 8192;
/// Far more than a limit and what two kernels keep; who has sent it was not bounded.
const ENDLESS: usize = 64 << 20;

struct Stranger(TcpStream);

impl Stranger {
    /// Greets as ZMTP 3.0 does, without security.
    fn greets(endpoint: &str, kind: &str) -> Self {
        let mut stranger = Self::connects(endpoint);
        let greeting = [&b"\xff\0\0\0\0\0\0\0\0\x7f\x03\0NULL"[..], &[0; 48]].concat();
        stranger.0.write_all(&greeting).unwrap();
        let property = [b"\x0bSocket-Type\0\0\0", &[kind.len() as u8][..], kind.as_bytes()].concat();
        stranger.command(&[b"\x05READY", &property[..]].concat()).unwrap();
        stranger.hears(64);
        let header = stranger.hears(2);
        stranger.hears(header[1].into());
        stranger
    }

    /// Has an empty name, as the first ZMTP does, which knows no greeting.
    fn greets_in_the_first_zmtp(endpoint: &str) -> Self {
        let mut stranger = Self::connects(endpoint);
        stranger.0.write_all(b"\x01\0").unwrap();
        stranger
    }

    fn connects(endpoint: &str) -> Self {
        let stream = TcpStream::connect(endpoint.trim_start_matches("tcp://")).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        Self(stream)
    }

    fn hears(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn command(&mut self, body: &[u8]) -> Result<()> {
        self.0.write_all(&[&[4, body.len() as u8], body].concat())
    }

    fn part(&mut self, more: u8, len: usize) -> Result<()> {
        self.0.write_all(&part(more, len))
    }

    /// Says this again and again until the connection has ended.
    #[track_caller]
    fn is_cut_off(&mut self, bytes: &[u8]) {
        let said = (0..ENDLESS / bytes.len()).try_for_each(|_| self.0.write_all(bytes));
        let error = said.expect_err("all of it was taken").kind();
        assert!(matches!(error, ErrorKind::ConnectionReset | ErrorKind::BrokenPipe), "{error}");
    }
}

fn part(more: u8, len: usize) -> Vec<u8> {
    [&[2 | more], &(len as u64).to_be_bytes()[..], &vec![0; len]].concat()
}

fn empty_parts() -> Vec<u8> {
    [1, 0].repeat(500_000)
}

// Leave out `whole_message::bound` in `zmq-sys`: all of it is taken, by each of them.
#[test]
fn whatever_listens_cuts_off_who_never_ends_a_message() {
    on_one_thread(async {
        let context = Context::new();
        let limits = Limits { message: MAX_BATCH, to_one: 10, from_one: 10, linger: Duration::ZERO };
        let hall = Hall::bind(&context, ANYWHERE, &limits).unwrap();
        let router = Router::bind(&context, ANYWHERE).unwrap();
        let pair = Pair::bind(&context, ANYWHERE, "line").unwrap();
        let subscriber = Subscriber::bind(&context, ANYWHERE, &[b""]).unwrap();
        for (endpoint, kind) in [
            (hall.endpoint(), "DEALER"),
            (router.endpoint(), "DEALER"),
            (pair.endpoint(), "PAIR"),
            (subscriber.endpoint(), "PUB"),
        ] {
            Stranger::greets(endpoint, kind).is_cut_off(&part(MORE, 60_000));
        }
        assert!(hall.try_receive().is_none() && router.try_receive().is_none());
        assert!(pair.try_receive().is_none() && subscriber.try_receive().is_none());
    });
}

// Leave out `+ 1` where blocks are counted: empty parts are taken.
#[test]
fn parts_of_any_kind_are_counted() {
    on_one_thread(async {
        let router = Router::bind(&Context::new(), ANYWHERE).unwrap();
        let greets = || Stranger::greets(router.endpoint(), "DEALER");
        greets().is_cut_off(&empty_parts());
        greets().is_cut_off(&part(MORE, MAX_BATCH as usize));
        greets().is_cut_off(&[&part(MORE, 60_000)[..], b"\x04\x07\x04PING\0\0"].concat());
        let first = [&b"\xff\0\0\0\0\0\0\x40\x01\x01"[..], &[0; 0x4000]].concat();
        Stranger::greets_in_the_first_zmtp(router.endpoint()).is_cut_off(&first);
        assert!(router.try_receive().is_none());
    });
}

#[test]
fn others_are_served_while_a_stranger_is_at_it() {
    on_one_thread(async {
        let router = Router::bind(&Context::new(), ANYWHERE).unwrap();
        let dealer = Dealer::connect(&Context::new(), router.endpoint(), b"other").unwrap();
        let mut stranger = Stranger::greets(router.endpoint(), "DEALER");
        let mut sent = 0;
        while stranger.part(MORE, 10_000).is_ok() {
            sent += 10_000;
            assert!(sent < ENDLESS, "all of it was taken");
            greet(&dealer, &router).await;
        }
        greet(&dealer, &router).await;
    });
}

// Do not begin anew at the last part: the second message costs the connection.
#[test]
fn a_message_may_be_as_long_as_the_limit_in_one_part_or_in_several() {
    on_one_thread(async {
        let router = Router::bind(&Context::new(), ANYWHERE).unwrap();
        let mut stranger = Stranger::greets(router.endpoint(), "DEALER");
        let longest = MAX_BATCH as usize;
        for _ in 0..3 {
            stranger.part(MORE, longest - 2 * BLOCK).unwrap();
            stranger.part(LAST, BLOCK).unwrap();
            assert_eq!(refused(&router).await, stranger_id(&router, &mut stranger, longest).await);
        }
        stranger.part(MORE, longest - 2 * BLOCK).unwrap();
        stranger.is_cut_off(&part(LAST, BLOCK + 1));
        assert!(router.try_receive().is_none());
    });
}

/// Who sent the next message, which is one of several parts.
async fn refused(router: &Router) -> Option<PeerId> {
    loop {
        router.readable().await;
        if let Some(received) = router.try_receive() {
            return received.expect_err("it has several parts").peer;
        }
    }
}

/// Who says a message of one part over this connection.
async fn stranger_id(router: &Router, stranger: &mut Stranger, len: usize) -> Option<PeerId> {
    stranger.part(LAST, len).unwrap();
    let (peer, batch) = received(router).await;
    assert_eq!(batch.len(), len);
    Some(peer)
}
