//! A guest: a queue that is full, a connection that ends while it is, and what has arrived.

use std::time::Duration;

use runtime::zeromq::{Batch, Context, Guest, Hall, Limits, SendError};
use tokio::{task::yield_now, time::timeout};

use crate::support::{ANYWHERE, on_one_thread};

const LIMITS: Limits =
    Limits { message: 1024 * 1024, to_one: 10, from_one: 10, linger: Duration::from_millis(500) };
const QUEUE: u16 = 10;

/// A guest with a connection to a hall.
async fn come(hall: &Hall) -> Guest {
    let guest = Guest::connect(&Context::new(), hall.endpoint(), b"guest", QUEUE).unwrap();
    until(&guest, |is_connected| is_connected).await;
    guest
}

/// Has it look at what comes until this holds of whether there is a connection.
async fn until(guest: &Guest, holds: impl Fn(bool) -> bool) {
    loop {
        while let Some(received) = guest.try_receive() {
            received.expect("well formed");
        }
        if holds(guest.is_connected()) {
            return;
        }
        guest.readable().await;
    }
}

/// Sends until the kernels' buffers are full as well: nothing changes any more. Says how many were taken.
async fn fill(guest: &Guest) -> usize {
    let mut taken = 0;
    loop {
        while guest.try_send(vec![7; 64 * 1024]).is_ok() {
            taken += 1;
            assert!(taken < 10_000, "it is never full");
        }
        let news = timeout(Duration::from_millis(500), until(guest, |_| guest.has_room()));
        if news.await.is_err() {
            return taken;
        }
    }
}

async fn next(hall: &Hall) -> Batch {
    loop {
        hall.readable().await;
        if let Some((_, frame)) = hall.try_receive() {
            return frame.expect("one part");
        }
    }
}

// Take the dealer's options: it is never full. Leave out the monitor: full, it seems to have lost its connection.
#[test]
fn a_guest_that_is_full_is_connected_still_and_has_room_again_when_it_is_heard() {
    on_one_thread(async {
        let hall = Hall::bind(&Context::new(), ANYWHERE, &LIMITS).unwrap();
        let guest = come(&hall).await;

        let taken = fill(&guest).await;
        assert!(!guest.has_room() && guest.is_connected());

        for _ in 0..taken {
            assert_eq!(next(&hall).await.len(), 64 * 1024);
        }
        until(&guest, |_| guest.has_room()).await;
        assert_eq!(guest.try_send(b"last".to_vec()), Ok(()));
        assert_eq!(&*next(&hall).await, b"last");
    });
}

// Say that what is not open has nothing to deliver.
#[test]
fn what_a_guest_has_sent_is_delivered_when_the_other_host_has_it_and_not_before() {
    on_one_thread(async {
        let hall = Hall::bind(&Context::new(), ANYWHERE, &LIMITS).unwrap();
        let guest = come(&hall).await;
        let taken = fill(&guest).await;
        assert!(!guest.is_delivered());

        for _ in 0..taken {
            next(&hall).await;
        }
        while !guest.is_delivered() {
            yield_now().await;
        }

        drop(hall);
        until(&guest, |is_connected| !is_connected).await;
        assert!(!guest.is_delivered(), "nobody is there");
    });
}

// Leave out the end of a connection that is followed by another.
#[test]
fn an_end_is_noticed_though_it_is_full_and_though_another_hall_is_there_at_once() {
    on_one_thread(async {
        let hall = Hall::bind(&Context::new(), ANYWHERE, &LIMITS).unwrap();
        let endpoint = hall.endpoint().to_owned();
        let guest = come(&hall).await;
        fill(&guest).await;

        drop(hall);
        until(&guest, |is_connected| !is_connected).await;
        assert!(guest.try_send(b"nobody".to_vec()).is_err());

        let hall = loop {
            match Hall::bind(&Context::new(), &endpoint, &LIMITS) {
                Ok(hall) => break hall,
                Err(_) => yield_now().await,
            }
        };
        until(&guest, |is_connected| is_connected).await;
        assert_eq!(guest.try_send(b"again".to_vec()), Ok::<(), SendError>(()));
        assert_eq!(&*next(&hall).await, b"again", "nothing that was for the one before");
    });
}
