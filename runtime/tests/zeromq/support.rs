//! A runtime as a shard has one, with a deadline, and what the tests say to each other.

use std::{future::Future, time::Duration};

use runtime::zeromq::{Batch, Context, Dealer, PeerId, Router, SendError};
use tokio::{runtime::Builder, task::LocalSet, time::timeout};

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
pub(crate) const ANYWHERE: &str = "tcp://127.0.0.1:0";

#[track_caller]
pub(crate) fn on_one_thread<T>(test: impl Future<Output = T>) -> T {
    let shard = Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&shard, async { timeout(DEADLINE, test).await.expect("hangs") })
}

/// A router and a dealer that the router has heard of.
pub(crate) async fn linked(endpoint: &str, identity: &[u8]) -> (Router, Dealer) {
    let context = Context::new();
    let router = Router::bind(&context, endpoint).unwrap();
    let dealer = Dealer::connect(&context, router.endpoint(), identity).unwrap();
    greet(&dealer, &router).await;
    (router, dealer)
}

/// Has the dealer say hello until the router hears it.
pub(crate) async fn greet(dealer: &Dealer, router: &Router) {
    once_connected(|| dealer.try_send(b"hello".to_vec())).await;
    assert_eq!(&*received(router).await.1, b"hello");
}

/// Tries to send until the peer is there.
pub(crate) async fn once_connected(mut send: impl FnMut() -> Result<(), SendError>) {
    while send().is_err() {
        tokio::task::yield_now().await;
    }
}

pub(crate) async fn received(router: &Router) -> (PeerId, Batch) {
    loop {
        router.readable().await;
        if let Some(received) = router.try_receive() {
            return received.expect("well formed");
        }
    }
}

pub(crate) async fn answered(dealer: &Dealer) -> Batch {
    loop {
        dealer.readable().await;
        if let Some(received) = dealer.try_receive() {
            return received.expect("well formed");
        }
    }
}
