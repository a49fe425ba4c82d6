//! Any bytes, cut anyhow, are framed as the reference for `lines` says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::codec::{Codec, reference};

fuzz_target!(|input: (Vec<reference::Read>, &[u8])| {
    let (reads, stream) = input;
    reference::assert_agrees(&Codec::Lines, 8, stream, &reads);
});
