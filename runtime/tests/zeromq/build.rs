//! That the libzmq inside is the one we mean.

use runtime::zeromq::{Context, Router};

use crate::support::on_one_thread;

// Remove the `[patch.crates-io]` of `zmq-sys`: 4.3.4, and no CURVE.
#[test]
fn libzmq_is_4_3_5_and_has_curve() {
    assert_eq!(zmq::version(), (4, 3, 5));
    assert_eq!(zmq::has("curve"), Some(true));
    assert!(zmq::CurveKeyPair::new().is_ok());
}

// Return the number as it is from `zmq_errno` in `zmq-sys`: `zmq` panics.
#[test]
fn an_endpoint_that_the_kernel_refuses_is_an_error_and_no_panic() {
    on_one_thread(async {
        let refused = Router::bind(&Context::new(), "ipc:///proc/version/below").err().unwrap();
        assert!(refused.to_string().starts_with("cannot bind ipc:///proc/version/below: "));
    });
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    on_one_thread(async {
        let context = Context::new();
        let first = Router::bind(&context, "tcp://127.0.0.1:0").unwrap();
        assert!(!first.endpoint().ends_with(":0"));
        assert!(Router::bind(&context, first.endpoint()).is_err());
    });
}
