//! Frames as words, so that tests can say what was said.

use crate::{
    id::Epoch,
    wire::{Batch, BatchWriter, Frame, Header, Phase, Standing},
};

/// One frame, with what a test may want to know of it.
pub(crate) fn frame(frame: &Frame<'_>) -> String {
    match frame {
        Frame::Hello(greeting) => format!("HELLO{}", standings(&greeting.standings)),
        Frame::Welcome { standings: named, .. } => format!("WELCOME{}", standings(named)),
        Frame::Open { session, attempt, position, patience, .. } => {
            format!("OPEN {session} {attempt} @{position} {patience}")
        }
        Frame::Opened { session, attempt, .. } => format!("OPENED {session} {attempt}"),
        Frame::Refused { session, attempt, cause } => format!("REFUSED {session} {attempt} {cause}"),
        Frame::Data { session, attempt, position, payload, .. } => {
            format!("DATA {session} {attempt} @{position} {}", text(payload))
        }
        Frame::Grant { session, attempt, taken, written, limit } => {
            format!("GRANT {session} {attempt} {taken}/{written}/{limit}")
        }
        Frame::Fin { session, attempt, position } => format!("FIN {session} {attempt} @{position}"),
        Frame::Reset { session, attempt, cause, .. } => format!("RESET {session} {attempt} {cause}"),
        Frame::Ping => "PING".to_owned(),
        Frame::Pong => "PONG".to_owned(),
        Frame::Drain => "DRAIN".to_owned(),
        Frame::Bye { reason, .. } => format!("BYE {reason}"),
        Frame::Shed { session, attempt, frames, bytes } => {
            format!("SHED {session} {attempt} {frames}/{bytes}")
        }
    }
}

/// Bytes as text; a long run as its length.
pub(crate) fn text(bytes: &[u8]) -> String {
    if bytes.len() > 40 {
        return format!("({} bytes)", bytes.len());
    }
    String::from_utf8_lossy(bytes).replace('\n', "↵")
}

fn standings(standings: &[Standing]) -> String {
    let one = |it: &Standing| {
        let phase = if it.phase == Phase::Open { "open" } else { "connecting" };
        format!(" {} {} {phase} {}/{}/{}", it.session, it.attempt, it.received, it.written, it.limit)
    };
    standings.iter().map(one).collect()
}

/// A batch with these numbers.
pub(crate) fn batch(epoch: u64, number: u64, received: u64, frames: &[Frame<'_>]) -> Vec<u8> {
    let mut writer = BatchWriter::default();
    for frame in frames {
        writer.write(frame);
    }
    writer.seal(Header { epoch: Epoch(epoch), number, received })
}

/// The header of a batch and its frames as words.
pub(crate) fn decode(bytes: &[u8]) -> (Header, Vec<String>) {
    let batch = Batch::decode(bytes).expect("we sent it");
    (batch.header, batch.frames.iter().map(frame).collect())
}
