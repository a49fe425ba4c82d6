//! The cache as its callers see it: requests and replies go in, answers come out, the clock is the test's.

#![allow(clippy::unwrap_used, reason = "an unwrap in vain is a failed test")]

mod answers;
mod changes;
mod collapsing;
mod crowd;
mod damage;
mod disk;
mod kill;
mod rules;
mod site;
