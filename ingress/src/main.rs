//! The ingress node on its own.

fn main() {}
