//! The fanout node on its own.

fn main() {}
