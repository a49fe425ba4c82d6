//! No peer that lies makes a machine panic or an ingress lose count. The first byte chooses the machine, the rest is the
//! script.
#![no_main]

use libfuzzer_sys::fuzz_target;
use proto::hostile::{drive_ingress, drive_worker};

fuzz_target!(|bytes: &[u8]| {
    let Some((machine, script)) = bytes.split_first() else { return };
    if machine % 2 == 0 { drive_ingress(script) } else { drive_worker(script) }
});
