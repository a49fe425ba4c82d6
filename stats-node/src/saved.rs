//! What is written down once a second, so that a restart goes on where it was.
//!
//! Cumulative words and the totals of those that are gone, and the windows of the rates. It is taken up if it is of our
//! version, not from the future and not too old; how old it is, the wall clock says.

use std::{collections::BTreeMap, fmt, time::Duration};

use proto::id::Incarnation;
use serde::{Deserialize, Serialize};

use crate::{rates::Rates, sight::SavedSight, statistics::Totals, teller::SavedTeller, window::SavedWindow};

/// The version of the file.
pub(crate) const SAVED_VERSION: u32 = 1;
/// Clocks are set now and then: a file from this little in the future is from now.
const CLOCK_SLACK: Duration = Duration::from_secs(1);

/// Everything that is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// [`SAVED_VERSION`].
    pub version: u32,
    /// Milliseconds since 1970.
    pub time: u64,
    /// What starts of nodes had counted that are folded.
    pub base: Totals,
    /// Every start of a node.
    pub nodes: Vec<SavedTeller>,
    /// The latest start of each node that was folded.
    pub folded: BTreeMap<String, Incarnation>,
    /// Moving rates.
    pub rates: Rates<SavedWindow>,
    /// What is known of destinations; nothing in a file that an earlier program has written.
    #[serde(default)]
    pub sights: Vec<SavedSight>,
}

/// Why a file is not taken up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not what is written down.
    Malformed(String),
    /// Of another version.
    Version(u32),
    /// From the future.
    Future(Duration),
    /// So old.
    Old(Duration),
}

impl Unfit {
    /// Whether the file is of no use to anyone, and not merely of none now.
    pub fn is_bad(&self) -> bool {
        !matches!(self, Self::Old(_))
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "it is damaged: {why}"),
            Self::Version(version) => write!(f, "it is of version {version}, and not {SAVED_VERSION}"),
            Self::Future(ahead) => write!(f, "it is from {} s in the future", ahead.as_secs()),
            Self::Old(age) => write!(f, "it is {} s old", age.as_secs()),
        }
    }
}

impl Saved {
    /// Reads what was written, if it is fit to go on from, and how long ago that was.
    pub fn read(bytes: &[u8], time: u64, max_age: Duration) -> Result<(Self, Duration), Unfit> {
        let saved: Self =
            serde_json::from_slice(bytes).map_err(|error| Unfit::Malformed(error.to_string()))?;
        if saved.version != SAVED_VERSION {
            return Err(Unfit::Version(saved.version));
        }
        let ahead = Duration::from_millis(saved.time.saturating_sub(time));
        let age = Duration::from_millis(time.saturating_sub(saved.time));
        if ahead > CLOCK_SLACK {
            Err(Unfit::Future(ahead))
        } else if age > max_age {
            Err(Unfit::Old(age))
        } else {
            Ok((saved, age))
        }
    }
}

#[cfg(test)]
mod tests {
    use proto::time::Instant;

    use super::*;
    use crate::statistics::Statistics;

    const MAX_AGE: Duration = Duration::from_secs(10);

    fn written() -> Vec<u8> {
        serde_json::to_vec(&Statistics::default().save(100_000, Instant::ZERO)).unwrap()
    }

    fn read(bytes: &[u8], time: u64) -> Result<u128, Unfit> {
        Saved::read(bytes, time, MAX_AGE).map(|(_, age)| age.as_millis())
    }

    #[test]
    fn a_file_is_as_old_as_the_wall_clock_says() {
        assert_eq!(read(&written(), 103_000), Ok(3_000));
        assert_eq!(read(&written(), 110_000), Ok(10_000));
        assert_eq!(read(&written(), 99_500), Ok(0), "a clock that was set back a little");
    }

    /// Fails if a program is not able to go on from the file of an earlier one.
    #[test]
    fn a_file_without_what_came_later_is_read() {
        let text = String::from_utf8(written()).unwrap();
        let earlier = text.replace(",\"sights\":[]", "");
        assert!(earlier.len() < text.len());
        assert_eq!(read(earlier.as_bytes(), 100_000), Ok(0));
    }

    #[test]
    fn what_is_too_old_is_no_use_now_and_anything_else_is_bad() {
        let old = read(&written(), 110_001).unwrap_err();
        assert_eq!((old.is_bad(), old), (false, Unfit::Old(Duration::from_millis(10_001))));
        let future = read(&written(), 40_000).unwrap_err();
        assert_eq!((future.is_bad(), future.to_string().as_str()), (true, "it is from 60 s in the future"));
        let text = String::from_utf8(written()).unwrap().replace("\"version\":1", "\"version\":2");
        assert_eq!(read(text.as_bytes(), 100_000), Err(Unfit::Version(2)));
        for damaged in [b"".as_slice(), b"garbage", b"{}", b"\xff\xfe\0", &written()[..written().len() / 2]] {
            assert!(matches!(read(damaged, 100_000), Err(Unfit::Malformed(_))), "{damaged:?}");
        }
    }
}
