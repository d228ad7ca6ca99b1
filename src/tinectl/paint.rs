//! Colours on a terminal. They only repeat what a word or letter says.

use std::fmt::{self, Display};

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Style {
    #[default]
    Plain,
    Bold,
    Dim,
    Good,
    Warn,
    Bad,
    Note,
}

impl Style {
    /// The parameters of the terminal's SGR sequence.
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "1;31",
            Self::Note => "36",
        }
    }
}

/// Whether to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paint {
    pub(crate) is_on: bool,
}

impl Paint {
    /// `text` in a style, for `write!`.
    pub(crate) fn show<T: Display>(self, style: Style, text: T) -> Painted<T> {
        let style = if self.is_on { style } else { Style::Plain };
        Painted { style, text }
    }
}

pub(crate) struct Painted<T> {
    style: Style,
    text: T,
}

impl<T: Display> Display for Painted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.style == Style::Plain {
            return self.text.fmt(f);
        }
        write!(f, "\x1b[{}m{}\x1b[0m", self.style.code(), self.text)
    }
}

/// The style of a scoreboard letter.
pub(crate) const fn of_letter(letter: char) -> Style {
    match letter {
        'W' => Style::Good,
        'R' | 'L' | 'D' | 'C' => Style::Note,
        'K' => Style::Bold,
        'G' | 'I' | 'S' => Style::Warn,
        '?' => Style::Bad,
        '.' => Style::Dim,
        _ => Style::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequences_unless_wanted() {
        assert_eq!(
            Paint { is_on: false }.show(Style::Bad, "Err").to_string(),
            "Err"
        );
        let painted = Paint { is_on: true }.show(Style::Bad, "Err").to_string();
        assert_eq!(painted, "\x1b[1;31mErr\x1b[0m");
        assert_eq!(
            Paint { is_on: true }.show(Style::Plain, "Ok").to_string(),
            "Ok"
        );
    }
}
