//! A chat behind the fabric: members talk to a room through an ingress, and a second room hears all they say.

use std::net::SocketAddr;

use crate::harness::chat::{
    Bytes, Chatter, ClassicMember, ClassicRoom, Crowd, ROOM, Room, everything_at_once,
};
use crate::harness::{Fabric, Shape, eventually};
use crate::in_every_shape;

in_every_shape!(
    what_speaks_zmtp_need_not_be_ours,
    members_chat_through_the_fabric_and_the_standby_hears_all,
    a_crowd_is_heard_by_the_standby_to_the_last_text,
    a_room_that_is_started_again_has_its_members_back_and_the_standby_hears_nothing_twice,
    a_standby_that_dies_and_returns_is_noticed_by_no_member,
    a_standby_that_was_away_hears_again_once_the_fabric_has_begun_anew,
);

/// What stands before two rooms, as in `examples/chat.toml`.
#[track_caller]
fn fabric(shape: Shape, room: SocketAddr, standby: SocketAddr) -> Fabric {
    let plan = Fabric::shaped(shape).codec("raw").set("replies", "none").set("max_frame", "256B");
    let plan = plan.forward_to(room).with("deny = ['^never$']");
    plan.forward_to(standby).with("asks = false").start()
}

/// Two rooms, and what stands before them.
struct Site {
    room: Room,
    standby: Room,
    fabric: Fabric,
}

impl Site {
    #[track_caller]
    fn open(shape: Shape) -> Self {
        let (room, standby) = (Room::open(), Room::open());
        Self { fabric: fabric(shape, room.address(), standby.address()), room, standby }
    }

    /// How many connections the standby has had.
    fn connections(&self) -> u64 {
        self.fabric.report().count("secondary-1", "connections")
    }

    #[track_caller]
    fn join(&self, name: &str) -> Chatter {
        Chatter::join(self.fabric.address(), name)
    }
}

/// Fails if a member may speak before it has heard that the room is ready. It may not: so behind the fabric, where it hears
/// that of the primary only, the primary's words are held for a moment in which the standby gets ready too.
#[test]
fn a_member_that_does_not_wait_for_the_room_is_hung_up_on() {
    let room = Room::open();
    let mut hasty = Bytes::connect(room.address());

    hasty.send(&everything_at_once(br#"{"auth": 1, "name": "hasty"}"#));

    hasty.expect_end();
    assert_eq!(room.counts()["members"], 0);
}

/// Fails if the greeting of ZMTP does not pass byte for byte, to a primary and a secondary of any make.
fn what_speaks_zmtp_need_not_be_ours(shape: Shape) {
    let (room, standby) = (ClassicRoom::start(), ClassicRoom::start());
    let fabric = fabric(shape, room.address(), standby.address());

    let [ann, bob] = ["ann", "bob"].map(|name| ClassicMember::join(fabric.address(), name));
    let told = ann.expect_told("bob joined");
    ann.say("¡hola!");
    bob.expect("ann", "¡hola!");
    bob.leave();
    ann.expect(ROOM, "bob left the room. 1 online.");

    eventually("the standby has been sent the same", || standby.frames().len() == 4);
    let sorted = |mut frames: Vec<String>| {
        frames.sort();
        frames
    };
    assert_eq!(sorted(room.frames()), sorted(standby.frames()));
    assert_eq!(told, "bob joined the room. 2 online.");
    assert_eq!((ann.heard().len(), bob.heard().len()), (3, 2), "no word of the standby's");
}

/// Fails if a room notices that it is not spoken to directly, the standby is heard, or what it hears is not counted.
fn members_chat_through_the_fabric_and_the_standby_hears_all(shape: Shape) {
    let site = Site::open(shape);
    let beside = ClassicMember::join(site.standby.address(), "beside");
    let ann = site.join("ann");
    let old = ClassicMember::join(site.fabric.address(), "old");
    old.expect_told("You are now online. 2 online.");
    ann.expect("* old joined the room. 2 online.");

    for round in 0..50 {
        ann.say(&format!("ours {round}"));
        old.say(&format!("classic {round}"));
    }

    let rounds = |what: &str| (0..50).map(|round| format!("{what} {round}")).collect::<Vec<_>>();
    old.expect("ann", "ours 49");
    ann.expect("old: classic 49");
    assert_eq!((old.texts_of("ann"), ann.texts_of("old")), (rounds("ours"), rounds("classic")));
    beside.expect("ann", "ours 49");
    beside.expect("old", "classic 49");
    assert_eq!((beside.texts_of("ann"), beside.texts_of("old")), (rounds("ours"), rounds("classic")));
    assert!(ann.shown().iter().all(|line| !line.contains("beside")), "{:?}", ann.shown());

    assert_eq!(ann.hang_up(), Some(0));
    beside.expect(ROOM, "ann left the room. 2 online.");
    drop(old);
    let report = site.fabric.at_rest();
    let delivered = ["primary", "secondary-1"].map(|name| report.volume(name, "delivered").bytes);
    assert!(delivered[0] > 2000 && delivered[0] == delivered[1], "{delivered:?}");
}

/// Fails if the standby lacks a text when many are said at once, or holds up those who hear the room.
fn a_crowd_is_heard_by_the_standby_to_the_last_text(shape: Shape) {
    let crowd = Crowd { listeners: 8, speakers: 2, texts: 2_000 };
    let site = Site::open(shape);

    let heard = crowd.chats(site.fabric.address());

    assert_eq!(heard.len(), 4_000);
    let texts = |room: &Room| room.counts()["texts"].clone();
    assert_eq!(texts(&site.room), 4_000);
    eventually("the standby has them all", || texts(&site.standby) == 4_000);
}

/// Fails if a session outlives its room, or a text that is said again after that is heard again.
fn a_room_that_is_started_again_has_its_members_back_and_the_standby_hears_nothing_twice(shape: Shape) {
    let mut site = Site::open(shape);
    let beside = ClassicMember::join(site.standby.address(), "beside");
    let (ann, bob) = (site.join("ann"), site.join("bob"));
    ann.say("before");
    bob.expect("ann: before");

    site.room.kill9();
    for number in 0..20 {
        ann.say(&format!("meanwhile {number}"));
    }
    site.room.open_again();

    bob.expect_line("the last of them", |line| line.ends_with("meanwhile 19"));
    ann.say("after");
    bob.expect("ann: after");
    let meanwhile = (0..20).map(|number| format!("meanwhile {number}"));
    let expected: Vec<_> =
        ["before".to_owned()].into_iter().chain(meanwhile).chain(["after".to_owned()]).collect();
    assert_eq!(bob.texts_of("ann"), expected);
    beside.expect("ann", "after");
    assert_eq!(beside.texts_of("ann"), expected);
}

/// Fails if a standby's death, or its return in the middle of what members say, reaches a member.
fn a_standby_that_dies_and_returns_is_noticed_by_no_member(shape: Shape) {
    let mut site = Site::open(shape);
    let (ann, bob) = (site.join("ann"), site.join("bob"));
    site.standby.kill9();
    ann.say("without a standby");
    bob.expect("ann: without a standby");

    site.standby.open_again();
    // It has not heard their greetings, so it hangs up on whatever it is sent of them, and hears nothing.
    eventually("the standby has hung up on both, twice", || site.connections() >= 6);
    ann.say("with a new one");
    bob.expect("ann: with a new one");

    let told = |chatter: &Chatter| {
        chatter.shown().into_iter().filter(|line| line.starts_with(['*', '!'])).collect::<Vec<_>>()
    };
    assert_eq!(told(&bob), ["* You are now online. 2 online."]);
    assert_eq!(told(&ann), ["* You are now online. 1 online.", "* bob joined the room. 2 online."]);
}

/// Fails if a standby that was away cannot be brought back by a fabric that begins anew, or waits for what it has missed.
fn a_standby_that_was_away_hears_again_once_the_fabric_has_begun_anew(shape: Shape) {
    let mut site = Site::open(shape);
    let (ann, bob) = (site.join("ann"), site.join("bob"));
    ann.say("heard by both");
    bob.expect("ann: heard by both");
    site.standby.kill9();
    ann.say("missed by the standby");
    bob.expect("ann: missed by the standby");

    site.standby.open_again();
    let beside = ClassicMember::join(site.standby.address(), "beside");
    site.fabric = site.fabric.begun_anew();

    eventually("the standby hears ann again", || {
        ann.say("heard again");
        beside.texts_of("ann").contains(&"heard again".to_owned())
    });
    bob.expect_line("the same", |line| line.ends_with("heard again"));
}
