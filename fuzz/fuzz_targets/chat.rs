//! What strangers send to a chat, and what its files may have become: any bytes are read or refused, and neither a room nor
//! a client panics. The first byte chooses who reads the rest.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| chat::hostile::read(bytes));
