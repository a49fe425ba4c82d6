//! What goes on at the sockets between workers and destinations.

use std::time::Duration;

use proto::{id::ConnectionId, wire::Cause, worker::Owner};

use crate::{
    destinations::{Answers, Closes, Down, Manner, Reply, Socket, SocketState},
    plan::Push,
    sources::frame,
    talking::{LIE, frames},
    world::{Event, World},
};

/// A destination that floods says so much and no more.
const FLOOD: usize = 60_000;
const FLOOD_PIECE: usize = 1_500;

impl World {
    /// A worker asks for a connection.
    pub(crate) fn connect(
        &mut self,
        worker: (usize, u32),
        id: ConnectionId,
        owner: Owner,
        source: usize,
        timeout: Duration,
    ) {
        let destination = self.plan.workers[worker.0];
        let plan = &self.plan.destinations[destination];
        let manner = self.destination_draws[destination].weighted(&plan.manners);
        let (capacity, connect_micros) = (plan.capacity, plan.connect_micros);
        let index = self.sockets.len();
        self.sockets.push(Socket::new(worker, id, destination, source, owner.attempt, manner, capacity));
        self.socket_of.insert((worker.0, worker.1, id.0), index);
        self.note("connects", index, source as u64, destination as u64);
        self.check_connect(index);
        if self.is_well {
            self.sockets[index].manner.heal();
        }
        match self.down_at(destination) {
            Some(Down::Refuses) => self.soon(connect_micros, Event::ConnectFailed(index, Cause::Refused)),
            Some(Down::IsSilent) => self.after(timeout, Event::ConnectFailed(index, Cause::TimedOut)),
            Some(Down::Resets) => {
                self.soon(connect_micros, Event::Connected(index));
                self.soon(connect_micros + 100, Event::DestinationResets(index));
            }
            None => self.soon(connect_micros, Event::Connected(index)),
        }
    }

    pub(crate) fn down_at(&self, destination: usize) -> Option<Down> {
        self.plan.destinations[destination].down_at(self.now).filter(|_| !self.is_well)
    }

    /// The kernels have shaken hands.
    pub(crate) fn accept(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        socket.state = SocketState::Open;
        socket.was_accepted = true;
        match socket.manner {
            Manner { closes: Closes::First, .. } => self.soon(10, Event::DestinationFinishes(index)),
            Manner { reply: Reply::Flood, .. } => self.soon(10, Event::DestinationFloods(index)),
            _ => {}
        }
    }

    pub(crate) fn write_to_destination(&mut self, index: usize, bytes: &[u8]) -> usize {
        assert!(self.sockets[index].was_accepted, "a write before the connection");
        assert!(!self.sockets[index].is_shut, "a write after the FIN");
        if !self.sockets[index].is_open() {
            return 0;
        }
        let taken = self.sockets[index].room().min(bytes.len());
        self.check_write(index, &bytes[..taken]);
        self.note("written to socket", index, taken as u64, bytes.len() as u64);
        let now = self.now;
        let socket = &mut self.sockets[index];
        socket.written.extend_from_slice(&bytes[..taken]);
        socket.was_short = taken < bytes.len();
        socket.transcript.push((now, socket.written.len()));
        self.wake_destination(index);
        taken
    }

    pub(crate) fn wake_destination(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        let has_something = socket.taken < socket.written.len() || socket.is_shut;
        if has_something && !socket.is_taking && socket.manner.bite > 0 {
            socket.is_taking = true;
            let tick = socket.manner.tick_micros;
            self.soon(tick, Event::DestinationTakes(index));
        }
    }

    /// The destination reads a bite, and does what it does then.
    pub(crate) fn destination_takes(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        socket.is_taking = false;
        if matches!(socket.state, SocketState::Broken(_)) {
            return;
        }
        let start = socket.taken;
        socket.taken = socket.written.len().min(start + socket.manner.bite);
        let bite = socket.written[start..socket.taken].to_vec();
        let (manner, taken) = (socket.manner.clone(), socket.taken);
        let is_at_end = socket.is_shut && taken == socket.written.len();
        if socket.was_short && socket.room() > 0 && socket.is_open() {
            socket.was_short = false;
            self.soon(5, Event::WorkerMayWrite(index));
        }
        self.answer(index, &manner, bite);
        if manner.resets_after.is_some_and(|bytes| taken >= bytes) {
            return self.soon(1, Event::DestinationResets(index));
        }
        let finishes = match manner.closes {
            Closes::AtEnd => is_at_end,
            Closes::After(bytes) => taken >= bytes || is_at_end,
            Closes::First | Closes::Never => false,
        };
        if finishes {
            self.soon(manner.reply_micros, Event::DestinationFinishes(index));
        }
        if taken < self.sockets[index].written.len() {
            self.wake_destination(index);
        }
    }

    fn answer(&mut self, index: usize, manner: &Manner, bite: Vec<u8>) {
        if bite.is_empty() {
            return;
        }
        let said = match manner.reply {
            Reply::Echo => bite,
            Reply::Lies => bite.iter().map(|byte| byte.wrapping_add(1)).chain(*b"\n##\n").collect(),
            Reply::Frames(answers) => self.answer_frames(index, answers, &bite),
            Reply::Silence | Reply::Flood => return,
        };
        if said.is_empty() {
            return;
        }
        self.soon(manner.reply_micros, Event::DestinationSays(index, said));
    }

    /// What it answers to the frames that end in a bite.
    fn answer_frames(&mut self, index: usize, answers: Answers, bite: &[u8]) -> Vec<u8> {
        let codec = self.plan.route.codec.clone();
        let socket = &mut self.sockets[index];
        socket.gathered.extend_from_slice(bite);
        let whole = frames(&codec, &socket.gathered);
        socket.gathered.drain(..whole.iter().map(Vec::len).sum::<usize>());
        let answer = |request: Vec<u8>| match answers {
            Answers::Echo => request,
            Answers::Twice => request.repeat(2),
            Answers::Lie => {
                socket.lies += 1;
                frame(&codec, format!("{LIE}{index}.{}", socket.lies).into_bytes())
            }
            Answers::Nothing => Vec::new(),
        };
        whole.into_iter().flat_map(answer).collect()
    }

    /// It says something to everyone who is there.
    pub(crate) fn destination_pushes(&mut self, push: usize) {
        let Push { by, ref frame, .. } = self.plan.pushes[push];
        let frame = frame.clone();
        for index in 0..self.sockets.len() {
            if self.sockets[index].destination == by {
                self.destination_says(index, &frame);
            }
        }
    }

    pub(crate) fn destination_says(&mut self, index: usize, said: &[u8]) {
        let socket = &mut self.sockets[index];
        if socket.is_open() && !socket.has_finished {
            socket.said.extend_from_slice(said);
            self.wake_worker_reader(index);
        }
    }

    pub(crate) fn destination_floods(&mut self, index: usize) {
        let socket = &self.sockets[index];
        if socket.is_open() && socket.manner.reply == Reply::Flood && socket.said.len() < FLOOD {
            let has_room = socket.said.len() - socket.read < 4 * FLOOD_PIECE;
            if has_room {
                let piece: Vec<u8> =
                    (0..FLOOD_PIECE).map(|at| if at % 50 == 49 { b'\n' } else { b'~' }).collect();
                self.destination_says(index, &piece);
            }
            self.soon(5_000, Event::DestinationFloods(index));
        }
    }

    pub(crate) fn destination_finishes(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        if socket.is_open() && !socket.has_finished {
            socket.has_finished = true;
            self.wake_worker_reader(index);
        }
    }

    pub(crate) fn destination_resets(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        if socket.is_open() {
            socket.state = SocketState::Broken(Cause::Reset);
            self.soon(10, Event::WorkerSeesReset(index, Cause::Reset));
        }
    }

    pub(crate) fn wake_worker_reader(&mut self, index: usize) {
        let socket = &mut self.sockets[index];
        if socket.is_open() && !socket.is_paused && !socket.is_reading && socket.has_something_to_read() {
            socket.is_reading = true;
            self.soon(10, Event::WorkerReads(index));
        }
    }

    /// The worker closes a connection, or dies.
    pub(crate) fn leave_socket(&mut self, index: usize, abort: bool) {
        self.note("socket left", index, u64::from(abort), 0);
        let socket = &mut self.sockets[index];
        if socket.is_held() {
            socket.state = SocketState::Left;
        }
        let owner = (socket.worker, socket.worker_life, socket.id.0);
        self.socket_of.remove(&owner);
    }
}
