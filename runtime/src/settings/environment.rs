//! The environment as a value, so that a test can have its own.
//!
//! What its variables mean is decided by whoever looks one up; a variable nobody asks for is passed over.

use std::collections::BTreeMap;

use super::given::{Given, Origin, Raw};

/// Variables and their values. An empty one counts as not set, as it does for most tools.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
}

impl Environment {
    /// The environment of this process. What is not UTF-8 is kept as far as it is, to be refused by name.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
            .collect()
    }

    /// The variable called exactly `name`.
    pub(super) fn given(&self, name: &str) -> Option<Given> {
        let value = self.variables.get(name)?;
        Some(Given::new(Raw::Words(value.clone()), name, Origin::Environment(name.to_owned())))
    }

    /// The variable called `name` in capitals or, failing that, in any letters.
    pub(super) fn given_in_any_case(&self, name: &str) -> Option<Given> {
        self.given(name).or_else(|| {
            let other = self.variables.keys().find(|variable| variable.eq_ignore_ascii_case(name))?;
            self.given(other)
        })
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let named = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: named.filter(|(_, value): &(_, String)| !value.trim().is_empty()).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_not_set() {
        let environment = Environment::from_iter([("PEGLOOM_GRACE", " ")]);

        assert_eq!(environment.given("PEGLOOM_GRACE"), None);
    }

    #[test]
    fn capitals_are_preferred_where_any_letters_will_do() {
        let environment = Environment::from_iter([("mode", "udp"), ("MODE", "tcp"), ("source_port", "1")]);

        assert_eq!(environment.given_in_any_case("MODE").unwrap().text(), Some("tcp"));
        assert_eq!(environment.given_in_any_case("SOURCE_PORT").unwrap().text(), Some("1"));
    }
}
