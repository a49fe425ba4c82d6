//! Any bytes are a batch or are refused; what is a batch says the same when it is written again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::wire::{Batch, BatchWriter};

fuzz_target!(|bytes: &[u8]| {
    let Ok(batch) = Batch::decode(bytes) else { return };
    let mut writer = BatchWriter::default();
    for frame in &batch.frames {
        writer.write(frame);
    }
    let again = writer.seal(batch.header);
    assert_eq!(Batch::decode(&again).expect("it was a batch"), batch);
});
