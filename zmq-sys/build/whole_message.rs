//! Makes `ZMQ_MAXMSGSIZE` bound a whole message. libzmq bounds each part by it, and counts nothing before the last part
//! has come: a stranger who never sends that one takes all the memory there is.
//!
//! `session_base.cpp` is where all that comes over a connection is handed on, whatever the protocol's version or its
//! encryption. It is compiled again from a changed copy, and takes the place of the one in the library. What is to be
//! replaced must be there exactly once, or the build ends: the crate's sources are never touched, and never guessed at.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use cc::Build;

/// A text of libzmq's, and what stands there instead.
type Change = (&'static str, &'static str);

/// A part that others follow counts in whole blocks of 8 KiB, one more than it fills: however short it is, it may keep the
/// buffer that it was read into. The count lies where the compiler left a gap, since other files are compiled with the header
/// as it was.
const HEADER: &[Change] = &[(
    "    bool _pending;\n",
    "    bool _pending;\n\n    //  What the parts of an unfinished message may take, in blocks.\n    uint32_t _blocks;\n",
)];

const SOURCE: &[Change] = &[
    ("    _pending (false),\n", "    _pending (false),\n    _blocks (0),\n"),
    (
        "    if (_pipe && _pipe->write (msg_)) {\n",
        "    const uint64_t block = 8192, size = msg_->size ();
    const bool more = (msg_->flags () & msg_t::more) != 0;
    if (unlikely (_blocks != 0) && options.maxmsgsize >= 0
        && _blocks * block + size > static_cast<uint64_t> (options.maxmsgsize)) {
        errno = EMSGSIZE;
        return -1;
    }
    if (_pipe && _pipe->write (msg_)) {
        _blocks = more ? _blocks + static_cast<uint32_t> (size / block) + 1 : 0;
",
    ),
    ("    //  unflushed messages upstream.\n", "    //  unflushed messages upstream.\n    _blocks = 0;\n"),
];

/// Ends the build where the count does not fit into the gap.
const SAME_SIZE: &str = r#"
static const size_t size_with_blocks = sizeof (zmq::session_base_t);
#undef __ZMQ_SESSION_BASE_HPP_INCLUDED__
#define session_base_t session_base_as_it_was_t
#define hello_msg_session_t hello_msg_session_as_it_was_t
#include "../source/src/session_base.hpp"
static_assert (sizeof (zmq::session_base_as_it_was_t) == size_with_blocks,
               "a session has no gap for the count of blocks");
"#;

/// As `zeromq-src` defines them, so that classes have the same layout here and there.
const DEFINED: &[&str] = &[
    "ZMQ_STATIC",
    "ZMQ_USE_CV_IMPL_STL11",
    "ZMQ_POLL_BASED_ON_POLL",
    "ZMQ_HAVE_IPC",
    "ZMQ_HAVE_STRUCT_SOCKADDR_UN",
    "ZMQ_HAVE_UIO",
    "ZMQ_HAVE_WS",
    "ZMQ_HAVE_CURVE",
    "ZMQ_USE_LIBSODIUM",
    "HAVE_STRNLEN",
];
const DEFINED_ON_LINUX: &[&str] = &["ZMQ_HAVE_LINUX", "ZMQ_IOTHREAD_POLLER_USE_EPOLL"];
const DEFINED_ELSEWHERE: &[&str] = &["ZMQ_IOTHREAD_POLLER_USE_KQUEUE"];

/// To be called when libzmq is compiled and its sources lie in `OUT_DIR`.
pub fn bound() {
    let out = PathBuf::from(env::var("OUT_DIR").expect("cargo says where to build"));
    let (original, changed) = (out.join("source/src"), out.join("whole_message"));
    fs::create_dir_all(&changed).expect("OUT_DIR can be written to");
    change(&original, &changed, "session_base.hpp", HEADER, "");
    change(&original, &changed, "session_base.cpp", SOURCE, SAME_SIZE);
    let object = compile(&out, &changed.join("session_base.cpp"));
    replace(&out.join("lib/libzmq.a"), &object, &changed);
}

/// Writes a file of libzmq's with these changes, and something at its end.
fn change(from: &Path, to: &Path, name: &str, changes: &[Change], end: &str) {
    let text = fs::read_to_string(from.join(name)).expect("zeromq-src leaves libzmq's sources in OUT_DIR");
    let text = changes.iter().fold(text, |text, (old, new)| {
        let found = text.matches(old).count();
        assert!(found == 1, "libzmq's {name} is another one: {found} times, instead of once, it has\n{old}");
        text.replace(old, new)
    });
    fs::write(to.join(name), text + end).expect("OUT_DIR can be written to");
}

fn compile(out: &Path, file: &Path) -> PathBuf {
    let mut build = Build::new();
    build.cpp(true).std("c++11").file(file).out_dir(out.join("whole_message"));
    build.include(out.join("source/src")).include(out.join("source/include")).include(out);
    let system = if super::is_linux() { DEFINED_ON_LINUX } else { DEFINED_ELSEWHERE };
    DEFINED.iter().chain(system).for_each(|name| {
        build.define(name, "1");
    });
    build.compile_intermediates().remove(0)
}

/// Puts the object where the library has the one of the same source.
fn replace(library: &Path, object: &Path, place: &Path) {
    let members = archiver(&["t"], &[library]);
    let is_session = |name: &&str| name.ends_with("-session_base.o");
    let (name, others) = members.lines().partition::<Vec<_>, _>(is_session);
    assert!(name.len() == 1 && !others.is_empty(), "libzmq.a has {name:?} instead of one session_base.o");
    let member = place.join(name[0]);
    fs::copy(object, &member).expect("OUT_DIR can be written to");
    archiver(&["r"], &[library, &member]);
    archiver(&["s"], &[library]);
}

/// What `ar` says to this.
fn archiver(operation: &[&str], files: &[&Path]) -> String {
    let mut command = Build::new().get_archiver();
    let said =
        command.args(operation).args(files).output().expect("ar can be started, since it made libzmq.a");
    let complaint = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "ar {operation:?} {files:?}: {complaint}");
    String::from_utf8_lossy(&said.stdout).into_owned()
}
