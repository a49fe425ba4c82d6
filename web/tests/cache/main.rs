//! The cache as its callers see it: requests and replies go in, answers come out, the clock is the test's.

mod rules;
mod site;
