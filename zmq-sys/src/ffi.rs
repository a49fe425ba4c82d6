//! Generated: libzmq 4.3.5's `zmq.h` through bindgen 0.73, cut down to what the crate `zmq` 0.10 names. By hand: this
//! header. To make it again, with VENDOR the `vendor` directory of the package `zeromq-src` and ZMQ the `src` of `zmq`:
//!
//! ```sh
//! bindgen $VENDOR/include/zmq.h --rust-target 1.90 --rust-edition 2024 --no-layout-tests --no-doc-comments \
//!   --merge-extern-blocks --with-derive-default --no-copy zmq_msg_t \
//!   --no-recursive-allowlist --allowlist-type 'zmq_(msg_t|pollitem_t|free_fn|fd_t)' \
//!   --allowlist-var "$(grep -rhoE '\bZMQ_[A-Z0-9_]+\b' $ZMQ | paste -sd'|')" \
//!   --allowlist-function "$(grep -rhoE '\bzmq_sys::zmq_[a-z0-9_]+' $ZMQ | sed 's/zmq_sys:://' | paste -sd'|')"
//! ```

pub const ZMQ_IO_THREADS: u32 = 1;
pub const ZMQ_PAIR: u32 = 0;
pub const ZMQ_PUB: u32 = 1;
pub const ZMQ_SUB: u32 = 2;
pub const ZMQ_REQ: u32 = 3;
pub const ZMQ_REP: u32 = 4;
pub const ZMQ_DEALER: u32 = 5;
pub const ZMQ_ROUTER: u32 = 6;
pub const ZMQ_PULL: u32 = 7;
pub const ZMQ_PUSH: u32 = 8;
pub const ZMQ_XPUB: u32 = 9;
pub const ZMQ_XSUB: u32 = 10;
pub const ZMQ_STREAM: u32 = 11;
pub const ZMQ_AFFINITY: u32 = 4;
pub const ZMQ_ROUTING_ID: u32 = 5;
pub const ZMQ_SUBSCRIBE: u32 = 6;
pub const ZMQ_UNSUBSCRIBE: u32 = 7;
pub const ZMQ_RATE: u32 = 8;
pub const ZMQ_RECOVERY_IVL: u32 = 9;
pub const ZMQ_SNDBUF: u32 = 11;
pub const ZMQ_RCVBUF: u32 = 12;
pub const ZMQ_RCVMORE: u32 = 13;
pub const ZMQ_FD: u32 = 14;
pub const ZMQ_EVENTS: u32 = 15;
pub const ZMQ_TYPE: u32 = 16;
pub const ZMQ_LINGER: u32 = 17;
pub const ZMQ_RECONNECT_IVL: u32 = 18;
pub const ZMQ_BACKLOG: u32 = 19;
pub const ZMQ_RECONNECT_IVL_MAX: u32 = 21;
pub const ZMQ_MAXMSGSIZE: u32 = 22;
pub const ZMQ_SNDHWM: u32 = 23;
pub const ZMQ_RCVHWM: u32 = 24;
pub const ZMQ_MULTICAST_HOPS: u32 = 25;
pub const ZMQ_RCVTIMEO: u32 = 27;
pub const ZMQ_SNDTIMEO: u32 = 28;
pub const ZMQ_LAST_ENDPOINT: u32 = 32;
pub const ZMQ_ROUTER_MANDATORY: u32 = 33;
pub const ZMQ_TCP_KEEPALIVE: u32 = 34;
pub const ZMQ_TCP_KEEPALIVE_CNT: u32 = 35;
pub const ZMQ_TCP_KEEPALIVE_IDLE: u32 = 36;
pub const ZMQ_TCP_KEEPALIVE_INTVL: u32 = 37;
pub const ZMQ_IMMEDIATE: u32 = 39;
pub const ZMQ_XPUB_VERBOSE: u32 = 40;
pub const ZMQ_IPV6: u32 = 42;
pub const ZMQ_MECHANISM: u32 = 43;
pub const ZMQ_PLAIN_SERVER: u32 = 44;
pub const ZMQ_PLAIN_USERNAME: u32 = 45;
pub const ZMQ_PLAIN_PASSWORD: u32 = 46;
pub const ZMQ_CURVE_SERVER: u32 = 47;
pub const ZMQ_CURVE_PUBLICKEY: u32 = 48;
pub const ZMQ_CURVE_SECRETKEY: u32 = 49;
pub const ZMQ_CURVE_SERVERKEY: u32 = 50;
pub const ZMQ_PROBE_ROUTER: u32 = 51;
pub const ZMQ_REQ_CORRELATE: u32 = 52;
pub const ZMQ_REQ_RELAXED: u32 = 53;
pub const ZMQ_CONFLATE: u32 = 54;
pub const ZMQ_ZAP_DOMAIN: u32 = 55;
pub const ZMQ_ROUTER_HANDOVER: u32 = 56;
pub const ZMQ_TOS: u32 = 57;
pub const ZMQ_GSSAPI_SERVER: u32 = 62;
pub const ZMQ_GSSAPI_PRINCIPAL: u32 = 63;
pub const ZMQ_GSSAPI_SERVICE_PRINCIPAL: u32 = 64;
pub const ZMQ_GSSAPI_PLAINTEXT: u32 = 65;
pub const ZMQ_HANDSHAKE_IVL: u32 = 66;
pub const ZMQ_SOCKS_PROXY: u32 = 68;
pub const ZMQ_XPUB_WELCOME_MSG: u32 = 72;
pub const ZMQ_HEARTBEAT_IVL: u32 = 75;
pub const ZMQ_HEARTBEAT_TTL: u32 = 76;
pub const ZMQ_HEARTBEAT_TIMEOUT: u32 = 77;
pub const ZMQ_CONNECT_TIMEOUT: u32 = 79;
pub const ZMQ_MORE: u32 = 1;
pub const ZMQ_DONTWAIT: u32 = 1;
pub const ZMQ_SNDMORE: u32 = 2;
pub const ZMQ_NULL: u32 = 0;
pub const ZMQ_PLAIN: u32 = 1;
pub const ZMQ_CURVE: u32 = 2;
pub const ZMQ_GSSAPI: u32 = 3;
pub const ZMQ_EVENT_CONNECTED: u32 = 1;
pub const ZMQ_EVENT_CONNECT_DELAYED: u32 = 2;
pub const ZMQ_EVENT_CONNECT_RETRIED: u32 = 4;
pub const ZMQ_EVENT_LISTENING: u32 = 8;
pub const ZMQ_EVENT_BIND_FAILED: u32 = 16;
pub const ZMQ_EVENT_ACCEPTED: u32 = 32;
pub const ZMQ_EVENT_ACCEPT_FAILED: u32 = 64;
pub const ZMQ_EVENT_CLOSED: u32 = 128;
pub const ZMQ_EVENT_CLOSE_FAILED: u32 = 256;
pub const ZMQ_EVENT_DISCONNECTED: u32 = 512;
pub const ZMQ_EVENT_MONITOR_STOPPED: u32 = 1024;
pub const ZMQ_EVENT_ALL: u32 = 65535;
pub const ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: u32 = 2048;
pub const ZMQ_EVENT_HANDSHAKE_SUCCEEDED: u32 = 4096;
pub const ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: u32 = 8192;
pub const ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: u32 = 16384;
pub const ZMQ_POLLIN: u32 = 1;
pub const ZMQ_POLLOUT: u32 = 2;
pub const ZMQ_POLLERR: u32 = 4;
#[repr(C)]
#[repr(align(8))]
#[derive(Debug)]
pub struct zmq_msg_t {
    pub __: [::std::os::raw::c_uchar; 64usize],
}
impl Default for zmq_msg_t {
    fn default() -> Self {
        let mut s = ::std::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::std::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
pub type zmq_free_fn = ::std::option::Option<
    unsafe extern "C" fn(data_: *mut ::std::os::raw::c_void, hint_: *mut ::std::os::raw::c_void),
>;
pub type zmq_fd_t = ::std::os::raw::c_int;
#[repr(C)]
#[derive(Debug, Copy, Clone)]
pub struct zmq_pollitem_t {
    pub socket: *mut ::std::os::raw::c_void,
    pub fd: zmq_fd_t,
    pub events: ::std::os::raw::c_short,
    pub revents: ::std::os::raw::c_short,
}
impl Default for zmq_pollitem_t {
    fn default() -> Self {
        let mut s = ::std::mem::MaybeUninit::<Self>::uninit();
        unsafe {
            ::std::ptr::write_bytes(s.as_mut_ptr(), 0, 1);
            s.assume_init()
        }
    }
}
unsafe extern "C" {
    pub fn zmq_errno() -> ::std::os::raw::c_int;
    pub fn zmq_strerror(errnum_: ::std::os::raw::c_int) -> *const ::std::os::raw::c_char;
    pub fn zmq_version(
        major_: *mut ::std::os::raw::c_int,
        minor_: *mut ::std::os::raw::c_int,
        patch_: *mut ::std::os::raw::c_int,
    );
    pub fn zmq_ctx_new() -> *mut ::std::os::raw::c_void;
    pub fn zmq_ctx_term(context_: *mut ::std::os::raw::c_void) -> ::std::os::raw::c_int;
    pub fn zmq_ctx_set(
        context_: *mut ::std::os::raw::c_void,
        option_: ::std::os::raw::c_int,
        optval_: ::std::os::raw::c_int,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_ctx_get(
        context_: *mut ::std::os::raw::c_void,
        option_: ::std::os::raw::c_int,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_msg_init(msg_: *mut zmq_msg_t) -> ::std::os::raw::c_int;
    pub fn zmq_msg_init_size(msg_: *mut zmq_msg_t, size_: usize) -> ::std::os::raw::c_int;
    pub fn zmq_msg_init_data(
        msg_: *mut zmq_msg_t,
        data_: *mut ::std::os::raw::c_void,
        size_: usize,
        ffn_: zmq_free_fn,
        hint_: *mut ::std::os::raw::c_void,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_msg_send(
        msg_: *mut zmq_msg_t,
        s_: *mut ::std::os::raw::c_void,
        flags_: ::std::os::raw::c_int,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_msg_recv(
        msg_: *mut zmq_msg_t,
        s_: *mut ::std::os::raw::c_void,
        flags_: ::std::os::raw::c_int,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_msg_close(msg_: *mut zmq_msg_t) -> ::std::os::raw::c_int;
    pub fn zmq_msg_data(msg_: *mut zmq_msg_t) -> *mut ::std::os::raw::c_void;
    pub fn zmq_msg_size(msg_: *const zmq_msg_t) -> usize;
    pub fn zmq_msg_more(msg_: *const zmq_msg_t) -> ::std::os::raw::c_int;
    pub fn zmq_msg_gets(
        msg_: *const zmq_msg_t,
        property_: *const ::std::os::raw::c_char,
    ) -> *const ::std::os::raw::c_char;
    pub fn zmq_socket(
        arg1: *mut ::std::os::raw::c_void,
        type_: ::std::os::raw::c_int,
    ) -> *mut ::std::os::raw::c_void;
    pub fn zmq_close(s_: *mut ::std::os::raw::c_void) -> ::std::os::raw::c_int;
    pub fn zmq_setsockopt(
        s_: *mut ::std::os::raw::c_void,
        option_: ::std::os::raw::c_int,
        optval_: *const ::std::os::raw::c_void,
        optvallen_: usize,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_getsockopt(
        s_: *mut ::std::os::raw::c_void,
        option_: ::std::os::raw::c_int,
        optval_: *mut ::std::os::raw::c_void,
        optvallen_: *mut usize,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_bind(
        s_: *mut ::std::os::raw::c_void,
        addr_: *const ::std::os::raw::c_char,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_connect(
        s_: *mut ::std::os::raw::c_void,
        addr_: *const ::std::os::raw::c_char,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_unbind(
        s_: *mut ::std::os::raw::c_void,
        addr_: *const ::std::os::raw::c_char,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_disconnect(
        s_: *mut ::std::os::raw::c_void,
        addr_: *const ::std::os::raw::c_char,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_recv(
        s_: *mut ::std::os::raw::c_void,
        buf_: *mut ::std::os::raw::c_void,
        len_: usize,
        flags_: ::std::os::raw::c_int,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_socket_monitor(
        s_: *mut ::std::os::raw::c_void,
        addr_: *const ::std::os::raw::c_char,
        events_: ::std::os::raw::c_int,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_poll(
        items_: *mut zmq_pollitem_t,
        nitems_: ::std::os::raw::c_int,
        timeout_: ::std::os::raw::c_long,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_proxy(
        frontend_: *mut ::std::os::raw::c_void,
        backend_: *mut ::std::os::raw::c_void,
        capture_: *mut ::std::os::raw::c_void,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_proxy_steerable(
        frontend_: *mut ::std::os::raw::c_void,
        backend_: *mut ::std::os::raw::c_void,
        capture_: *mut ::std::os::raw::c_void,
        control_: *mut ::std::os::raw::c_void,
    ) -> ::std::os::raw::c_int;
    pub fn zmq_has(capability_: *const ::std::os::raw::c_char) -> ::std::os::raw::c_int;
    pub fn zmq_z85_encode(
        dest_: *mut ::std::os::raw::c_char,
        data_: *const u8,
        size_: usize,
    ) -> *mut ::std::os::raw::c_char;
    pub fn zmq_z85_decode(dest_: *mut u8, string_: *const ::std::os::raw::c_char) -> *mut u8;
    pub fn zmq_curve_keypair(
        z85_public_key_: *mut ::std::os::raw::c_char,
        z85_secret_key_: *mut ::std::os::raw::c_char,
    ) -> ::std::os::raw::c_int;
}
