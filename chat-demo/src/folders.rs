//! Where a chat keeps its files, unless it is told otherwise.

use std::{env, path::PathBuf};

/// `$XDG_DATA_HOME/pegloom/chat`, or `~/.local/share/pegloom/chat`; `None` where there is no home either.
pub(crate) fn data() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let shared = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(shared.join("pegloom/chat"))
}
