//! How many files and connections the process may have open at once. Where there are more to come, ZeroMQ finds that it cannot
//! accept them again and again, and spends all its time on that.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a process has open beside its connections, with something to spare for those that come and say nothing.
const OTHERS: u64 = 64;

/// Takes as many as the system lets this process have. Returns how many those are; `None` is no limit.
pub(crate) fn raise() -> Option<u64> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // A system that refuses leaves what there was.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    getrlimit(Resource::Nofile).current
}

/// Whether there are enough for so many connections.
pub(crate) fn is_enough(limit: Option<u64>, connections: u64) -> bool {
    limit.is_none_or(|limit| limit >= connections + OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_the_system_gives_is_taken() {
        let limit = raise();
        assert_eq!(limit, getrlimit(Resource::Nofile).maximum);
    }

    #[test]
    fn enough_is_some_more_than_there_are_connections() {
        assert!(is_enough(None, u64::MAX));
        assert!(is_enough(Some(1_064), 1_000));
        assert!(!is_enough(Some(1_063), 1_000));
    }
}
