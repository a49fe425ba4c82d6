//! What nodes tell at once: events, each taken the first time it is said.
//!
//! The last ones are said again each second, so that who comes late hears them. Of divergences the latest are kept. What is
//! in an event is not this module's business: it is handed on with its names, and bytes become text with escapes.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
};

use proto::id::Incarnation;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Divergences that are kept.
const KEPT: usize = 32;
/// Events back that a repetition can be told from a late one; sixteen are repeated.
const REMEMBERED: u64 = 64;
/// Shards whose events are told apart.
const MAX_SHARDS: usize = 4096;

/// One event as it was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Which node.
    pub node: String,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Which shard of it.
    pub shard: u16,
    /// Counts the shard's events, from 1.
    pub sequence: u64,
    /// Milliseconds since 1970 when it happened.
    pub time: u64,
    /// What happened: a map that has its `kind` in it.
    pub event: Said,
}

/// Anything, as JSON has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Said(pub Value);

/// What was heard so far.
#[derive(Clone, Debug, Default)]
pub struct Events {
    shards: BTreeMap<(String, Incarnation, u16), Numbers>,
    divergences: VecDeque<Told>,
}

/// Which numbers of a shard have been heard.
#[derive(Clone, Copy, Debug, Default)]
struct Numbers {
    latest: u64,
    /// Bit `i` is the event `i` before the latest.
    heard: u64,
}

impl Numbers {
    fn is_new(&mut self, sequence: u64) -> bool {
        if sequence > self.latest {
            let ahead = sequence - self.latest;
            self.heard = if ahead < REMEMBERED { self.heard << ahead } else { 0 } | 1;
            self.latest = sequence;
            return true;
        }
        let behind = self.latest - sequence;
        let is_new = behind < REMEMBERED && self.heard & (1 << behind) == 0;
        if is_new {
            self.heard |= 1 << behind;
        }
        is_new
    }
}

impl Events {
    /// Takes an event. False if it was said before.
    pub fn hear(&mut self, told: &Told) -> bool {
        let shard = (told.node.clone(), told.incarnation, told.shard);
        if !self.shards.contains_key(&shard) && self.shards.len() >= MAX_SHARDS {
            // Of a shard that is still there nothing but a few repetitions is heard twice.
            self.shards.pop_first();
        }
        let is_new = self.shards.entry(shard).or_default().is_new(told.sequence);
        if is_new && told.event.0["kind"] == "diverged" {
            self.divergences.push_back(told.clone());
            if self.divergences.len() > KEPT {
                self.divergences.pop_front();
            }
        }
        is_new
    }

    /// The latest divergences, oldest first.
    pub fn divergences(&self) -> impl Iterator<Item = &Told> {
        self.divergences.iter()
    }
}

impl<'de> Deserialize<'de> for Said {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything).map(Self)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(value.escape_ascii().to_string().into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Said(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Said(value))) = entries.next_entry()? {
            map.insert(name, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sequence: u64, kind: &str) -> Told {
        let event = Said(serde_json::json!({ "kind": kind }));
        Told { node: "n".to_owned(), incarnation: Incarnation(1), shard: 0, sequence, time: 0, event }
    }

    #[test]
    fn a_repetition_is_taken_once_and_a_late_one_still() {
        let mut events = Events::default();
        let taken =
            [1, 2, 2, 1, 5, 4, 3, 4, 200, 199, 5, 136, 137].map(|number| events.hear(&told(number, "away")));
        assert_eq!(taken, [1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 0, 0, 1].map(|bit| bit == 1));
        assert_eq!(events.divergences().count(), 0);
    }

    #[test]
    fn the_latest_divergences_are_kept() {
        let mut events = Events::default();
        (1..=40).for_each(|number| assert!(events.hear(&told(number, "diverged"))));
        let kept: Vec<_> = events.divergences().map(|told| told.sequence).collect();
        assert_eq!((kept.len(), kept[0], kept[31]), (32, 9, 40));
    }

    /// Fails if bytes, which JSON has not, make an event unreadable.
    #[test]
    fn bytes_become_text_with_escapes() {
        // {"kind": "diverged", "primary": bin "A\n\xff", "offset": nil, "left_out": 3}
        let packed = b"\x84\xa4kind\xa8diverged\xa7primary\xc4\x03A\n\xff\xa6offset\xc0\xa8left_out\x03";
        let Said(event) = rmp_serde::from_slice(packed).unwrap();
        let expected =
            serde_json::json!({ "kind": "diverged", "primary": "A\\n\\xff", "offset": null, "left_out": 3 });
        assert_eq!(event, expected);
    }
}
