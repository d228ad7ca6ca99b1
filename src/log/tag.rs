//! The tag that makes a message findable whatever its wording becomes.
//!
//! A tag is written as a literal where its message is, once in the whole program. `AH` numbers are httpd's and
//! mean what they mean there, so that what operators grep for is found; `TN` numbers are ours.

use std::fmt;

/// The tag of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Tag {
    /// No tag: traces, and the texts of 2.2, which had none.
    #[default]
    None,
    /// A message of tine's own, printed `TN0142: `.
    Tn(u16),
    /// A message that httpd has as well, printed `AH00957: `.
    Ah(u32),
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => Ok(()),
            Self::Tn(number) => write!(f, "TN{number:04}: "),
            Self::Ah(number) => write!(f, "AH{number:05}: "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_padded_to_the_width_operators_know() {
        assert_eq!(Tag::Tn(142).to_string(), "TN0142: ");
        assert_eq!(Tag::Ah(957).to_string(), "AH00957: ");
        assert_eq!(Tag::None.to_string(), "");
    }
}
