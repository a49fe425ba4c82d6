//! How many requests of a route may be with its servers at once: so many have a place, so many wait for one in the order they
//! came, and beyond that there is 503 at once.
//!
//! Who leaves while waiting, or with a place, gives it up by being dropped. All shards of a process share the places of a
//! route.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The places of a route.
#[derive(Clone, Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    max_waiting: usize,
}

/// A request that may go to a server, until this is dropped.
#[derive(Debug)]
#[must_use = "a place is given up when it is dropped"]
pub struct Place(#[expect(dead_code, reason = "gives itself back")] OwnedSemaphorePermit);

/// As many wait as may: 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("too many requests wait for a server")
    }
}

impl std::error::Error for Full {}

impl Places {
    /// `count` requests at once, and `max_waiting` more that wait.
    pub fn new(count: usize, max_waiting: usize) -> Self {
        let count = count.min(Semaphore::MAX_PERMITS);
        Self { free: Arc::new(Semaphore::new(count)), waiting: Arc::default(), max_waiting }
    }

    /// A place, as soon as there is one. How long to wait at most is the caller's to say.
    pub async fn take(&self) -> Result<Place, Full> {
        if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            return Ok(Place(permit));
        }
        let _waiting = Waiting::begin(&self.waiting, self.max_waiting)?;
        // It is never closed.
        Arc::clone(&self.free).acquire_owned().await.map(Place).map_err(|_| Full)
    }

    /// Requests that wait now.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }
}

/// One of those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(count: &'a AtomicUsize, most: usize) -> Result<Self, Full> {
        let one_more = |count| (count < most).then_some(count + 1);
        count.fetch_update(Relaxed, Relaxed, one_more).map(|_| Self(count)).map_err(|_| Full)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::{Pin, pin},
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Fails if who waits is not bounded, or does not get the place that becomes free.
    #[test]
    fn beyond_the_places_requests_wait_and_beyond_those_they_are_refused() {
        let places = Places::new(1, 1);
        let Poll::Ready(Ok(first)) = poll(pin!(places.take())) else { panic!("there is a place") };
        let mut second = pin!(places.take());
        assert!(poll(second.as_mut()).is_pending());
        assert_eq!(places.waiting(), 1);
        assert!(matches!(poll(pin!(places.take())), Poll::Ready(Err(Full))));

        drop(first);
        assert!(matches!(poll(second.as_mut()), Poll::Ready(Ok(_))));
        assert_eq!(places.waiting(), 0);
    }

    /// Fails if who comes later can be served before.
    #[test]
    fn places_are_given_in_the_order_in_which_requests_came() {
        let places = Places::new(1, 3);
        let Poll::Ready(Ok(first)) = poll(pin!(places.take())) else { panic!("there is a place") };
        let (mut second, mut third) = (pin!(places.take()), pin!(places.take()));
        assert!(poll(second.as_mut()).is_pending());
        assert!(poll(third.as_mut()).is_pending());

        drop(first);
        assert!(matches!(poll(pin!(places.take())), Poll::Pending), "the place is the second's already");
        assert!(poll(third.as_mut()).is_pending());
        assert!(poll(second.as_mut()).is_ready());
    }

    /// Fails if `Waiting` does not count down when it is dropped.
    #[test]
    fn who_leaves_while_waiting_makes_room_for_another() {
        let places = Places::new(1, 1);
        let Poll::Ready(Ok(first)) = poll(pin!(places.take())) else { panic!("there is a place") };
        {
            let mut gone = pin!(places.take());
            assert!(poll(gone.as_mut()).is_pending());
        }
        let mut next = pin!(places.take());
        assert!(poll(next.as_mut()).is_pending());
        drop(first);
        assert!(poll(next.as_mut()).is_ready());
    }

    #[test]
    fn without_a_queue_who_finds_no_place_is_refused() {
        let places = Places::new(0, 0);
        assert!(matches!(poll(pin!(places.take())), Poll::Ready(Err(Full))));
    }
}
