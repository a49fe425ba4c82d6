//! The ingress node.
