//! One definition of a key: its name, default, reader and help, beside the field that holds it.
//!
//! `keyed!` writes a struct and its table of [`Key`]s from the same lines, so help, template, documents and code have
//! one source. To add a key, add its field with a doc comment, default and reader; nothing else lists keys.

/// What a settings file, variable or flag may set.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name in a file.
    pub name: &'static str,
    /// What it does, from the field's own doc comment.
    pub help: &'static str,
    /// The default as a file would spell it, or `required`, or how it is made up.
    pub default: &'static str,
    /// Whether the environment may set it by its own name.
    pub in_environment: bool,
}

impl Key {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("PEGLOOM_{}", self.name.to_uppercase())
    }

    /// Its help in one line, however the doc comment was broken.
    pub fn help_line(&self) -> String {
        self.help.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The help of the key called `name`, in one line.
///
/// # Panics
///
/// If there is no such key: the name is a constant of ours.
pub(super) fn help_of(keys: &[Key], name: &str) -> String {
    keys.iter().find(|key| key.name == name).expect("the name of a key of ours").help_line()
}

/// The name among `known` that `typed` was most likely meant to be.
pub(super) fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| (name, strsim::jaro_winkler(&typed, name)))
        .filter(|(_, likeness)| *likeness > 0.75)
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .map(|(name, _)| name)
}

/// Defines a struct of settings and the table of its keys.
///
/// `own` fields are filled by hand; `keys` have a default and a reader, and the environment may set them or not. What stands
/// `beside` them is no key, and its maker's business.
/// `assemble` reads every key, so that all problems are found, and makes the struct if there were none.
macro_rules! keyed {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            own {
                $( $(#[doc = $own_help:literal])+ pub $own:ident: $own_type:ty, $own_key:literal, $own_default:literal; )*
            }
            keys in_environment = $in_environment:literal {
                $( $(#[doc = $help:literal])+ pub $field:ident: $type:ty = $default:literal => $read:path; )*
            }
            $( beside {
                $( $(#[doc = $beside_help:literal])+ pub $beside:ident: $beside_type:ty, )*
            } )?
        }
    ) => {
        $(#[$meta])*
        pub struct $name {
            $( $(#[doc = $own_help])+ pub $own: $own_type, )*
            $( $(#[doc = $help])+ pub $field: $type, )*
            $( $( $(#[doc = $beside_help])+ pub $beside: $beside_type, )* )?
            // Invariant: one for each value that somebody or nobody set, in the order of the fields.
            pub(in crate::settings) rows: Vec<$crate::settings::layers::Row>,
        }

        impl $name {
            /// Every key of this table, in the order of its documents.
            pub const KEYS: &'static [$crate::settings::key::Key] = &[
                $( $crate::settings::key::Key {
                    name: $own_key, help: concat!($($own_help, "\n"),+), default: $own_default, in_environment: false,
                }, )*
                $( $crate::settings::key::Key {
                    name: stringify!($field), help: concat!($($help, "\n"),+), default: $default,
                    in_environment: $in_environment,
                }, )*
            ];

            /// Reads every key; the struct, if all could be read.
            pub(in crate::settings) fn assemble(
                $( $own: Option<$own_type>, )*
                mut rows: Vec<$crate::settings::layers::Row>,
                layers: &$crate::settings::layers::Layers<'_>,
                problems: &mut Vec<$crate::settings::problem::Problem>,
            ) -> Option<Self> {
                $( let $field = layers.read(stringify!($field), $default, $read, &mut rows, problems); )*
                Some(Self { $( $own: $own?, )* $( $field: $field?, )* $( $( $beside: <$beside_type>::default(), )* )? rows })
            }
        }
    };
}
pub(super) use keyed;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_name_finds_the_one_that_was_meant() {
        let known = ["grace", "linger", "listen", "max_frame", "quiet_gap"];

        for (typed, meant) in
            [("grase", "grace"), ("lisen", "listen"), ("maxframe", "max_frame"), ("Grace", "grace")]
        {
            assert_eq!(nearest(typed, known), Some(meant), "{typed}");
        }
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }
}
