//! Precedence: flag over environment over file over default, for one key at a time.
//!
//! [`Layers`] finds who has the say about a key and remembers it as a [`Row`]; it does not know what any key means.

use std::collections::BTreeMap;

use super::{
    environment::Environment,
    given::{Given, Origin, Raw, Table},
    key::Key,
    problem::{Problem, Problems},
    value::Show,
};

/// The outcome of reading one value.
pub(super) type Read<T> = Result<T, Problems>;

/// A resolved value as `check` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) key: String,
    pub(super) value: String,
    pub(super) origin: Origin,
}

impl Row {
    /// The same, as a key of `table`.
    pub(super) fn under(&self, table: &str) -> Self {
        Self { key: format!("{table}.{}", self.key), ..self.clone() }
    }

    pub(super) fn of(key: &str, value: &impl Show, origin: &Origin) -> Self {
        Self { key: key.to_owned(), value: value.show(), origin: origin.clone() }
    }
}

/// Everyone who may set a key of one table.
pub(super) struct Layers<'a> {
    pub(super) flags: &'a BTreeMap<&'static str, Given>,
    pub(super) environment: &'a Environment,
    pub(super) table: &'a Table,
}

impl Layers<'_> {
    /// Reads `key`, and either notes its row or its problems.
    pub(super) fn read<T: Show>(
        &self,
        key: &str,
        default: &str,
        read: fn(&Given) -> Read<T>,
        rows: &mut Vec<Row>,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let given = self.pick(key, default);
        let value = keep(read(&given), problems)?;
        rows.push(Row::of(key, &value, &given.origin));
        Some(value)
    }

    /// Who has the say about `key`, with its value.
    pub(super) fn pick(&self, key: &str, default: &str) -> Given {
        self.find(key).unwrap_or_else(|| Given::new(Raw::Words(default.to_owned()), key, Origin::Default))
    }

    /// The value of `key` without a word about its problems, for rules about several keys.
    pub(super) fn peek<T>(&self, keys: &[Key], key: &str, read: fn(&Given) -> Read<T>) -> Option<(T, Given)> {
        let default = keys.iter().find(|known| known.name == key)?.default;
        let given = self.pick(key, default);
        Some((read(&given).ok()?, given))
    }

    /// As `pick`, for a key that has no default.
    pub(super) fn find(&self, key: &str) -> Option<Given> {
        self.flags
            .get(key)
            .cloned()
            .or_else(|| self.environment.given(&format!("PEGLOOM_{}", key.to_uppercase())))
            .or_else(|| self.table.find(key).cloned())
    }
}

/// The value, or its problems put with the others.
pub(super) fn keep<T>(read: Read<T>, problems: &mut Vec<Problem>) -> Option<T> {
    read.map_err(|found| problems.extend(found.into_list())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(text: &str, origin: Origin) -> Given {
        Given::new(Raw::Words(text.to_owned()), "grace", origin)
    }

    #[test]
    fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
        let none = (BTreeMap::new(), Environment::default(), Table::default());
        let flags = BTreeMap::from([("grace", given("1s", Origin::Flag("--grace")))]);
        let environment = Environment::from_iter([("PEGLOOM_GRACE", "2s")]);
        let file = Origin::Toml { file: "f".into(), line: 7 };
        let table = Table(BTreeMap::from([("grace".to_owned(), given("3s", file.clone()))]));
        let pick = |flags, environment, table| Layers { flags, environment, table }.pick("grace", "4s");

        assert_eq!(pick(&flags, &environment, &table), given("1s", Origin::Flag("--grace")));
        let variable = Origin::Environment("PEGLOOM_GRACE".to_owned());
        assert_eq!(pick(&none.0, &environment, &table).origin, variable);
        assert_eq!(pick(&none.0, &none.1, &table), given("3s", file));
        assert_eq!(pick(&none.0, &none.1, &none.2), given("4s", Origin::Default));
    }
}
