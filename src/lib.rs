//! The umbrella.
