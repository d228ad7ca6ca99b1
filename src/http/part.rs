//! What flows through tine: the parts of a message (RFC 9110 §6).

use super::{Fields, Message};

/// One part of a message. Parts of a message come in this order: any number of `Interim` (responses only), one
/// `Head`, any number of `Data`, at most one `Trailers`, one `End`. `Note`s may come anywhere before `End`.
pub enum Part<'a, M: Message> {
    /// The head of an interim (1xx) response.
    Interim(Box<M::Head>),
    /// The head of the message.
    Head(Box<M::Head>),
    /// Some content; never empty.
    Data(&'a [u8]),
    /// The trailer section.
    Trailers(Fields),
    /// The message is complete.
    End,
    /// Words beside the message, such as FastCGI's stderr: escape and log them, never forward them.
    Note(&'a [u8]),
}

impl<M: Message> std::fmt::Debug for Part<'_, M>
where
    M::Head: std::fmt::Debug,
{
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Interim(head) => f.debug_tuple("Interim").field(head).finish(),
            Self::Head(head) => f.debug_tuple("Head").field(head).finish(),
            Self::Data(bytes) => f
                .debug_tuple("Data")
                .field(&String::from_utf8_lossy(bytes))
                .finish(),
            Self::Trailers(fields) => f.debug_tuple("Trailers").field(fields).finish(),
            Self::End => f.write_str("End"),
            Self::Note(bytes) => f
                .debug_tuple("Note")
                .field(&String::from_utf8_lossy(bytes))
                .finish(),
        }
    }
}
