//! Destinations: how they take connections, read, answer and close; and the sockets to them.

use proto::{
    id::{Attempt, ConnectionId},
    time::Instant,
    wire::Cause,
};

#[derive(Clone, Debug)]
pub(crate) struct DestinationPlan {
    pub(crate) connect_micros: u64,
    /// What the kernel holds for one connection.
    pub(crate) capacity: usize,
    /// How it treats a connection, by weight.
    pub(crate) manners: Vec<(u64, Manner)>,
    pub(crate) downs: Vec<(Instant, Instant, Down)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Down {
    Refuses,
    IsSilent,
    /// Accepts, then resets.
    Resets,
}

#[derive(Clone, Debug)]
pub(crate) struct Manner {
    pub(crate) reply: Reply,
    pub(crate) reply_micros: u64,
    /// Bytes it reads at a time; none until things are well if 0.
    pub(crate) bite: usize,
    pub(crate) tick_micros: u64,
    pub(crate) closes: Closes,
    pub(crate) resets_after: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Echo,
    Silence,
    Flood,
    Lies,
    /// By frames, each when it is whole.
    Frames(Answers),
}

/// What each frame is answered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answers {
    Echo,
    Twice,
    /// Something else, and never the same.
    Lie,
    Nothing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closes {
    /// After the other side did.
    AtEnd,
    /// Its own side, after so many bytes.
    After(usize),
    /// Its own side, before anything else.
    First,
    Never,
}

impl Manner {
    pub(crate) fn heal(&mut self) {
        self.bite = 65_536;
        self.tick_micros = 20;
        self.resets_after = None;
        if self.reply == Reply::Flood {
            self.reply = Reply::Silence;
        }
    }
}

impl DestinationPlan {
    pub(crate) fn down_at(&self, now: Instant) -> Option<Down> {
        self.downs.iter().find(|(from, until, _)| *from <= now && now < *until).map(|(_, _, how)| *how)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SocketState {
    Connecting,
    Open,
    /// The worker has closed it, or died.
    Left,
    /// The destination has reset or refused it.
    Broken(Cause),
}

/// One connection of a worker to a destination, with both kernels' buffers.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "a simulated socket has as many sides as a real one")]
pub(crate) struct Socket {
    pub(crate) worker: usize,
    pub(crate) worker_life: u32,
    pub(crate) id: ConnectionId,
    pub(crate) destination: usize,
    pub(crate) source: usize,
    pub(crate) attempt: Attempt,
    pub(crate) state: SocketState,
    pub(crate) was_accepted: bool,
    pub(crate) manner: Manner,
    pub(crate) capacity: usize,
    /// What the worker's kernel took.
    pub(crate) written: Vec<u8>,
    pub(crate) was_short: bool,
    pub(crate) is_shut: bool,
    /// The destination has read so much.
    pub(crate) taken: usize,
    pub(crate) is_taking: bool,
    /// What the destination said, and how many frames of it are lies.
    pub(crate) said: Vec<u8>,
    pub(crate) lies: usize,
    /// The frame it is reading.
    pub(crate) gathered: Vec<u8>,
    pub(crate) has_finished: bool,
    /// The worker has read so much.
    pub(crate) read: usize,
    pub(crate) is_finish_read: bool,
    pub(crate) is_paused: bool,
    pub(crate) is_reading: bool,
    /// For a primary: at which bytes of the source's stream `written` may have begun.
    pub(crate) origins: Option<Vec<usize>>,
    /// When the kernel had taken how much.
    pub(crate) transcript: Vec<(Instant, usize)>,
}

impl Socket {
    pub(crate) fn is_open(&self) -> bool {
        self.state == SocketState::Open
    }

    /// The worker still hears of it.
    pub(crate) fn is_held(&self) -> bool {
        matches!(self.state, SocketState::Open | SocketState::Connecting)
    }

    pub(crate) fn room(&self) -> usize {
        self.capacity.saturating_sub(self.written.len() - self.taken)
    }

    pub(crate) fn has_something_to_read(&self) -> bool {
        self.read < self.said.len() || (self.has_finished && !self.is_finish_read)
    }
}

impl Socket {
    pub(crate) fn new(
        worker: (usize, u32),
        id: ConnectionId,
        destination: usize,
        source: usize,
        attempt: Attempt,
        manner: Manner,
        capacity: usize,
    ) -> Self {
        Self {
            worker: worker.0,
            worker_life: worker.1,
            id,
            destination,
            source,
            attempt,
            state: SocketState::Connecting,
            was_accepted: false,
            manner,
            capacity,
            written: Vec::new(),
            was_short: false,
            is_shut: false,
            taken: 0,
            is_taking: false,
            said: Vec::new(),
            lies: 0,
            gathered: Vec::new(),
            has_finished: false,
            read: 0,
            is_finish_read: false,
            is_paused: false,
            is_reading: false,
            origins: None,
            transcript: Vec::new(),
        }
    }
}
