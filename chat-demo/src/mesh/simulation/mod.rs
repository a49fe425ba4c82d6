//! Members on virtual time with everything going wrong that can: messages lost, late and repeated, networks cut and healed,
//! members killed and started anew, clocks that are wrong. When all is whole again and quiet, all that live have the same
//! history in the same order.
//!
//! A failure says with which seed it is seen again: `PEGLOOM_SIM_SEED=7 cargo test -p pegloom-chat simulation`.

mod agreement;
mod plan;
mod trouble;
mod world;

use std::{
    hash::Hasher as _,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use proto::time::Instant;

use super::{Input, history::Bounds};
use crate::{How, Text, Typed};
use plan::Plan;
use world::{Member, World};

/// Runs a seed: what it left behind, or how to see it fail again.
fn run(seed: u64) -> Result<World, String> {
    let mut world = World::new(seed);
    let Err(panic) = catch_unwind(AssertUnwindSafe(|| world.run())) else { return Ok(world) };
    if world.is_loud {
        world.tail.iter().for_each(|line| eprintln!("{line}"));
    }
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default();
    Err(format!("PEGLOOM_SIM_SEED={seed} at {}: {text}", world.now))
}

fn replayed() -> Option<u64> {
    let seed = std::env::var("PEGLOOM_SIM_SEED").ok()?;
    Some(seed.parse().unwrap_or_else(|_| panic!("PEGLOOM_SIM_SEED is no number: {seed}")))
}

fn seeds() -> Vec<u64> {
    let count = std::env::var("PEGLOOM_SIM_SEEDS").ok().and_then(|count| count.parse().ok());
    replayed().map_or_else(|| (0..count.unwrap_or(200)).collect(), |seed| vec![seed])
}

/// Fails if anything that can go wrong leaves two members with different histories, or a text lost or twice.
#[test]
fn after_any_trouble_all_have_the_same_history_in_the_same_order() {
    let seeds = seeds();
    let worlds: Vec<_> = seeds.iter().map(|&seed| run(seed)).collect();

    let failures: Vec<_> = worlds.iter().filter_map(|world| world.as_ref().err()).collect();
    assert!(failures.is_empty(), "{} of {} runs failed:\n{failures:#?}", failures.len(), seeds.len());
    if seeds.len() < 100 {
        return;
    }
    let all = || worlds.iter().flatten().flat_map(|world| &world.members);
    let count = |how| all().flat_map(|member| &member.shown).filter(|(shown, _)| *shown == how).count();
    assert!(count(How::Late) > 1000 && count(How::Missed) > 1000 && count(How::Live) > 1000);
    assert!(all().any(|member| member.mesh.counts().resent > 0));
    assert!(all().any(|member| member.mesh.counts().below > 0));
}

/// Fails if a link that is slow is taken for one that loses, or for one that is cut.
#[test]
fn a_slow_link_is_used_for_each_text_once_and_nobody_is_away() {
    for bytes_a_second in [10_000, 50_000, 100_000] {
        let mut world = World::planned(fastrand::Rng::with_seed(1), Plan::slow(bytes_a_second));
        world.run_until(Instant::ZERO + Duration::from_secs(5));
        let texts = 2_000 * bytes_a_second / 100_000;
        for number in 0..texts {
            while !world.members[0].mesh.has_room() {
                world.step();
            }
            let text = Text::new(&format!("{number} {}", "x".repeat(1_000))).unwrap();
            world.input(0, Input::Typed(Typed::Say(text)));
        }
        world.talk(1);
        let started = world.now;
        while world.members[1].shown.len() <= texts as usize && world.now < started + Duration::from_secs(60)
        {
            world.step();
        }

        let [one, other] = &world.members[..] else { panic!("two") };
        assert_eq!(other.shown.len(), texts as usize + 1, "{bytes_a_second}");
        let away = |member: &Member| member.told.iter().any(|told| told.contains("away"));
        assert!(!away(one) && !away(other), "{bytes_a_second}: {:?} {:?}", one.told, other.told);
        let repeated = one.mesh.counts().repeated + other.mesh.counts().repeated;
        assert!(repeated <= texts / 20, "{bytes_a_second}: {repeated} of {texts}");
    }
}

/// Fails if those who came and went have used up what a mesh has room for.
#[test]
fn a_newcomer_to_a_mesh_that_many_have_left_gets_what_is_kept_and_is_heard() {
    let bounds = Bounds { authors: 5, ..Bounds::default() };
    let plan = Plan { bounds, ..Plan::slow(1_000_000) };
    let mut world = World::planned(fastrand::Rng::with_seed(1), plan);
    let pass = |world: &mut World| world.run_until(world.now + Duration::from_secs(10));
    pass(&mut world);
    for _ in 0..20 {
        world.talk(1);
        pass(&mut world);
        world.kill(1);
        pass(&mut world);
    }
    world.talk(1);
    pass(&mut world);

    let [stayed, newcomer] = &world.members[..] else { panic!("two") };
    assert_eq!(stayed.shown.len(), 21);
    let how = |member: &Member| member.shown.iter().map(|(how, _)| *how).collect::<Vec<_>>();
    assert_eq!(how(newcomer), [How::Missed, How::Missed, How::Missed, How::Missed, How::Missed, How::Mine]);
    let texts =
        |member: &Member| member.shown.iter().rev().map(|(_, text)| text.clone()).take(6).collect::<Vec<_>>();
    assert_eq!(texts(newcomer), texts(stayed));
    assert_eq!(stayed.told.iter().filter(|told| told.contains("no longer")).count(), 0);
    world.expect_agreement();
    world.expect_silence();
}

#[test]
fn the_same_seed_gives_the_same_trace() {
    for seed in 0..10 {
        let [first, second] = [(); 2].map(|()| run(seed).map(|world| world.trace.finish()).unwrap());
        assert_eq!(first, second, "seed {seed}");
    }
}
