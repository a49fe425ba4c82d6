//! Peers that are not there, come back, flood, lie or stop.

use std::{io::Write, net::TcpStream, sync::mpsc, thread};

use runtime::zeromq::{Context, Dealer, Error, MAX_BATCH, PeerId, Publisher, Router, SendError, Subscriber};

use crate::support::{ANYWHERE, DEADLINE, answered, greet, linked, on_one_thread, once_connected, received};

const MANY: u32 = 100_000;

fn nothing_is_lost(endpoint: &str) {
    on_one_thread(async {
        let (router, dealer) = linked(endpoint, b"id").await;
        let peer = PeerId::new(b"id").unwrap();
        for number in 0..MANY {
            dealer.try_send(number.to_le_bytes().to_vec()).unwrap();
            router.try_send(peer, number.to_le_bytes().to_vec()).unwrap();
        }
        for number in 0..MANY {
            assert_eq!(*received(&router).await.1, number.to_le_bytes());
            assert_eq!(*answered(&dealer).await, number.to_le_bytes());
        }
    });
}

// Leave `sndhwm` at its default: refused after 11,000.
#[test]
fn a_hundred_thousand_small_batches_queue_without_loss_over_inproc() {
    nothing_is_lost("inproc://queue");
}

// Leave `sndhwm` at its default: refused when the kernel's buffers are full.
#[test]
fn a_hundred_thousand_small_batches_queue_without_loss_over_tcp() {
    nothing_is_lost(ANYWHERE);
}

// Leave out the bound: all are taken, and memory has none.
#[test]
fn a_queue_with_a_bound_refuses_what_a_peer_does_not_read() {
    on_one_thread(async {
        let context = Context::new();
        let router = Router::bind(&context, "inproc://bounded").unwrap();
        let dealer = Dealer::connect_bounded(&context, router.endpoint(), b"id", 10).unwrap();
        greet(&dealer, &router).await;
        let refused = (0..MANY).find(|number| dealer.try_send(number.to_le_bytes().to_vec()).is_err());
        let refused = refused.expect("the queue has a bound");
        for number in 0..refused {
            assert_eq!(*received(&router).await.1, number.to_le_bytes(), "what was taken is not lost");
        }
        once_connected(|| dealer.try_send(b"there is room again".to_vec())).await;
    });
}

// Leave out `router_mandatory`: taken and gone.
#[test]
fn a_batch_to_a_peer_that_is_not_there_is_refused() {
    on_one_thread(async {
        let (router, dealer) = linked(ANYWHERE, b"here").await;
        let send = |id: &[u8]| router.try_send(PeerId::new(id).unwrap(), b"batch".to_vec());
        assert_eq!(send(b"nobody"), Err(SendError::Unreachable));
        assert_eq!(send(b"here"), Ok(()));
        drop(dealer);
        while send(b"here").is_ok() {
            tokio::task::yield_now().await;
        }
        assert_eq!(send(b"here"), Err(SendError::Unreachable));
    });
}

// Leave out `immediate`: taken, and queued for whoever may come.
#[test]
fn a_batch_without_a_connection_is_refused() {
    on_one_thread(async {
        let context = Context::new();
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let dealer = Dealer::connect(&context, &format!("tcp://{closed}"), b"id").unwrap();
        assert_eq!(dealer.try_send(b"batch".to_vec()), Err(SendError::Unreachable));
    });
}

// Leave out `immediate` of the publisher: the first that is heard was said to nobody.
#[test]
fn what_is_published_while_nobody_listens_is_not_heard_later() {
    on_one_thread(async {
        let listener = Subscriber::bind(&Context::new(), ANYWHERE, &[b"report"]).unwrap();
        let endpoint = listener.endpoint().to_owned();
        let publisher = Publisher::connect(&Context::new(), &endpoint).unwrap();
        let say = |number: u64| publisher.try_send(b"report", &number.to_le_bytes()).unwrap();
        while listener.try_receive().is_none() {
            say(0);
            tokio::task::yield_now().await;
        }
        drop(listener);
        (1..=u64::from(MANY)).for_each(say);
        let listener = loop {
            match Subscriber::bind(&Context::new(), &endpoint, &[b"report"]) {
                Ok(listener) => break listener,
                Err(_) => tokio::task::yield_now().await,
            }
        };
        let heard = loop {
            say(u64::from(MANY) + 1);
            match listener.try_receive() {
                Some(received) => break received.unwrap().1,
                None => tokio::task::yield_now().await,
            }
        };
        assert_eq!(*heard, (u64::from(MANY) + 1).to_le_bytes());
    });
}

// Do not take commands in before the second attempt in `try_send`: refused.
#[test]
fn a_peer_that_has_just_come_is_reached_at_once() {
    on_one_thread(async {
        let (router, _other) = linked("inproc://just-come", b"first").await;
        let nobody = PeerId::new(b"nobody").unwrap();
        assert_eq!(router.try_send(nobody, b"batch".to_vec()), Err(SendError::Unreachable));
    });
    on_one_thread(async {
        let context = Context::new();
        let router = Router::bind(&context, "inproc://at-once").unwrap();
        for id in 1..=100_u8 {
            let dealer = Dealer::connect(&context, "inproc://at-once", &[id]).unwrap();
            router.try_send(PeerId::new(&[id]).unwrap(), b"batch".to_vec()).unwrap();
            assert_eq!(&*answered(&dealer).await, b"batch");
        }
    });
}

// Leave out `maxmsgsize`: it arrives.
#[test]
fn a_batch_that_is_too_long_costs_its_sender_the_connection_and_nobody_else() {
    on_one_thread(async {
        let (router, long) = linked(ANYWHERE, b"long").await;
        let context = Context::new();
        let other = Dealer::connect(&context, router.endpoint(), b"other").unwrap();
        greet(&other, &router).await;
        long.try_send(vec![0; MAX_BATCH as usize + 1]).unwrap();
        let peer = PeerId::new(b"long").unwrap();
        while router.try_send(peer, b"still there?".to_vec()).is_ok() {
            assert!(router.try_receive().is_none(), "it arrived");
            tokio::task::yield_now().await;
        }
        greet(&other, &router).await;
        // Its own end may learn late that the connection has gone, and lose a batch or two to it.
        while router.try_receive().is_none() {
            let _ = long.try_send(b"back".to_vec());
            tokio::task::yield_now().await;
        }
    });
}

// Leave out `router_handover`: the second is never heard, and the reply goes to the first.
fn the_second_takes_over(endpoint: &str) {
    on_one_thread(async {
        let context = Context::new();
        let router = Router::bind(&context, endpoint).unwrap();
        let first = Dealer::connect(&context, router.endpoint(), b"same").unwrap();
        greet(&first, &router).await;
        let second = Dealer::connect(&context, router.endpoint(), b"same").unwrap();
        greet(&second, &router).await;
        router.try_send(PeerId::new(b"same").unwrap(), b"reply".to_vec()).unwrap();
        assert_eq!(&*answered(&second).await, b"reply");
        assert!(first.try_receive().is_none());
    });
}

#[test]
fn a_second_dealer_with_a_used_identity_takes_over_on_inproc() {
    the_second_takes_over("inproc://same");
}

#[test]
fn a_second_dealer_with_a_used_identity_takes_over_on_tcp() {
    the_second_takes_over(ANYWHERE);
}

// Leave out `linger`: waits for ever for a peer that does not read.
#[test]
fn unsent_batches_do_not_keep_a_process_from_ending() {
    let (done, ended) = mpsc::sync_channel(1);
    let ends = thread::spawn(move || {
        let stopped = on_one_thread(async {
            let (here, there) = (Context::new(), Context::new());
            let router = Router::bind(&here, ANYWHERE).unwrap();
            let dealer = Dealer::connect(&there, router.endpoint(), b"stopped").unwrap();
            greet(&dealer, &router).await;
            let peer = PeerId::new(b"stopped").unwrap();
            let batch = [0; 512];
            (0..MANY).for_each(|_| router.try_send(peer, batch.to_vec()).unwrap());
            dealer
        });
        done.send(()).unwrap();
        drop(stopped);
    });
    ended.recv_timeout(DEADLINE).expect("hangs");
    ends.join().unwrap();
}

/// What arrives at an open port that is not ZMTP, or stops being it.
const GARBAGE: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: example.org\r\nUser-Agent: a scanner with a long name\r\nAccept: */*\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00",
    b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x03\x00NULL",
    b"\xff\x00\x00\x00\x00\x00\x00\x00\x01\x7f\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    // The first ZMTP had no greeting: a name of 40 bytes, and a message.
    b"\x29\x00nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\x03\x00hi",
];

// Expect an id in `Router::try_receive`: the name of 40 bytes is a panic.
#[test]
fn garbage_at_the_port_harms_nobody() {
    on_one_thread(async {
        let (router, dealer) = linked(ANYWHERE, b"good").await;
        let address = router.endpoint().trim_start_matches("tcp://");
        let open: Vec<_> = GARBAGE.iter().map(|garbage| say(address, garbage)).collect();
        let mut refused = None;
        while refused.is_none() {
            router.readable().await;
            refused = router.try_receive().and_then(Result::err);
        }
        assert_eq!(refused.unwrap().peer, None);
        greet(&dealer, &router).await;
        drop(open);
        once_connected(|| dealer.try_send(b"after".to_vec())).await;
        assert_eq!(&*received(&router).await.1, b"after");
    });
}

fn say(address: &str, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(bytes).unwrap();
    stream
}

#[test]
fn an_identity_that_libzmq_would_not_take_is_refused() {
    on_one_thread(async {
        let context = Context::new();
        for wrong in [&b""[..], b"\0zero", &[1; PeerId::MAX_LEN + 1]] {
            let refused = Dealer::connect(&context, "inproc://nowhere", wrong).err();
            assert!(matches!(refused, Some(Error::Identity)), "{wrong:?}");
        }
    });
}

// Leave out `look_at`: the second takes the path over, and the first is never heard of again.
#[test]
fn an_ipc_path_that_another_listens_on_is_refused() {
    on_one_thread(async {
        let place = tempfile::tempdir().unwrap();
        let endpoint = format!("ipc://{}", place.path().join("link").display());
        let first = Router::bind(&Context::new(), &endpoint).unwrap();
        assert!(matches!(Router::bind(&Context::new(), &endpoint), Err(Error::Bind { .. })));

        let dealer = Dealer::connect(&Context::new(), &endpoint, b"id").unwrap();
        greet(&dealer, &first).await;
    });
}

// Leave out `look_at`: the file is gone.
#[test]
fn an_ipc_path_that_is_a_file_is_refused_and_left_alone() {
    on_one_thread(async {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("precious");
        std::fs::write(&path, "text").unwrap();
        let bound = Router::bind(&Context::new(), &format!("ipc://{}", path.display()));
        assert!(matches!(bound, Err(Error::Bind { .. })));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "text");
    });
}

// Refuse whatever exists: an ingress that was killed does not come back.
#[test]
fn an_ipc_path_that_somebody_left_behind_is_taken() {
    on_one_thread(async {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("link");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        Router::bind(&Context::new(), &format!("ipc://{}", path.display())).unwrap();
    });
}
