//! A colour for each name, the same on all screens.
//!
//! The colours are those of xterm's cube that can be read on black and on white: the contrast with both is at least 3,
//! as WCAG counts it.

use crate::Name;

/// Of xterm's 256.
const PALETTE: [u8; 14] = [26, 29, 32, 64, 66, 97, 100, 130, 133, 161, 166, 167, 169, 62];

/// The escape that ends a colour.
pub(super) const PLAIN: &str = "\x1b[0m";

/// The escape for what is beside the words: times, marks, announcements.
pub(super) const FAINT: &str = "\x1b[2m";

/// The escape for a warning: the terminal's own red.
pub(super) const ALARMED: &str = "\x1b[31m";

/// The escape that begins the colour of this name.
pub(super) fn of(name: &Name) -> String {
    format!("\x1b[38;5;{}m", colour(name))
}

/// FNV-1a of what all names like this one share: the same in each process, whatever its version.
fn colour(name: &Name) -> u8 {
    let hash = name.likeness().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    PALETTE[((hash >> 32) % PALETTE.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(colour: u8) -> f64 {
        let steps = [0.0, 95.0, 135.0, 175.0, 215.0, 255.0];
        let cube = usize::from(colour - 16);
        let linear = |step: usize| {
            let part: f64 = steps[step] / 255.0;
            if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(cube / 36) + 0.7152 * linear(cube / 6 % 6) + 0.0722 * linear(cube % 6)
    }

    #[test]
    fn colours_can_be_read_on_black_and_on_white() {
        for colour in PALETTE {
            let light = luminance(colour) + 0.05;
            assert!(light / 0.05 >= 3.0 && 1.05 / light >= 3.0, "{colour}: {light}");
        }
    }

    #[test]
    fn a_name_has_one_colour_whatever_its_case() {
        let name = |name: &str| Name::new(name).unwrap();

        assert_eq!(of(&name("Ann")), of(&name("ann")));
        let all: std::collections::BTreeSet<_> = (0..100).map(|n| of(&name(&n.to_string()))).collect();
        assert_eq!(all.len(), PALETTE.len());
    }
}
