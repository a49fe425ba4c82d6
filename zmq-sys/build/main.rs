//! Compiles libzmq against the libsodium that `libsodium-sys-stable` has compiled before, and one file of it again, changed
//! ([`whole_message`]).

mod whole_message;

use std::{env, path::Path};

use zeromq_src::{Build, LibLocation};

fn main() {
    println!("cargo:rerun-if-changed=build");
    configure();
    Build::new().with_libsodium(Some(libsodium())).build();
    whole_message::bound();
}

/// Where libsodium is. Its build script says so, through `links = "sodium"`; it says no include directory where it was
/// told to use a library that is already installed (`SODIUM_LIB_DIR`), whose headers lie beside it.
fn libsodium() -> LibLocation {
    let lib = env::var("DEP_SODIUM_LIB").or_else(|_| env::var("SODIUM_LIB_DIR"));
    let lib = lib.expect("libsodium-sys-stable says where it put libsodium");
    let beside = || Path::new(&lib).with_file_name("include").display().to_string();
    let include = env::var("DEP_SODIUM_INCLUDE").unwrap_or_else(|_| beside());
    LibLocation::new(&lib, include)
}

/// What libzmq's own configuration would find on Linux and `zeromq-src` leaves out: without it a socket signals through
/// a socket pair, which costs more than an eventfd, and the keep-alive options do nothing.
const LINUX: &str = "-DZMQ_HAVE_EVENTFD -DZMQ_HAVE_EVENTFD_CLOEXEC -DZMQ_HAVE_SOCK_CLOEXEC -DHAVE_ACCEPT4 \
    -DZMQ_HAVE_SO_KEEPALIVE -DZMQ_HAVE_TCP_KEEPCNT -DZMQ_HAVE_TCP_KEEPIDLE -DZMQ_HAVE_TCP_KEEPINTVL";

/// Adds to the compiler's flags. Warnings about libzmq are not ours to mend, and cargo would show them in every build.
fn configure() {
    let flags = env::var("CXXFLAGS").unwrap_or_default();
    // SAFETY: nothing else runs in this process yet.
    unsafe { env::set_var("CXXFLAGS", format!("{flags} -w {}", if is_linux() { LINUX } else { "" })) };
}

fn is_linux() -> bool {
    env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux")
}
