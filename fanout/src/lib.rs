//! The fanout node.
