//! What somebody said, before it is understood: a raw value, its key and where it came from.
//!
//! Flags, the environment, `.env` and TOML files all become [`Given`] values, so that each kind of value is read and
//! refused in one place, in the dialect of whoever said it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use super::problem::Problem;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line as a whole: something is missing from it.
    CommandLine,
    /// A flag, such as `--grace`.
    Flag(&'static str),
    /// An environment variable.
    Environment(String),
    /// A line of a TOML file; 0 stands for the whole file.
    Toml {
        /// The file as it was named.
        file: Arc<str>,
        /// Its line, from 1.
        line: usize,
    },
    /// A line of an `.env` file; 0 stands for the whole file.
    Dotenv {
        /// The file as it was named.
        file: Arc<str>,
        /// Its line, from 1.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

impl Origin {
    /// The file, if it came from one.
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Toml { file, .. } | Self::Dotenv { file, .. } => Some(file),
            _ => None,
        }
    }

    /// The line of that file; 0 if there is none.
    pub fn line(&self) -> usize {
        match self {
            Self::Toml { line, .. } | Self::Dotenv { line, .. } => *line,
            _ => 0,
        }
    }

    pub(super) fn is_typed(&self) -> bool {
        matches!(self, Self::CommandLine | Self::Flag(_))
    }

    /// How `key` is set to `value` there.
    pub(super) fn spell(&self, key: &str, value: &str) -> String {
        match self {
            Self::Flag(name) => format!("{name} {value}"),
            Self::Environment(name) => format!("{name}={value}"),
            Self::Dotenv { .. } => format!("{key}={value}"),
            Self::CommandLine => format!("--{key} {value}"),
            Self::Toml { .. } | Self::Default => format!("{key} = {}", toml_literal(value)),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Flag(name) => f.write_str(name),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Toml { file, line: 0 } | Self::Dotenv { file, line: 0 } => f.write_str(file),
            Self::Toml { file, line } | Self::Dotenv { file, line } => write!(f, "{file}:{line}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// `value` as a TOML file spells it: numbers, true, false and what is already TOML bare, the rest quoted.
pub(super) fn toml_literal(value: &str) -> String {
    let is_plain = value.parse::<i64>().is_ok() || value.parse::<bool>().is_ok();
    let bare = is_plain || value.starts_with(['[', '{', '"']);
    if bare { value.to_owned() } else { format!("\"{}\"", value.escape_default()) }
}

/// A value as it was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) raw: Raw,
    /// The key by the name it had there.
    pub(super) key: String,
    pub(super) origin: Origin,
}

/// The kinds of values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Raw {
    /// From a flag, the environment, an `.env` file or a default, where everything is text.
    Words(String),
    /// A TOML string, which is never taken for a number.
    Text(String),
    Integer(i64),
    Boolean(bool),
    List(Vec<Given>),
    Table(Table),
    /// A kind that no key takes, with its article.
    Other(&'static str),
}

/// The keys of one table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table(pub(super) BTreeMap<String, Given>);

impl Table {
    pub(super) fn find(&self, key: &str) -> Option<&Given> {
        self.0.get(key)
    }
}

impl Given {
    pub(super) fn new(raw: Raw, key: impl Into<String>, origin: Origin) -> Self {
        Self { raw, key: key.into(), origin }
    }

    /// The same place, saying `raw`.
    pub(super) fn saying(&self, raw: Raw) -> Self {
        Self { raw, key: self.key.clone(), origin: self.origin.clone() }
    }

    /// A problem with this value; `instead` is a value that would do.
    pub(super) fn refuse(&self, what: impl fmt::Display, instead: &str) -> Problem {
        let advice = if self.is_item() { instead.to_owned() } else { self.origin.spell(&self.key, instead) };
        self.refuse_with(what, advice)
    }

    /// A problem with this value, with advice in full.
    pub(super) fn refuse_with(&self, what: impl fmt::Display, advice: impl Into<String>) -> Problem {
        let what = if self.is_item() || self.origin.file().is_some() {
            format!("{}: {what}", self.key)
        } else {
            what.to_string()
        };
        Problem::new(self.origin.clone(), what, advice)
    }

    /// The wrong kind of value: `wanted` belongs here.
    pub(super) fn refuse_kind(&self, wanted: &str, instead: &str) -> Problem {
        self.refuse(format_args!("{} where {wanted} belongs", self.raw.kind()), instead)
    }

    /// One of a list, numbered from 1 as people count.
    pub(super) fn item(&self, number: usize, raw: Raw) -> Self {
        Self { raw, key: format!("{}[{number}]", self.key), origin: self.origin.clone() }
    }

    fn is_item(&self) -> bool {
        self.key.ends_with(']')
    }

    /// The text, if text it is.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.raw {
            Raw::Words(text) | Raw::Text(text) => Some(text.trim()),
            _ => None,
        }
    }
}

impl Raw {
    fn kind(&self) -> &'static str {
        match self {
            Self::Words(_) | Self::Text(_) => "a text",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "true or false",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_in_the_dialect_of_the_place() {
        let file: Arc<str> = "f".into();

        for (origin, advice) in [
            (Origin::Flag("--grace"), "--grace 10s"),
            (Origin::Environment("PEGLOOM_GRACE".into()), "PEGLOOM_GRACE=10s"),
            (Origin::Dotenv { file: file.clone(), line: 1 }, "grace=10s"),
            (Origin::Toml { file, line: 1 }, "grace = \"10s\""),
        ] {
            assert_eq!(origin.spell("grace", "10s"), advice);
        }
    }
}
