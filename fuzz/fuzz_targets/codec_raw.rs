//! Any bytes, cut anyhow, are framed as the reference for `raw` says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::codec::{Codec, reference};

fuzz_target!(|input: (u8, Vec<reference::Read>, &[u8])| {
    let (max_frame, reads, stream) = input;
    reference::assert_agrees(&Codec::Raw, u32::from(max_frame), stream, &reads);
});
