//! The lines a load sends: which bytes they have follows from the connection, the line's number and its size, so a
//! repeated, lost or crossed line is seen whatever else is right about it.
//!
//! ```text
//! | connection: 8 letters | number: 8 letters | filler: letters of both ... | \n |
//! ```

/// The first 16 letters and the line's end.
pub(crate) const SHORTEST: usize = 17;
const HEAD: usize = 16;

/// Replaces `line` by the line with this number, `size` bytes with its end.
pub(crate) fn write(line: &mut Vec<u8>, connection: u32, number: u32, size: usize) {
    debug_assert!(size >= SHORTEST);
    line.clear();
    append(line, connection, number, size);
}

pub(crate) fn append(lines: &mut Vec<u8>, connection: u32, number: u32, size: usize) {
    let end = lines.len() + size - 1;
    lines.extend_from_slice(&letters(connection));
    lines.extend_from_slice(&letters(number));
    let mut filler = (u64::from(connection) << 32 | u64::from(number)).wrapping_mul(MIX);
    while lines.len() < end {
        filler = (filler ^ filler >> 29).wrapping_mul(MIX);
        lines.extend_from_slice(&letters((filler >> 32) as u32));
    }
    lines.truncate(end);
    lines.push(b'\n');
}

/// What bytes that were not expected are, as far as can be told.
pub(crate) fn describe(bytes: &[u8]) -> String {
    match identity(bytes) {
        Some((connection, number)) => format!("line {number} of connection {connection}"),
        None => format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(64)])),
    }
}

/// The connection and the number of a line, if it begins like one.
pub(crate) fn identity(line: &[u8]) -> Option<(u32, u32)> {
    let (head, _) = line.split_at_checked(HEAD)?;
    Some((number(&head[..8])?, number(&head[8..])?))
}

/// Odd, and its bits look random: the fraction of the golden ratio.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;

/// Eight letters from `a` to `p`, one for each half byte, the lowest first.
fn letters(number: u32) -> [u8; 8] {
    let pairs = (u64::from(number) | u64::from(number) << 16) & 0x0000_ffff_0000_ffff;
    let bytes = (pairs | pairs << 8) & 0x00ff_00ff_00ff_00ff;
    let halves = (bytes | bytes << 4) & 0x0f0f_0f0f_0f0f_0f0f;
    (halves + 0x6161_6161_6161_6161).to_le_bytes()
}

fn number(letters: &[u8]) -> Option<u32> {
    letters.iter().rev().try_fold(0, |number, letter| match letter {
        b'a'..=b'p' => Some(number << 4 | u32::from(letter - b'a')),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn line(connection: u32, number: u32, size: usize) -> Vec<u8> {
        let mut line = Vec::new();
        write(&mut line, connection, number, size);
        line
    }

    #[test]
    fn a_line_has_its_size_and_one_end() {
        for size in SHORTEST..300 {
            let line = line(3, 7, size);
            assert_eq!(line.len(), size);
            assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(size - 1));
        }
    }

    #[test]
    fn no_two_lines_are_alike_in_head_or_filler() {
        let lines: Vec<_> = (0..32).flat_map(|c| (0..32).map(move |n| line(c, n, 100))).collect();

        let heads: HashSet<_> = lines.iter().map(|line| &line[..HEAD]).collect();
        let fillers: HashSet<_> = lines.iter().map(|line| &line[HEAD..]).collect();
        assert_eq!((heads.len(), fillers.len()), (1024, 1024));
    }

    #[test]
    fn a_line_tells_whose_it_is() {
        assert_eq!(describe(&line(63, 0xdead_beef, 17)), "line 3735928559 of connection 63");
        assert_eq!(describe(b"HTTP/1.1 400 Bad"), "\"HTTP/1.1 400 Bad\"");
        assert_eq!(describe(b"ab"), "\"ab\"");
    }
}
