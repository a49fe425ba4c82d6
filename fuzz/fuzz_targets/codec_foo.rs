//! Any bytes, cut anyhow, are the messages of the Foo protocol that the plain reading of each line says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::codec::reference;

fuzz_target!(|input: (Vec<u8>, &[u8])| {
    let (pieces, stream) = input;
    reference::assert_foo_agrees(stream, &pieces);
});
