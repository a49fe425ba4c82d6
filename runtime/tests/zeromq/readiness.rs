//! That whoever waits for a message gets it, whatever else is called on the socket meanwhile.

use std::{cell::Cell, rc::Rc};

use runtime::zeromq::{Context, Dealer, PeerId, Publisher, Router, Subscriber};
use tokio::task::{spawn_local, yield_now};

use crate::support::{ANYWHERE, answered, linked, on_one_thread, received};

const MESSAGES: usize = 10_000;
const ID: &[u8] = b"dealer";

fn id() -> PeerId {
    PeerId::new(ID).unwrap()
}

/// A dealer whose first send is still to come: that one always takes commands in, the next ones about once a
/// millisecond.
fn quiet_pair(endpoint: &str) -> (Router, Dealer) {
    let context = Context::new();
    let router = Router::bind(&context, endpoint).unwrap();
    let dealer = Dealer::connect(&context, endpoint, ID).unwrap();
    (router, dealer)
}

// Do nothing in `look_again`: hangs.
#[test]
fn a_send_that_eats_the_signal_does_not_hide_the_message_from_the_next_wait() {
    on_one_thread(async {
        let (router, dealer) = quiet_pair("inproc://eaten");
        assert!(dealer.try_receive().is_none());
        router.try_send(id(), b"reply".to_vec()).unwrap();
        dealer.try_send(b"request".to_vec()).unwrap();
        assert_eq!(&*answered(&dealer).await, b"reply");
    });
}

// Wake nobody in `look_again`: hangs.
#[test]
fn a_send_that_eats_the_signal_wakes_the_task_that_already_waits() {
    on_one_thread(async {
        let (router, dealer) = quiet_pair("inproc://eaten-while-waiting");
        let dealer = Rc::new(dealer);
        let waiting = Rc::clone(&dealer);
        let waiter = spawn_local(async move { answered(&waiting).await.to_vec() });
        yield_now().await;
        router.try_send(id(), b"reply".to_vec()).unwrap();
        dealer.try_send(b"request".to_vec()).unwrap();
        assert_eq!(waiter.await.unwrap(), b"reply");
    });
}

/// Gives the router back: a link that is dropped loses what it has not sent.
async fn echo(router: Router, messages: usize) -> Router {
    for _ in 0..messages {
        let (peer, batch) = received(&router).await;
        router.try_send(peer, batch.to_vec()).unwrap();
    }
    router
}

fn ping_pong(endpoint: &str) {
    on_one_thread(async {
        let (router, dealer) = linked(endpoint, ID).await;
        let server = spawn_local(echo(router, MESSAGES));
        for number in 0..MESSAGES {
            let request = number.to_le_bytes();
            dealer.try_send(request.to_vec()).unwrap();
            assert_eq!(*answered(&dealer).await, request);
        }
        server.await.unwrap();
    });
}

#[test]
fn ten_thousand_requests_and_replies_on_one_thread_do_not_hang_over_inproc() {
    ping_pong("inproc://ping-pong");
}

#[test]
fn ten_thousand_requests_and_replies_do_not_hang_over_tcp() {
    ping_pong(ANYWHERE);
}

/// One task sends, another receives, on the same socket.
fn interleaved(endpoint: &str) {
    on_one_thread(async {
        let (router, dealer) = linked(endpoint, ID).await;
        let (server, dealer) = (spawn_local(echo(router, MESSAGES)), Rc::new(dealer));
        let receiver = Rc::clone(&dealer);
        let receiver = spawn_local(async move {
            for number in 0..MESSAGES {
                assert_eq!(*answered(&receiver).await, number.to_le_bytes());
            }
        });
        for number in 0..MESSAGES {
            dealer.try_send(number.to_le_bytes().to_vec()).unwrap();
            if number % 7 == 0 {
                yield_now().await;
            }
        }
        receiver.await.unwrap();
        server.await.unwrap();
    });
}

#[test]
fn sends_between_receives_lose_no_wake_up_over_inproc() {
    interleaved("inproc://interleaved");
}

#[test]
fn sends_between_receives_lose_no_wake_up_over_tcp() {
    interleaved(ANYWHERE);
}

// Do not yield in `readable`: the other task never runs.
#[test]
fn a_turn_that_stops_short_lets_other_tasks_run_and_goes_on() {
    on_one_thread(async {
        let (router, dealer) = linked("inproc://short", ID).await;
        let others = Rc::new(Cell::new(0));
        let other = Rc::clone(&others);
        spawn_local(async move {
            loop {
                other.set(other.get() + 1);
                yield_now().await;
            }
        });
        (0..10).for_each(|_| dealer.try_send(b"batch".to_vec()).unwrap());
        for _ in 0..10 {
            router.readable().await;
            assert!(router.try_receive().is_some());
        }
        assert!(others.get() >= 9, "{}", others.get());
    });
}

#[test]
fn a_socket_may_outlive_its_runtime() {
    let (router, dealer) = on_one_thread(linked(ANYWHERE, ID));
    assert_eq!(router.try_send(id(), b"late".to_vec()), Ok(()));
    drop((dealer, router));
}

#[test]
fn a_report_arrives_whoever_binds() {
    on_one_thread(async {
        let context = Context::new();
        let node = Subscriber::bind(&context, ANYWHERE, &[b"report"]).unwrap();
        let publisher = Publisher::connect(&context, node.endpoint()).unwrap();
        arrives(&publisher, &node).await;
        let publisher = Publisher::bind(&context, ANYWHERE).unwrap();
        let listener = Subscriber::connect(&context, publisher.endpoint(), &[b"report"]).unwrap();
        arrives(&publisher, &listener).await;
    });
}

async fn arrives(publisher: &Publisher, subscriber: &Subscriber) {
    let (topic, body) = loop {
        publisher.try_send(b"event", b"not asked for").unwrap();
        publisher.try_send(b"report", b"42").unwrap();
        match subscriber.try_receive() {
            Some(heard) => break heard.unwrap(),
            None => yield_now().await,
        }
    };
    assert_eq!((&*topic, &*body), (&b"report"[..], &b"42"[..]));
}
