//! A line between two: what its ends hear, what they learn of connections, and what a third is told.

use std::{io::Write as _, net::TcpStream, time::Duration};

use runtime::zeromq::{
    Batch, Connection, Context, Doorkeeper, Event, Malformed, Pair, Router, SendError, Verdict,
};

use crate::support::{ANYWHERE, on_one_thread};

const DOMAIN: &str = "line";

fn listening(context: &Context) -> Pair {
    Pair::bind(context, ANYWHERE, DOMAIN).unwrap()
}

fn calling(end: &Pair) -> Pair {
    Pair::connect(&Context::new(), end.endpoint()).unwrap()
}

async fn event(end: &Pair) -> Event {
    loop {
        end.eventful().await;
        if let Some(event) = end.try_event() {
            return event;
        }
    }
}

/// Waits for an event that is one of these kinds.
async fn event_like(end: &Pair, wanted: impl Fn(Event) -> bool) -> Event {
    loop {
        let event = event(end).await;
        if wanted(event) {
            return event;
        }
    }
}

async fn ready(end: &Pair) {
    event_like(end, |event| event == Event::Ready).await;
}

async fn disconnected(end: &Pair) -> Connection {
    match event_like(end, |event| matches!(event, Event::Disconnected(_))).await {
        Event::Disconnected(connection) => connection,
        other => panic!("{other:?}"),
    }
}

async fn received(end: &Pair) -> Result<(Option<Connection>, Batch), Malformed> {
    loop {
        end.readable().await;
        if let Some(received) = end.try_receive() {
            return received;
        }
    }
}

async fn hears(end: &Pair, words: &[u8]) -> Option<Connection> {
    let (connection, batch) = received(end).await.unwrap();
    assert_eq!(&*batch, words);
    connection
}

/// Answers whoever knocks next.
async fn at_the_door(doorkeeper: &Doorkeeper, verdict: Verdict) {
    loop {
        doorkeeper.knocked().await;
        if let Some(knock) = doorkeeper.try_knock() {
            assert_eq!((knock.domain.as_str(), knock.address.as_str()), (DOMAIN, "127.0.0.1"));
            return doorkeeper.answer(&knock, verdict).unwrap();
        }
    }
}

#[test]
fn both_ends_hear_each_other_and_know_by_which_connection() {
    on_one_thread(async {
        let one = listening(&Context::new());
        let other = calling(&one);
        assert!(matches!(event(&other).await, Event::Connected(_)));
        ready(&other).await;
        let Event::Connected(accepted) = event(&one).await else { panic!("it is told first") };
        ready(&one).await;

        other.try_send(b"hello".to_vec()).unwrap();
        one.try_send(b"and to you".to_vec()).unwrap();

        assert_eq!(hears(&one, b"hello").await, Some(accepted));
        hears(&other, b"and to you").await;
    });
}

// Leave out `set_zap_domain`: nobody knocks, and the third is taken for connected.
#[test]
fn a_third_is_told_that_it_is_refused_and_the_two_go_on() {
    on_one_thread(async {
        let context = Context::new();
        let doorkeeper = Doorkeeper::open(&context).unwrap();
        let one = listening(&context);
        let other = calling(&one);
        at_the_door(&doorkeeper, Verdict::Admitted).await;
        ready(&one).await;
        ready(&other).await;

        let third = calling(&one);
        at_the_door(&doorkeeper, Verdict::Refused("taken")).await;
        let told = event_like(&third, |event| !matches!(event, Event::Connected(_))).await;
        assert_eq!(told, Event::Refused(400));
        disconnected(&third).await;

        other.try_send(b"still here".to_vec()).unwrap();
        hears(&one, b"still here").await;
    });
}

#[test]
fn whose_connection_has_ended_is_known_by_what_came_over_it() {
    on_one_thread(async {
        let context = Context::new();
        let doorkeeper = Doorkeeper::open(&context).unwrap();
        let one = listening(&context);
        let other = calling(&one);
        at_the_door(&doorkeeper, Verdict::Admitted).await;
        ready(&other).await;
        other.try_send(b"hello".to_vec()).unwrap();
        let others = hears(&one, b"hello").await.unwrap();

        let third = calling(&one);
        at_the_door(&doorkeeper, Verdict::Refused("taken")).await;
        disconnected(&third).await;
        assert_ne!(disconnected(&one).await, others);
        drop(other);
        assert_eq!(disconnected(&one).await, others);
    });
}

#[test]
fn what_was_said_before_closing_is_heard_and_then_the_line_is_free() {
    on_one_thread(async {
        for _ in 0..10 {
            let one = listening(&Context::new());
            let other = calling(&one);
            ready(&other).await;
            other.try_send(b"bye".to_vec()).unwrap();
            other.close(Duration::from_secs(60));
            disconnected(&one).await;
            hears(&one, b"bye").await;
            while one.try_send(b"anybody?".to_vec()).is_ok() {
                tokio::task::yield_now().await;
            }
            assert_eq!(one.try_send(b"nobody".to_vec()), Err(SendError::Full));
        }
    });
}

#[test]
fn an_end_that_closes_leaves_its_port_to_the_next() {
    on_one_thread(async {
        let context = Context::new();
        let one = listening(&context);
        let endpoint = one.endpoint().to_owned();
        let other = calling(&one);
        ready(&other).await;
        drop(one);
        disconnected(&other).await;
        let one = loop {
            match Pair::bind(&context, &endpoint, DOMAIN) {
                Ok(one) => break one,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        ready(&one).await;
    });
}

#[test]
fn who_is_no_line_hangs_up_before_it_is_ready() {
    on_one_thread(async {
        let router = Router::bind(&Context::new(), ANYWHERE).unwrap();
        let end = Pair::connect(&Context::new(), router.endpoint()).unwrap();
        let Event::Connected(connection) = event(&end).await else { panic!("it is told first") };
        assert_eq!(event(&end).await, Event::Disconnected(connection));
    });
}

// Do not stop the monitor in `drop`: libzmq's thread tells a reader that has gone, for ever, and the next two are deaf.
#[test]
fn a_connection_that_ends_after_its_end_was_closed_harms_no_other_line_of_the_context() {
    on_one_thread(async {
        let context = Context::new();
        let one = listening(&context);
        let other = calling(&one);
        ready(&one).await;
        while one.try_send(vec![0; 10_000]).is_ok() {}
        // The end of the context may wait so long, if the connection ends before the close has come to libzmq's thread.
        one.close(Duration::from_secs(2));
        drop(other);

        let one = listening(&context);
        let other = calling(&one);
        ready(&other).await;
        other.try_send(b"hello".to_vec()).unwrap();
        hears(&one, b"hello").await;
    });
}

#[test]
fn strangers_who_speak_something_else_come_and_go() {
    on_one_thread(async {
        let one = listening(&Context::new());
        let address = one.endpoint().strip_prefix("tcp://").unwrap();
        for _ in 0..20 {
            let mut stranger = TcpStream::connect(address).unwrap();
            // It may have hung up by now.
            let _ = stranger.write_all(b"GET / HTTP/1.1\r\n\r\n");
            disconnected(&one).await;
        }
        let other = calling(&one);
        ready(&other).await;
        other.try_send(b"hello".to_vec()).unwrap();
        hears(&one, b"hello").await;
    });
}

#[test]
fn a_message_of_two_parts_is_refused_and_the_next_one_heard() {
    on_one_thread(async {
        let one = listening(&Context::new());
        let foreign = zmq::Context::new().socket(zmq::PAIR).unwrap();
        foreign.set_linger(0).unwrap();
        foreign.connect(one.endpoint()).unwrap();
        foreign.send_multipart(["a", "b"], 0).unwrap();
        foreign.send("good", 0).unwrap();
        assert_eq!(received(&one).await.unwrap_err(), Malformed { peer: None });
        hears(&one, b"good").await;
    });
}
