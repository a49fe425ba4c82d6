//! In which tone something is said: to whom, and whether it is about oneself.

use serde::{Deserialize, Serialize};

use crate::Name;

/// In which tone something is said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// To all.
    Plain,
    /// To all, about oneself: "* ann waves".
    Action,
    /// To the one of this name alone.
    Private(Name),
}

/// In which tone something is said to all, where what is for one alone goes another way, or all are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PublicTone {
    /// As it is.
    Plain,
    /// About oneself.
    Action,
}

impl From<PublicTone> for Tone {
    fn from(tone: PublicTone) -> Self {
        match tone {
            PublicTone::Plain => Self::Plain,
            PublicTone::Action => Self::Action,
        }
    }
}
