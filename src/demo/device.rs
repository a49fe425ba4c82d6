//! The device of the demo: it says a line now and then, answers what it is asked, and counts what it hears.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    io,
    rc::Rc,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
    task::spawn_local,
    time::{MissedTickBehavior, interval, timeout},
};

use super::players::{ANSWER, ASK, ASK_AFTER};

/// It says a line this often.
const PACE: Duration = Duration::from_millis(200);
/// It waits so long for a question, and for what comes of its answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Whoever listens for the last answers stops after this.
const LAST_ANSWERS: Duration = Duration::from_secs(2);

/// What passed between the device and the fabric, as the device counts it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spoken {
    /// Lines it said.
    pub(super) said: u64,
    /// Answers it got, each the primary's answer to the line that was next.
    pub(super) heard: u64,
    /// How often it was asked.
    pub(super) asked: u64,
    /// Whether all is over that comes of being asked.
    pub(super) was_thanked: bool,
    /// What it heard and should not have.
    pub(super) wrong: u64,
}

/// A device that reports a temperature now and then.
pub(super) struct Device {
    state: Rc<State>,
}

#[derive(Default)]
struct State {
    spoken: Cell<Spoken>,
    /// The answers that are to come.
    awaited: RefCell<VecDeque<String>>,
    was_asked: Notify,
    was_thanked: Notify,
    stop: Notify,
    ended: Notify,
}

impl Device {
    /// Connects, and talks from now on.
    pub(super) async fn connect(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (read, write) = stream.into_split();
        let state = Rc::new(State::default());
        let (talking, hearing) = (Rc::clone(&state), Rc::clone(&state));
        spawn_local(async move {
            tokio::select! {
                _ = talk(write, &talking) => {}
                // Dropping the half says goodbye.
                () = talking.stop.notified() => {}
            }
        });
        spawn_local(async move { hear(read, &hearing).await });
        Ok(Self { state })
    }

    /// What has passed so far.
    pub(super) fn spoken(&self) -> Spoken {
        self.state.spoken.get()
    }

    /// Says goodbye and waits for the answers that are on their way.
    pub(super) async fn finish(self) -> Spoken {
        self.state.stop.notify_one();
        let _ = timeout(LAST_ANSWERS, self.state.ended.notified()).await;
        self.spoken()
    }
}

impl State {
    fn note(&self, change: impl FnOnce(&mut Spoken)) {
        let mut spoken = self.spoken.get();
        change(&mut spoken);
        self.spoken.set(spoken);
    }
}

fn reading(number: u64) -> String {
    format!("reading {number} temperature {}.{}", 18 + number % 5, number % 10)
}

/// Readings for ever, and after some of them a pause in which it may be asked.
async fn talk(mut write: OwnedWriteHalf, state: &State) -> io::Result<()> {
    let mut beat = interval(PACE);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1.. {
        beat.tick().await;
        say(&mut write, state, reading(number)).await?;
        if number == ASK_AFTER && timeout(PATIENCE, state.was_asked.notified()).await.is_ok() {
            say(&mut write, state, format!("{ANSWER} 81")).await?;
            // Who else has asked is given the answer, and answers that.
            let _ = timeout(PATIENCE, state.was_thanked.notified()).await;
        }
    }
    Ok(())
}

async fn say(write: &mut OwnedWriteHalf, state: &State, line: String) -> io::Result<()> {
    write.write_all(format!("{line}\n").as_bytes()).await?;
    state.awaited.borrow_mut().push_back(format!("OK {line}"));
    state.note(|spoken| spoken.said += 1);
    Ok(())
}

async fn hear(read: OwnedReadHalf, state: &State) {
    let mut lines = BufReader::new(read).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        on_line(&line, state);
    }
    state.ended.notify_one();
}

fn on_line(line: &str, state: &State) {
    let is_answer = state.awaited.borrow().front().is_some_and(|awaited| awaited == line);
    if is_answer {
        state.awaited.borrow_mut().pop_front();
        state.note(|spoken| spoken.heard += 1);
    } else if line == ASK {
        state.note(|spoken| spoken.asked += 1);
        state.was_asked.notify_one();
    } else if line.starts_with(&format!("OK {ANSWER}")) && !state.spoken.get().was_thanked {
        state.note(|spoken| spoken.was_thanked = true);
        state.was_thanked.notify_one();
    } else {
        state.note(|spoken| spoken.wrong += 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_answers_questions_and_thanks_from_what_is_wrong() {
        let state = State::default();
        state.awaited.borrow_mut().extend(["OK a", "OK BATTERY 81"].map(str::to_owned));
        for line in ["OK a", ASK, "OK BATTERY 81", "OK BATTERY 81", "NO b"] {
            on_line(line, &state);
        }
        let expected = Spoken { said: 0, heard: 2, asked: 1, was_thanked: true, wrong: 1 };
        assert_eq!(state.spoken.get(), expected);
    }
}
