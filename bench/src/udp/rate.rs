//! The search for the highest rate without loss: rising steps until one fails twice. No socket, no clock.

/// Datagrams a second, to begin with and at most.
const LOWEST: u64 = 10_000;
const HIGHEST: u64 = 1_000_000;

pub(crate) struct Search {
    next: Option<u64>,
    best: Option<u64>,
    is_second_try: bool,
}

impl Search {
    pub(crate) fn new() -> Self {
        Self { next: Some(LOWEST), best: None, is_second_try: false }
    }

    /// The rate to try now; none when the search is over.
    pub(crate) fn next(&self) -> Option<u64> {
        self.next
    }

    /// The highest rate at which nothing was lost.
    pub(crate) fn best(&self) -> Option<u64> {
        self.best
    }

    /// A step that is clean lost nothing, and was sent as fast as it was to be. One that is not is tried once more: one hiccup
    /// of the machine is no limit of the peer.
    pub(crate) fn observe(&mut self, is_clean: bool) {
        self.next = match (is_clean, self.is_second_try) {
            (true, _) => {
                self.best = self.next;
                self.next.map(higher).filter(|rate| *rate <= HIGHEST)
            }
            (false, false) => self.next,
            (false, true) => None,
        };
        self.is_second_try = !is_clean;
    }
}

/// A quarter more, in full thousands.
fn higher(rate: u64) -> u64 {
    (rate + rate / 4).div_ceil(1000) * 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates tried before a peer that loses when `loses` says so.
    fn search(mut loses: impl FnMut(u64, usize) -> bool) -> (Vec<u64>, Option<u64>) {
        let (mut search, mut tried) = (Search::new(), Vec::new());
        while let Some(rate) = search.next() {
            search.observe(!loses(rate, tried.len()));
            tried.push(rate);
            assert!(tried.len() < 100, "no end");
        }
        (tried, search.best())
    }

    #[test]
    fn it_rises_until_a_step_has_lost_twice() {
        let (tried, best) = search(|rate, _| rate > 15_000);
        assert_eq!((tried, best), (vec![10_000, 13_000, 17_000, 17_000], Some(13_000)));
    }

    #[test]
    fn one_hiccup_does_not_end_it() {
        let (tried, best) = search(|rate, step| step == 1 || rate > 20_000);
        assert_eq!(tried, [10_000, 13_000, 13_000, 17_000, 22_000, 22_000]);
        assert_eq!(best, Some(17_000));
    }

    #[test]
    fn it_ends_without_any_loss_and_without_any_success() {
        let (tried, best) = search(|_, _| false);
        assert_eq!(best, tried.last().copied());
        assert!(best.is_some_and(|best| best > HIGHEST / 2), "{best:?}");
        assert_eq!(search(|_, _| true), (vec![LOWEST; 2], None));
    }
}
