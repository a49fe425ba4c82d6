//! Any bytes, cut anyhow, are framed as the reference for any `length-prefixed` says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::codec::{Codec, reference};

fuzz_target!(|input: ([u8; 5], Vec<reference::Read>, &[u8])| {
    let (prefix, reads, stream) = input;
    let codec = Codec::LengthPrefixed(reference::length_prefix(prefix));
    reference::assert_agrees(&codec, 8, stream, &reads);
});
