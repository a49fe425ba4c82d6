//! What a room counts.

use serde::Serialize;

/// Counts of one room; everything that is turned away has a reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counters {
    /// Who is online now.
    pub(crate) members: u64,
    /// Entries that are kept now.
    pub(crate) entries: u64,
    /// The number of the last entry.
    pub(crate) head: u64,
    /// What is heard and not yet on the disk.
    pub(crate) waiting: u64,
    /// Texts that were taken.
    pub(crate) texts: u64,
    /// Texts that came again, and were not taken again.
    pub(crate) repeated: u64,
    /// Texts that came before one that was missing, or while another client of their author's waited for its place.
    pub(crate) early: u64,
    /// Hellos that waited until what was said with their key was on the disk, or was not.
    pub(crate) held: u64,
    /// Authors whose texts could not be stored, each time that happened.
    pub(crate) unheard: u64,
    /// Batches that are on the disk.
    pub(crate) stored: u64,
    /// Batches that could not be stored.
    pub(crate) store_failures: u64,
    /// Entries, times the members they were sent to.
    pub(crate) deliveries: u64,
    /// Times a member took no more frames, and was left for later.
    pub(crate) blocked: u64,
    /// Who was given no place, and why.
    pub(crate) refused: Refusals,
    /// Who lost its place, and why.
    pub(crate) dropped: Drops,
    /// What was not understood, and why.
    pub(crate) malformed: Misunderstandings,
}

macro_rules! reasons {
    ($(#[$outer:meta])* $counts:ident by $reason:ident { $($(#[$inner:meta])* $variant:ident => $field:ident),+ $(,)? }) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $reason { $($(#[$inner])* $variant),+ }

        $(#[$outer])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub(crate) struct $counts { $($(#[$inner])* pub(crate) $field: u64),+ }

        impl $counts {
            pub(super) fn add(&mut self, reason: $reason) {
                match reason { $($reason::$variant => self.$field += 1),+ }
            }
        }
    };
}

reasons! {
    /// Why somebody was given no place.
    Refusals by Refused {
        /// Somebody else is called so.
        NameTaken => name_taken,
        /// There are as many members as there may be.
        Full => full,
        /// Another version is spoken.
        Version => version,
        /// It is in the room already.
        Twice => twice,
        /// It is not in the room.
        Absent => absent,
    }
}

reasons! {
    /// Why somebody lost its place.
    Drops by Dropped {
        /// It left.
        Left => left,
        /// It said nothing for too long.
        Silent => silent,
        /// Nobody is there to be sent anything.
        Gone => gone,
        /// It did not read until the log no longer had what it lacked.
        DoesNotRead => does_not_read,
        /// Another client with the same key came; the place is now that one's.
        Superseded => superseded,
    }
}

reasons! {
    /// Why something was not understood.
    Misunderstandings by Malformed {
        /// It was no frame of our dialect.
        Ours => ours,
        /// It was no frame of the classic one.
        Classic => classic,
        /// It had several parts, or none.
        Parts => parts,
    }
}
