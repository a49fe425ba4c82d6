//! Why a client cannot chat, and what to try.

use std::{io, path::Path};

use runtime::exit::Failure;

use super::{key::NoKey, process::Settings};
use crate::{Name, wire::room::Refusal};

pub(super) fn somewhere() -> Failure {
    Failure::cannot("chat at all", "a room is on one host", "--ip with its name or address").as_usage()
}

pub(super) fn unknown(host: &str, error: io::Error) -> Failure {
    Failure::cannot(
        format!("find the host {host}"),
        error,
        "--ip with the name or address of the room's host",
    )
}

pub(super) fn homeless(name: &Name) -> Failure {
    let why = "there is no home for its key: neither XDG_DATA_HOME nor HOME is set";
    Failure::cannot(format!("chat as {name}"), why, "--key FILE").as_usage()
}

pub(super) fn no_key(settings: &Settings, error: NoKey) -> Failure {
    let (name, path) = (&settings.name, settings.key.display());
    match error {
        NoKey::InUse => Failure::cannot(
            format!("chat as {name}"),
            format!("the name is taken, by another client on this machine that has {path}"),
            "another --name, or --key FILE: its key is in use, in this room or another",
        ),
        NoKey::Damaged(_) | NoKey::Zeros => Failure::cannot(
            format!("use the key file {path}"),
            error,
            "the copy of it, or move it away: then a new one is made, and the room will take you for somebody else",
        ),
        NoKey::Io(error) => Failure::cannot(
            format!("use the key file {path}"),
            error,
            "--key with a file that can be written",
        ),
    }
}

pub(super) fn no_journal(path: &Path, error: impl std::error::Error + Send + Sync + 'static) -> Failure {
    Failure::cannot(
        format!("read what is remembered in {}", path.display()),
        error,
        "move it away: then texts that were not delivered are lost, and what was seen may be shown again",
    )
}

pub(super) fn refused(name: &Name, why: Refusal) -> Failure {
    let (why, advice) = match why {
        Refusal::NameTaken => ("the name is taken, by somebody else in the room", "another --name"),
        Refusal::NameOfRoom => ("the name is the room's own", "another --name"),
        Refusal::Superseded => {
            ("its key is used by another client now", "only one of the two, or another --key")
        }
        Refusal::Full => ("the room has as many members as it can have", "later"),
        Refusal::Version => ("the room speaks another version", "the same version of pegloom as the room's"),
        Refusal::Silent | Refusal::DoesNotRead => ("the room has let go of this client", "again"),
    };
    Failure::cannot(format!("chat as {name}"), why, advice)
}
