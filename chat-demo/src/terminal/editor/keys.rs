//! The bytes of a terminal's keyboard as keys, after ECMA-48 and what xterm made of it.
//!
//! What is not known is nothing. A paste between its brackets is one key, so that line ends in it send nothing.

use std::mem;

/// The longest paste that is kept, in bytes; nothing longer can be said.
const MAX_PASTE: usize = 64 * 1024;

/// The longest sequence that is listened to, in bytes.
const MAX_SEQUENCE: usize = 32;

const PASTE_ENDS: &[u8] = b"\x1b[201~";

/// What was pressed, by what it means to an editor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// A character.
    Insert(char),
    /// A pasted text, its line ends as `\n`.
    Paste(String),
    /// Enter.
    Enter,
    /// Tab.
    Complete,
    /// One character to the left, or one word.
    Left(Step),
    /// One character to the right, or one word.
    Right(Step),
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// What was typed before this.
    Older,
    /// What was typed after this.
    Newer,
    /// Ctrl-R: what was typed before and has this in it.
    Search,
    /// Backspace: the character, or the word, before the cursor.
    EraseBefore(Step),
    /// Delete.
    EraseAfter,
    /// Ctrl-K: to the end.
    EraseToEnd,
    /// Ctrl-U: to the beginning.
    EraseToStart,
    /// Ctrl-Y: what was erased last.
    PutBack,
    /// Ctrl-L: an empty screen.
    Clear,
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D.
    EndOfInput,
    /// Ctrl-Z.
    Suspend,
}

/// How far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// One character.
    Character,
    /// One word.
    Word,
}

/// Tells keys apart; what has not come to its end waits for the next bytes.
#[derive(Debug, Default)]
pub(super) struct Keyboard {
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Between,
    /// The first bytes of a character in UTF-8.
    Character(Vec<u8>),
    /// After an escape.
    Escape,
    /// After `ESC [` or `ESC O`.
    Sequence(Vec<u8>),
    Paste(Vec<u8>),
}

impl Keyboard {
    /// The keys that these bytes bring to their end.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> Vec<Key> {
        bytes.iter().filter_map(|byte| self.byte(*byte)).collect()
    }

    fn byte(&mut self, byte: u8) -> Option<Key> {
        match mem::take(&mut self.state) {
            State::Between => self.first(byte),
            State::Character(begun) => self.character(begun, byte),
            State::Escape => self.escaped(byte),
            State::Sequence(begun) => self.sequence(begun, byte),
            State::Paste(begun) => self.paste(begun, byte),
        }
    }

    fn first(&mut self, byte: u8) -> Option<Key> {
        match byte {
            0x1b => self.state = State::Escape,
            0x80.. => self.state = State::Character(vec![byte]),
            b' '..=b'~' => return Some(Key::Insert(char::from(byte))),
            _ => return of_control(byte),
        }
        None
    }

    fn character(&mut self, mut begun: Vec<u8>, byte: u8) -> Option<Key> {
        if byte < 0x80 {
            return self.first(byte);
        }
        begun.push(byte);
        match std::str::from_utf8(&begun) {
            Ok(text) => text.chars().next().map(Key::Insert),
            Err(bad) if bad.error_len().is_some() => None,
            Err(_) => {
                self.state = State::Character(begun);
                None
            }
        }
    }

    fn escaped(&mut self, byte: u8) -> Option<Key> {
        match byte {
            b'[' | b'O' => self.state = State::Sequence(Vec::new()),
            b'b' => return Some(Key::Left(Step::Word)),
            b'f' => return Some(Key::Right(Step::Word)),
            0x7f => return Some(Key::EraseBefore(Step::Word)),
            // The escape was a key of its own.
            _ => return self.first(byte),
        }
        None
    }

    fn sequence(&mut self, mut begun: Vec<u8>, byte: u8) -> Option<Key> {
        begun.push(byte);
        let is_over = matches!(byte, 0x40..=0x7e);
        match begun.as_slice() {
            b"200~" => self.state = State::Paste(Vec::new()),
            sequence if is_over => return of_sequence(sequence),
            // Not even a sequence: what made it end counts again.
            _ if byte < b' ' => return self.first(byte),
            _ if begun.len() < MAX_SEQUENCE => self.state = State::Sequence(begun),
            _ => {}
        }
        None
    }

    fn paste(&mut self, mut begun: Vec<u8>, byte: u8) -> Option<Key> {
        begun.push(byte);
        if let Some(pasted) = begun.strip_suffix(PASTE_ENDS) {
            return Some(Key::Paste(of_paste(pasted)));
        }
        if begun.len() >= MAX_PASTE + PASTE_ENDS.len() {
            // The end must still be seen; what is between is lost.
            begun.remove(MAX_PASTE);
        }
        self.state = State::Paste(begun);
        None
    }
}

fn of_control(byte: u8) -> Option<Key> {
    // Written as the letter that is pressed with Ctrl.
    Some(match byte | 0x40 {
        b'A' => Key::Home,
        b'B' => Key::Left(Step::Character),
        b'C' => Key::Interrupt,
        b'D' => Key::EndOfInput,
        b'E' => Key::End,
        b'F' => Key::Right(Step::Character),
        b'H' | 0x7f => Key::EraseBefore(Step::Character),
        b'I' => Key::Complete,
        b'J' | b'M' => Key::Enter,
        b'K' => Key::EraseToEnd,
        b'L' => Key::Clear,
        b'N' => Key::Newer,
        b'P' => Key::Older,
        b'R' => Key::Search,
        b'U' => Key::EraseToStart,
        b'W' => Key::EraseBefore(Step::Word),
        b'Y' => Key::PutBack,
        b'Z' => Key::Suspend,
        _ => return None,
    })
}

fn of_sequence(sequence: &[u8]) -> Option<Key> {
    // `1;5D`: Ctrl; `1;3D`: Alt.
    let step = if sequence.ends_with(b";5D")
        || sequence.ends_with(b";5C")
        || sequence.ends_with(b";3D")
        || sequence.ends_with(b";3C")
    {
        Step::Word
    } else {
        Step::Character
    };
    Some(match (sequence, sequence.last()?) {
        (_, b'A') => Key::Older,
        (_, b'B') => Key::Newer,
        (_, b'C') => Key::Right(step),
        (_, b'D') => Key::Left(step),
        (_, b'H') | (b"1~" | b"7~", _) => Key::Home,
        (_, b'F') | (b"4~" | b"8~", _) => Key::End,
        (b"3~", _) => Key::EraseAfter,
        _ => return None,
    })
}

/// A paste without what no text needs: control characters other than line ends and tabs.
fn of_paste(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\r', "\n");
    text.chars().filter(|character| matches!(character, '\n' | '\t') || !character.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        Keyboard::default().hear(bytes)
    }

    #[test]
    fn characters_come_whole_however_their_bytes_come() {
        let mut keyboard = Keyboard::default();
        let bytes = "añ€🦀".as_bytes();

        let heard: Vec<_> = bytes.iter().flat_map(|byte| keyboard.hear(&[*byte])).collect();

        assert_eq!(heard, ['a', 'ñ', '€', '🦀'].map(Key::Insert));
    }

    #[test]
    fn a_paste_is_one_key_whatever_is_in_it() {
        let heard = keys(b"\x1b[200~a\r\nb\rc\x1b[31m\x07\td\x1b[201~x");

        assert_eq!(heard, [Key::Paste("a\nb\nc[31m\td".to_owned()), Key::Insert('x')]);
    }

    #[test]
    fn a_paste_without_end_is_bounded_and_its_end_is_seen() {
        let mut keyboard = Keyboard::default();
        keyboard.hear(b"\x1b[200~");
        keyboard.hear(&vec![b'x'; MAX_PASTE + 100]);

        let heard = keyboard.hear(PASTE_ENDS);

        let [Key::Paste(text)] = heard.as_slice() else { panic!("{heard:?}") };
        assert_eq!(text.len(), MAX_PASTE);
    }

    #[test]
    fn cursor_keys_are_told_in_each_way_terminals_tell_them() {
        assert_eq!(keys(b"\x1b[A\x1bOA\x10"), [Key::Older, Key::Older, Key::Older]);
        assert_eq!(keys(b"\x1b[1;5D\x1bb"), [Key::Left(Step::Word), Key::Left(Step::Word)]);
        assert_eq!(keys(b"\x1b[3~\x1b[H\x1b[4~"), [Key::EraseAfter, Key::Home, Key::End]);
    }

    #[test]
    fn what_is_not_known_is_nothing() {
        assert_eq!(keys(b"\x1b[5~\x1b[99;99R\xff\x80\x00a"), [Key::Insert('a')]);
        assert_eq!(keys(b"\x1b\r"), [Key::Enter]);
        assert_eq!(keys(b"\x1b[12\r"), [Key::Enter]);
        assert_eq!(keys(b"\xc3a"), [Key::Insert('a')]);
    }
}
