//! What was typed, understood; or an answer that says what to try.

use crate::{Name, Text, Typed, name::likeness};

/// Commands, what follows them, and what they do.
const COMMANDS: [(&str, &str, &str); 7] = [
    ("/help", "", "this"),
    ("/who", "", "who is there"),
    ("/nick", "NAME", "be called NAME from now on"),
    ("/me", "TEXT", "say what you do: /me waves"),
    ("/msg", "NAME TEXT", "say it to one only; \"NAME\" in quotes if it has blanks"),
    ("/history", "[N]", "the last N lines once more, 20 if you do not say"),
    ("/quit", "", "leave; so does Ctrl-D"),
];

/// How many lines `/history` is for where no number follows.
const HISTORY: usize = 20;

/// What came of something typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// Understood.
    Typed(Typed),
    /// Nothing was asked for.
    Nothing,
    /// What was asked for is in these lines.
    Help(Vec<String>),
    /// Why it cannot be, and what to try.
    Wrong(String),
}

/// What was typed as a text, whatever it begins with.
pub(super) fn verbatim(typed: &str) -> Parsed {
    let typed = typed.trim_end_matches(['\n', '\r']);
    if typed.trim().is_empty() { Parsed::Nothing } else { say(typed) }
}

/// Understands what was typed; `names` are those that may have blanks in them.
pub(super) fn parse<'a>(typed: &str, names: impl IntoIterator<Item = &'a Name>) -> Parsed {
    let typed = typed.trim_end_matches(['\n', '\r']);
    if typed.trim().is_empty() {
        return Parsed::Nothing;
    }
    match typed.strip_prefix('/') {
        None => say(typed),
        Some(text) if text.starts_with('/') => say(text),
        Some(_) => command(typed, names),
    }
}

/// The names of all commands, each with its slash.
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|(command, ..)| *command)
}

fn say(text: &str) -> Parsed {
    of_text(text, Typed::Say)
}

fn of_text(text: &str, tone: impl FnOnce(Text) -> Typed) -> Parsed {
    match Text::new(text) {
        Ok(text) => Parsed::Typed(tone(text)),
        Err(bad) => Parsed::Wrong(format!("Not said: {bad}.")),
    }
}

fn command<'a>(typed: &str, names: impl IntoIterator<Item = &'a Name>) -> Parsed {
    let (word, rest) = typed.split_once(char::is_whitespace).unwrap_or((typed, ""));
    let trimmed = rest.trim();
    match word.to_lowercase().as_str() {
        "/help" => Parsed::Help(help()),
        "/who" => Parsed::Typed(Typed::Who),
        "/nick" => nick(trimmed),
        "/me" if trimmed.is_empty() => Parsed::Wrong("What do you do? Try /me waves.".to_owned()),
        "/me" => of_text(trimmed, Typed::Act),
        "/msg" => tell(trimmed, names),
        "/history" => history(trimmed),
        "/quit" => Parsed::Typed(Typed::Quit),
        _ => Parsed::Wrong(unknown(word)),
    }
}

fn help() -> Vec<String> {
    let line = |(command, follows, does): &(&str, &str, &str)| {
        format!("{:<16} {does}", format!("{command} {follows}"))
    };
    let mut lines: Vec<_> = COMMANDS.iter().map(line).collect();
    lines.push(format!("{:<16} say a text that begins with a slash", "//TEXT"));
    lines
}

fn nick(name: &str) -> Parsed {
    if name.is_empty() {
        return Parsed::Wrong("What to be called? Try /nick ann.".to_owned());
    }
    let unquoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
    match Name::new(unquoted.unwrap_or(name)) {
        Ok(name) => Parsed::Typed(Typed::Rename(name)),
        Err(bad) => Parsed::Wrong(format!("Not renamed: {bad}. Try /nick ann.")),
    }
}

fn tell<'a>(rest: &str, names: impl IntoIterator<Item = &'a Name>) -> Parsed {
    if rest.is_empty() {
        return Parsed::Wrong("Whom to tell what? Try /msg ann hello.".to_owned());
    }
    let (name, text) = addressee(rest, names);
    match Name::new(name) {
        _ if name.starts_with('"') => Parsed::Wrong(
            "Told nobody: the name's second quote is missing. Try /msg \"Ann Lee\" hello.".to_owned(),
        ),
        Err(bad) => Parsed::Wrong(format!("Told nobody: {bad}. Try /msg ann hello.")),
        Ok(name) if text.is_empty() => {
            Parsed::Wrong(format!("What to say to {name}? Try /msg {name} hello."))
        }
        Ok(name) => of_text(text, |text| Typed::Tell(name, text)),
    }
}

/// To whom, and what: the name is in quotes, or one that is known, or a word.
fn addressee<'a, 'b>(rest: &'b str, names: impl IntoIterator<Item = &'a Name>) -> (&'b str, &'b str) {
    if let Some((name, text)) = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')) {
        return (name, text.trim_start());
    }
    let known = names.into_iter().filter_map(|name| after(rest, name)).max_by_key(|(name, _)| name.len());
    let (name, text) = known.unwrap_or_else(|| rest.split_once(char::is_whitespace).unwrap_or((rest, "")));
    (name, text.trim_start())
}

/// `rest` as this name and what follows it.
fn after<'b>(rest: &'b str, name: &Name) -> Option<(&'b str, &'b str)> {
    let end = rest.char_indices().nth(name.as_str().chars().count()).map_or(rest.len(), |(end, _)| end);
    let (typed, text) = rest.split_at(end);
    let is_whole = text.is_empty() || text.starts_with(char::is_whitespace);
    (is_whole && likeness(typed) == name.likeness()).then_some((typed, text))
}

fn history(number: &str) -> Parsed {
    match number {
        "" => Parsed::Typed(Typed::History(HISTORY)),
        _ => match number.parse() {
            Ok(number) => Parsed::Typed(Typed::History(number)),
            Err(_) => Parsed::Wrong(format!("How many lines? Try /history {HISTORY}.")),
        },
    }
}

fn unknown(word: &str) -> String {
    let to_say = "To say it, put another / before it.";
    let nearest = all().map(|known| (distance(&word.to_lowercase(), known), known)).min();
    match nearest {
        Some((distance, known)) if distance <= (known.len() / 3).max(1) => {
            format!("There is no {word}. Did you mean {known}? {to_say}")
        }
        _ => format!("There is no {word}. Try /help. {to_say}"),
    }
}

/// How many slips of a finger are between the two; a beginning is one.
fn distance(word: &str, known: &str) -> usize {
    if word.len() > 1 && known.starts_with(word) { 1 } else { strsim::damerau_levenshtein(word, known) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(name: &str) -> Name {
        Name::new(name).unwrap()
    }

    fn text(text: &str) -> Text {
        Text::new(text).unwrap()
    }

    fn parsed(typed: &str) -> Parsed {
        parse(typed, &[name("John"), name("John Doe"), name("zoë")])
    }

    #[track_caller]
    fn wrong(typed: &str) -> String {
        match parsed(typed) {
            Parsed::Wrong(why) => why,
            other => panic!("{typed:?} is understood: {other:?}"),
        }
    }

    #[test]
    fn what_is_no_command_is_said() {
        let said = |typed, words| assert_eq!(parsed(typed), Parsed::Typed(Typed::Say(text(words))));

        said("hello\r\n", "hello");
        said("  two blanks", "  two blanks");
        said("//quit", "/quit");
        said("///", "//");
        said(" /quit", " /quit");
        said("one\n/quit", "one\n/quit");
    }

    #[test]
    fn no_line_is_a_command_where_they_are_said_as_they_are() {
        for line in ["/quit", "//x", " a"] {
            assert_eq!(verbatim(&format!("{line}\n")), Parsed::Typed(Typed::Say(text(line))));
        }
        assert_eq!(verbatim(" \n"), Parsed::Nothing);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(["", "\n", " \t\r\n"].map(parsed), [const { Parsed::Nothing }; 3]);
    }

    #[test]
    fn commands_are_understood() {
        let is = |typed, asked| assert_eq!(parsed(typed), Parsed::Typed(asked));

        is("/who\n", Typed::Who);
        is("/WHO", Typed::Who);
        is("/quit", Typed::Quit);
        is("/nick  zoë ", Typed::Rename(name("zoë")));
        is("/nick \"John Doe\"", Typed::Rename(name("John Doe")));
        is("/nick John Doe", Typed::Rename(name("John Doe")));
        is("/me waves  twice", Typed::Act(text("waves  twice")));
        is("/history", Typed::History(20));
        is("/history 7", Typed::History(7));
        assert!(matches!(parsed("/help"), Parsed::Help(lines) if lines.len() == 8));
    }

    #[test]
    fn one_may_be_named_by_a_word_a_known_name_or_in_quotes() {
        let tells =
            |typed, to, words| assert_eq!(parsed(typed), Parsed::Typed(Typed::Tell(name(to), text(words))));

        tells("/msg eve hi there", "eve", "hi there");
        tells("/msg john doe hi", "john doe", "hi");
        tells("/msg john do hi", "john", "do hi");
        tells("/msg ZOË hi", "ZOË", "hi");
        tells("/msg \"Ann Lee\" hi", "Ann Lee", "hi");
        tells("/msg John Doe\nhi", "John Doe", "hi");
    }

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest() {
        let to_say = "To say it, put another / before it.";
        assert_eq!(wrong("/Qiut"), format!("There is no /Qiut. Did you mean /quit? {to_say}"));
        assert_eq!(wrong("/home/ann x"), format!("There is no /home/ann. Try /help. {to_say}"));
        assert!(wrong("/").starts_with("There is no /. Try /help."));
    }

    #[test]
    fn what_cannot_be_is_answered_with_the_reason() {
        assert_eq!(wrong("/nick *"), "Not renamed: a name does not begin with '*'. Try /nick ann.");
        assert_eq!(wrong("/nick"), "What to be called? Try /nick ann.");
        assert_eq!(wrong("/msg"), "Whom to tell what? Try /msg ann hello.");
        let quote = "Told nobody: the name's second quote is missing. Try /msg \"Ann Lee\" hello.";
        assert_eq!(wrong("/msg \"Ann Lee hello"), quote);
        assert_eq!(wrong("/msg eve"), "What to say to eve? Try /msg eve hello.");
        assert_eq!(wrong("/me"), "What do you do? Try /me waves.");
        assert_eq!(wrong("/history all"), "How many lines? Try /history 20.");
        assert_eq!(wrong(&"x".repeat(9000)), "Not said: a text has at most 8192 bytes.");
    }
}
