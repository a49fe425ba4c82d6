//! A hall: peers with ids of any length, messages that are no frame, peers that do not read or are not there.

use std::time::Duration;

use runtime::zeromq::{Context, Hall, Limits, SendError};

use crate::support::{ANYWHERE, on_one_thread};

const LIMITS: Limits =
    Limits { message: 1024 * 1024, to_one: 10, from_one: 10, linger: Duration::from_millis(500) };

fn peer(hall: &Hall, id: &[u8]) -> zmq::Socket {
    let socket = zmq::Context::new().socket(zmq::DEALER).unwrap();
    socket.set_linger(0).unwrap();
    socket.set_identity(id).unwrap();
    socket.connect(hall.endpoint()).unwrap();
    socket
}

/// Who sent the next message, and what, if it is a frame.
async fn next(hall: &Hall) -> (Vec<u8>, Option<Vec<u8>>) {
    loop {
        hall.readable().await;
        if let Some((from, frame)) = hall.try_receive() {
            return (from.to_vec(), frame.ok().map(|frame| frame.to_vec()));
        }
    }
}

// Return a `PeerId` instead of the id: the longest one is lost.
#[test]
fn a_peer_with_the_longest_id_there_is_is_heard_and_answered() {
    on_one_thread(async {
        let hall = Hall::bind(&Context::new(), ANYWHERE, &LIMITS).unwrap();
        let id = [b'x'; 255];
        let peer = peer(&hall, &id);
        peer.send("hello", 0).unwrap();
        assert_eq!(next(&hall).await, (id.to_vec(), Some(b"hello".to_vec())));
        hall.try_send(&id, b"welcome").unwrap();
        assert_eq!(peer.recv_bytes(0).unwrap(), b"welcome");
    });
}

// Leave out the id where the frame is none: nobody could be answered.
#[test]
fn who_sends_several_parts_is_known_and_can_be_answered() {
    on_one_thread(async {
        let hall = Hall::bind(&Context::new(), ANYWHERE, &LIMITS).unwrap();
        let peer = peer(&hall, b"peer");
        peer.send_multipart(["a", "b", "c"], 0).unwrap();
        peer.send("", 0).unwrap();
        assert_eq!(next(&hall).await, (b"peer".to_vec(), None));
        assert_eq!(next(&hall).await, (b"peer".to_vec(), Some(Vec::new())), "the next is whole, and empty");
        hall.try_send(b"peer", b"no").unwrap();
        assert_eq!(peer.recv_bytes(0).unwrap(), b"no");
    });
}

// Take the link's options: nobody is ever full, and memory has no bound.
#[test]
fn who_does_not_read_is_full_and_who_is_not_there_is_unreachable() {
    on_one_thread(async {
        let hall = Hall::bind(&Context::new(), ANYWHERE, &LIMITS).unwrap();
        let peer = peer(&hall, b"peer");
        peer.set_rcvhwm(1).unwrap();
        peer.send("hello", 0).unwrap();
        next(&hall).await;
        let frame = vec![0; 500_000];
        let refused = (0..1_000).find_map(|_| hall.try_send(b"peer", &frame).err());
        assert_eq!(refused, Some(SendError::Full));
        assert_eq!(hall.try_send(b"nobody", b"x"), Err(SendError::Unreachable));
        // What is refused is refused whole, so the next message begins where it should.
        for _ in 0..5 {
            assert_eq!(peer.recv_multipart(0).unwrap(), std::slice::from_ref(&frame));
        }
    });
}
