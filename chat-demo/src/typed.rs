//! What a person asks for by typing.

use crate::{Name, Text};

/// One thing typed, and understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// Say it to all.
    Say(Text),
    /// `/me TEXT`: say what one does.
    Act(Text),
    /// `/msg NAME TEXT`: say it to one.
    Tell(Name, Text),
    /// `/nick NAME`: be called so from now on.
    Rename(Name),
    /// `/who`: who is there.
    Who,
    /// `/history [N]`: the last so many lines once more.
    History(usize),
    /// `/quit`, Ctrl-D, or the end of the input: leave when what was said is heard.
    Quit,
    /// Ctrl-C where nothing is typed: leave at once, as for SIGINT.
    Leave,
}
