//! That a message has exactly the parts it should have, or is refused whole, and the next one is as it was.

use runtime::zeromq::{Batch, Context, Dealer, Malformed, PeerId, Received, Router, Subscriber};

use crate::support::{ANYWHERE, on_one_thread, once_connected};

fn foreign(kind: zmq::SocketType) -> zmq::Socket {
    let socket = zmq::Context::new().socket(kind).unwrap();
    socket.set_linger(0).unwrap();
    socket
}

// Leave out `skip` in `last_part`: the first is taken for a batch and the second's id is `b`.
#[test]
fn a_router_refuses_a_batch_of_two_parts_and_takes_the_next() {
    on_one_thread(async {
        let router = Router::bind(&Context::new(), ANYWHERE).unwrap();
        let peer = foreign(zmq::DEALER);
        peer.set_identity(b"peer").unwrap();
        peer.connect(router.endpoint()).unwrap();
        peer.send_multipart(["a", "b", "c"], 0).unwrap();
        peer.send("good", 0).unwrap();
        let id = PeerId::new(b"peer").unwrap();
        assert_eq!(next(&router).await.unwrap_err(), Malformed { peer: Some(id) });
        let (from, batch) = next(&router).await.unwrap();
        assert_eq!((from, &*batch), (id, &b"good"[..]));
    });
}

async fn next(router: &Router) -> Result<(PeerId, Batch), Malformed> {
    loop {
        router.readable().await;
        if let Some(received) = router.try_receive() {
            return received;
        }
    }
}

// Leave out `to_canonical`: an IPv4 address is told as one of IPv6.
#[test]
fn a_router_tells_from_where_a_message_came() {
    on_one_thread(async {
        for (endpoint, address) in [(ANYWHERE, Some("127.0.0.1".parse().unwrap())), ("inproc://here", None)] {
            let context = Context::new();
            let router = Router::bind(&context, endpoint).unwrap();
            let dealer = Dealer::connect(&context, router.endpoint(), b"id").unwrap();
            once_connected(|| dealer.try_send(b"hello".to_vec())).await;
            let Received { from, batch, .. } = loop {
                router.readable().await;
                if let Some(received) = router.try_receive_from() {
                    break received.unwrap();
                }
            };
            assert_eq!((from, &*batch), (address, &b"hello"[..]));
        }
    });
}

// Do not ask `skip` in `Dealer::try_receive`: the parts are taken for batches.
#[test]
fn a_dealer_refuses_a_batch_of_two_parts_and_takes_the_next() {
    on_one_thread(async {
        let peer = foreign(zmq::ROUTER);
        peer.set_router_mandatory(true).unwrap();
        peer.bind(ANYWHERE).unwrap();
        let endpoint = peer.get_last_endpoint().unwrap().unwrap();
        let dealer = Dealer::connect(&Context::new(), &endpoint, b"id").unwrap();
        while peer.send_multipart(["id", "a", "b"], 0).is_err() {
            tokio::task::yield_now().await;
        }
        peer.send_multipart(["id", "good"], 0).unwrap();
        dealer.readable().await;
        assert_eq!(dealer_next(&dealer).await.unwrap_err(), Malformed { peer: None });
        assert_eq!(&*dealer_next(&dealer).await.unwrap(), b"good");
    });
}

async fn dealer_next(dealer: &Dealer) -> Result<Batch, Malformed> {
    loop {
        dealer.readable().await;
        if let Some(received) = dealer.try_receive() {
            return received;
        }
    }
}

// Make an empty body of a missing one in `last_part`: it is taken for a report.
#[test]
fn a_subscriber_refuses_a_topic_without_a_body() {
    on_one_thread(async {
        let subscriber = Subscriber::bind(&Context::new(), ANYWHERE, &[b""]).unwrap();
        let publisher = foreign(zmq::PUB);
        publisher.connect(subscriber.endpoint()).unwrap();
        let heard = loop {
            publisher.send("topic", 0).unwrap();
            match subscriber.try_receive() {
                Some(heard) => break heard,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(heard.unwrap_err(), Malformed { peer: None });
    });
}
