//! What goes on at the sockets between sources and ingresses.

use crate::{
    sources::{Closed, Step},
    world::{Event, World},
};

impl World {
    /// A source does the next thing in its script.
    pub(crate) fn source_steps(&mut self, index: usize) {
        let source = &mut self.sources[index];
        if !source.is_open() {
            return;
        }
        let Some(&(_, step)) = source.plan.steps.get(source.next_step) else { return };
        source.next_step += 1;
        match step {
            Step::Say(bytes) => {
                source.said += bytes;
                self.wake_ingress_reader(index);
            }
            Step::Finish => self.source_finishes(index),
            Step::Reset => return self.soon(10, Event::IngressSeesReset(index)),
        }
        self.schedule_step(index);
    }

    pub(crate) fn schedule_step(&mut self, index: usize) {
        let source = &self.sources[index];
        if let Some(&(pause, _)) = source.plan.steps.get(source.next_step) {
            self.after(pause, Event::SourceSteps(index));
        }
    }

    /// Everything is well: those that stay say one thing more.
    pub(crate) fn source_speaks(&mut self, index: usize) {
        let source = &mut self.sources[index];
        if source.is_open() && !source.has_finished && source.plan.last_words {
            source.said = source.plan.stream.len();
            self.wake_ingress_reader(index);
        }
    }

    pub(crate) fn source_finishes(&mut self, index: usize) {
        let source = &mut self.sources[index];
        if source.is_open() && !source.has_finished {
            source.has_finished = true;
            source.plan.steps.truncate(source.next_step);
            self.wake_ingress_reader(index);
        }
    }

    pub(crate) fn write_to_source(&mut self, index: usize, bytes: &[u8]) -> usize {
        let now = self.now;
        let source = &mut self.sources[index];
        assert!(source.closed.is_none() && !source.is_shut, "a write after the end");
        let taken = source.room().min(bytes.len());
        source.was_short = taken < bytes.len();
        if taken > 0 {
            self.check_source_write(index, &bytes[..taken]);
        }
        let source = &mut self.sources[index];
        source.received.extend_from_slice(&bytes[..taken]);
        source.transcript.push((now, source.received.len(), '+'));
        self.note("written to source", index, taken as u64, bytes.len() as u64);
        self.wake_source(index);
        taken
    }

    pub(crate) fn wake_source(&mut self, index: usize) {
        let source = &mut self.sources[index];
        let has_something = source.taken < source.received.len();
        if has_something && !source.is_taking && source.plan.bite > 0 {
            source.is_taking = true;
            let tick = source.plan.tick_micros;
            self.soon(tick, Event::SourceTakes(index));
        }
    }

    pub(crate) fn source_takes(&mut self, index: usize) {
        let source = &mut self.sources[index];
        source.is_taking = false;
        source.taken = source.received.len().min(source.taken + source.plan.bite);
        if source.was_short && source.room() > 0 && source.is_open() {
            source.was_short = false;
            self.soon(5, Event::IngressMayWrite(index));
        }
        self.wake_source(index);
        self.source_sees_end(index);
    }

    pub(crate) fn shut_down_source(&mut self, index: usize) {
        let now = self.now;
        let source = &mut self.sources[index];
        source.is_shut = true;
        source.transcript.push((now, source.received.len(), '.'));
        self.note("source shut", index, 0, 0);
        self.source_sees_end(index);
    }

    /// It has read everything, and a FIN.
    fn source_sees_end(&mut self, index: usize) {
        let source = &self.sources[index];
        if source.is_shut && source.taken == source.received.len() && source.plan.closes_at_end {
            self.soon(200, Event::SourceFinishes(index));
        }
    }

    pub(crate) fn close_source(&mut self, index: usize, how: Closed) {
        let now = self.now;
        let source = &mut self.sources[index];
        assert!(source.closed.is_none(), "closed twice");
        source.closed = Some(how);
        source.transcript.push((
            now,
            source.received.len(),
            if how == (Closed::ByIngress { abort: true }) { '!' } else { '|' },
        ));
        self.note("source closed", index, 0, 0);
    }
}
