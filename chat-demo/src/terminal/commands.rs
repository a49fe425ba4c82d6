//! What was typed, understood; or an answer that says what to try.

use crate::{Name, Text, Typed};

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
    match word {
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
    match Name::new(name) {
        Ok(name) => Parsed::Typed(Typed::Rename(name)),
        Err(bad) => Parsed::Wrong(format!("Not renamed: {bad}. Try /nick ann.")),
    }
}

fn tell<'a>(rest: &str, names: impl IntoIterator<Item = &'a Name>) -> Parsed {
    let (name, text) = addressee(rest, names);
    match Name::new(name) {
        Err(bad) => Parsed::Wrong(format!("To whom? {bad}. Try /msg ann hello.")),
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
    (is_whole && typed.to_lowercase() == name.likeness()).then_some((typed, text))
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
    let likeness = |known: &str| strsim::jaro_winkler(word, known);
    let nearest =
        all().map(|known| (known, likeness(known))).max_by(|(_, one), (_, other)| one.total_cmp(other));
    let to_say = format!("To say it, begin with //: /{word}");
    match nearest {
        Some((known, likeness)) if likeness > 0.75 => {
            format!("There is no {word}. Did you mean {known}? {to_say}")
        }
        _ => format!("There is no {word}. Try /help. {to_say}"),
    }
}
