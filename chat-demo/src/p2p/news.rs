//! What a person is told of the line, in words.

use std::time::Duration;

use crate::{Line, Name};

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Somebody is on the line who was not before.
    OnTheLine(Name),
    /// Is silent, or the connection has ended.
    Away(Name),
    /// Was away, and is not any more.
    Back(Name),
    /// Has left on purpose.
    HungUp(Name),
    /// The first is now called the second.
    Renamed(Name, Name),
    /// Is called as one is oneself, and shown as the second.
    Alike(Name, Name),
    /// So many texts did not reach this one, or anybody, and will not.
    Unheard(usize, Option<Name>),
    /// What came is no frame; told once.
    Unreadable,
    /// Others have the line, or one is about to; it is called on for so long.
    Refused(Duration),
    /// Connections to there end before they begin; told once.
    NoLine,
}

impl From<News> for Line {
    fn from(news: News) -> Self {
        match news {
            News::OnTheLine(name) => Self::Told(format!("{name} is on the line.")),
            News::Away(name) => Self::Told(format!("{name} is away.")),
            News::Back(name) => Self::Told(format!("{name} is back.")),
            News::HungUp(name) => Self::Told(format!("{name} has hung up.")),
            News::Renamed(was, is) => Self::Told(format!("{was} is now called {is}.")),
            News::Alike(name, shown) => {
                Self::Warned(format!("You are both called {name}. The other is shown as {shown}."))
            }
            News::Unheard(count, name) => Self::Warned(unheard(count, name)),
            News::Unreadable => {
                Self::Warned("What came over the line is not of pegloom; it is left out.".into())
            }
            News::Refused(patience) => {
                let seconds = patience.as_secs();
                Self::Warned(format!(
                    "The line is taken, or somebody is just calling; it is called on for {seconds} s."
                ))
            }
            News::NoLine => Self::Warned("What answers there is no line; it is called on.".into()),
        }
    }
}

fn unheard(count: usize, name: Option<Name>) -> String {
    let texts = if count == 1 { "1 text".into() } else { format!("{count} texts") };
    name.map_or_else(|| format!("{texts} reached nobody."), |name| format!("{texts} did not reach {name}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_nobody_heard_are_counted_in_words() {
        let bob = Name::new("bob").unwrap();
        assert_eq!(Line::from(News::Unheard(1, None)), Line::Warned("1 text reached nobody.".into()));
        assert_eq!(
            Line::from(News::Unheard(2, Some(bob))),
            Line::Warned("2 texts did not reach bob.".into())
        );
    }
}
