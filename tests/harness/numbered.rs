//! Numbered lines: each says whose it is and which it is, so that loss, repetition, disorder and tearing show.

/// Line `number` of session `session`.
pub(crate) fn line(session: usize, number: usize) -> Vec<u8> {
    format!("s{session} {number:06} over under over under\n").into_bytes()
}

/// Lines `0..count` of session `session`, one after the other.
pub(crate) fn lines(session: usize, count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| line(session, number)).collect()
}

/// The session and the numbers of what one connection brought. A last line without its end may be there, cut off
/// when the connection was; anything else that is not a whole line of ours is a torn frame.
#[track_caller]
pub(crate) fn numbers(received: &[u8]) -> (usize, Vec<usize>) {
    let whole = received.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let parsed: Vec<_> = received[..whole].split_inclusive(|&byte| byte == b'\n').map(parse).collect();
    let session = parsed.first().map_or(0, |&(session, _)| session);
    assert!(parsed.iter().all(|&(other, _)| other == session), "two sessions on one connection");
    (session, parsed.into_iter().map(|(_, number)| number).collect())
}

/// In order, none left out, none twice.
#[track_caller]
pub(crate) fn assert_each_follows(numbers: &[usize]) {
    let gap = numbers.windows(2).find(|pair| pair[1] != pair[0] + 1);
    assert!(gap.is_none(), "the lines do not follow each other: {gap:?}");
}

/// In order, none twice; some may be left out.
#[track_caller]
pub(crate) fn assert_rises(numbers: &[usize]) {
    let fall = numbers.windows(2).find(|pair| pair[1] <= pair[0]);
    assert!(fall.is_none(), "the lines are not in order: {fall:?}");
}

#[track_caller]
fn parse(text: &[u8]) -> (usize, usize) {
    let found = std::str::from_utf8(text).ok().and_then(|text| {
        let mut words = text.strip_prefix('s')?.split(' ');
        Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
    });
    let found = found.filter(|&(session, number)| line(session, number) == text);
    found.unwrap_or_else(|| panic!("a torn frame: {:?}", text.escape_ascii().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_again_and_a_cut_tail_is_left_out() {
        let mut bytes = lines(3, 4);
        assert_eq!(numbers(&bytes), (3, vec![0, 1, 2, 3]));
        bytes.pop();
        assert_eq!(numbers(&bytes), (3, vec![0, 1, 2]));
    }

    #[test]
    #[should_panic(expected = "a torn frame")]
    fn a_line_without_its_beginning_is_torn() {
        numbers(&lines(3, 2)[1..]);
    }

    #[test]
    #[should_panic(expected = "do not follow each other: Some([1, 3])")]
    fn a_line_left_out_shows() {
        assert_each_follows(&[0, 1, 3]);
    }

    #[test]
    #[should_panic(expected = "not in order: Some([2, 2])")]
    fn a_line_said_twice_shows() {
        assert_rises(&[0, 2, 2]);
    }
}
