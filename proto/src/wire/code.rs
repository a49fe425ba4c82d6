//! Codes of the wire: small numbers with a word each.
//!
//! A code that is not listed does not decode. The word is what logs and reports print; docs/protocol.md, section 4, has
//! the numbers.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! code {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant = $code),+ }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text),+ })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u8(*self as u8)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match u8::deserialize(deserializer)? {
                    $($code => Ok(Self::$variant),)+
                    other => Err(D::Error::custom(format_args!(concat!("no ", stringify!($name), " {}"), other))),
                }
            }
        }
    };
}

code! {
    /// Why a connection is over or never was.
    Cause {
        /// It ended as it should.
        InOrder = 0 "ended in order",
        /// The destination refused the connection.
        Refused = 1 "connection refused",
        /// It did not answer in time.
        TimedOut = 2 "timed out",
        /// There is no way to it.
        Unreachable = 3 "unreachable",
        /// Its host name could not be resolved.
        NameNotFound = 4 "host name not found",
        /// The peer reset the connection.
        Reset = 5 "connection reset",
        /// A limit is reached.
        Limit = 6 "limit reached",
        /// The worker has no lease.
        NoLease = 7 "no lease",
        /// The link was lost.
        LinkLost = 8 "link lost",
        /// The session or attempt is not known.
        Unknown = 9 "unknown session or attempt",
        /// The worker is draining.
        Draining = 10 "draining",
        /// Anything else.
        Other = 11 "failed",
    }
}

code! {
    /// Why a link is over.
    Bye {
        /// Greet me again.
        GreetAgain = 0 "greet again",
        /// A newer incarnation of this worker has come.
        Superseded = 1 "superseded",
        /// We speak different versions.
        Version = 2 "protocol version",
        /// I have no such destination.
        UnknownDestination = 3 "unknown destination",
        /// I am leaving.
        Leaving = 4 "leaving",
    }
}

code! {
    /// How hard a worker tries to connect.
    Patience {
        /// One try, at once.
        Once = 0 "once",
        /// One try, none while the destination is away.
        IfAvailable = 1 "if available",
        /// As long as it takes.
        Patient = 2 "patient",
    }
}

code! {
    /// How far a worker's connection is.
    Phase {
        /// Waiting for the destination, or connecting.
        Connecting = 0 "connecting",
        /// Connected.
        Open = 1 "open",
    }
}
