//! Any bytes, cut anyhow, are framed as the reference for any `delimiter` says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::codec::{Codec, MAX_DELIMITER, reference};

fuzz_target!(|input: (&[u8], Vec<reference::Read>, &[u8])| {
    let (delimiter, reads, stream) = input;
    if (1..=MAX_DELIMITER).contains(&delimiter.len()) {
        reference::assert_agrees(&Codec::Delimiter(delimiter.into()), 8, stream, &reads);
    }
});
