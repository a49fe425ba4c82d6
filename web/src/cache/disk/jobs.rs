//! Which jobs are under way, so that who has to can wait for those that were begun before him, and for no others.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::watch;

/// The jobs of a disk, numbered as they begin. Clones are the same ones.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jobs(Arc<watch::Sender<Open>>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    numbers: BTreeSet<u64>,
}

/// A job that is under way, until this is dropped.
#[derive(Debug)]
pub(crate) struct Job {
    jobs: Jobs,
    number: u64,
}

impl Jobs {
    /// Begins one.
    pub(crate) fn begin(&self) -> Job {
        let mut number = 0;
        self.0.send_modify(|open| {
            number = open.next;
            open.next += 1;
            open.numbers.insert(number);
        });
        Job { jobs: self.clone(), number }
    }

    /// Waits until all are done that have been begun by now.
    pub(crate) async fn settle(&self) {
        let next = self.0.borrow().next;
        let are_done = |open: &Open| open.numbers.first().is_none_or(|first| *first >= next);
        // The sender lives as long as `self`.
        let _ = self.0.subscribe().wait_for(are_done).await;
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.jobs.0.send_modify(|open| {
            open.numbers.remove(&self.number);
        });
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Fails if who waits also waits for what is begun after him: where there is always something, that is for ever.
    #[test]
    fn who_waits_waits_for_what_was_begun_before_and_no_more() {
        let jobs = Jobs::default();
        let (first, second) = (jobs.begin(), jobs.begin());
        let mut settled = Box::pin(jobs.settle());
        assert_eq!(settled.as_mut().now_or_never(), None);
        let _third = jobs.begin();
        drop(second);
        assert_eq!(settled.as_mut().now_or_never(), None);
        drop(first);

        assert_eq!(settled.now_or_never(), Some(()));
        assert_eq!(jobs.settle().now_or_never(), None);
    }
}
