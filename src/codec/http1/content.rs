//! Decoding content: by length, in chunks (RFC 9112 §7.1), or until the connection closes.
//!
//! ```text
//! chunk:   Size ──► [Padding] ──► [Extension] ──► SizeLf ──► Data ──► DataCr ──► DataLf ──► Size
//!                                       (size 0)  SizeLf ──► Trailers ──► End
//! ```
//!
//! Everything but trailers is consumed as it arrives, so content needs no buffer beyond what was read.

use super::lines::{Lines, Strictness};
use super::scan::{Scan, Section};
use crate::buf::Input;
use crate::codec::{CodecError, Limits};
use crate::http::Fields;
use crate::http::framing::{Body, may_trail};

/// Chunk extensions mean nothing to us. All of one message together may have this many bytes, so that content of
/// one byte per chunk can't make us read megabytes (CVE-2023-39326 in another server).
const EXTENSIONS_MAX: u16 = 16 * 1024;

/// A size needs 16 digits at most; a few zeros in front are tolerated.
const SIZE_DIGITS_MAX: u8 = 20;

/// Some old servers pad their sizes with white space, and httpd takes so much of it.
const PADDING_MAX: u8 = 10;

/// What is still to come of a message's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// So many bytes.
    Length(u64),
    /// Chunks; and how many bytes of extensions there have been.
    Chunked {
        chunk: Chunk,
        extensions: u16,
        lines: Strictness,
    },
    /// The trailer section after the last chunk.
    Trailers(Strictness),
    /// Whatever arrives.
    UntilClose,
}

/// Where in a chunk we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    Size { size: u64, digits: u8 },
    Padding { size: u64, count: u8 },
    Extension { size: u64, quote: Quote },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
}

/// What the next piece of content is.
#[derive(Debug)]
pub(super) enum Step {
    /// More bytes are needed.
    Wait,
    /// So many bytes at the front of the input are content.
    Data(usize),
    /// The trailer fields, at least one.
    Trailers(Fields),
    /// There is no more.
    End,
}

/// Where in a chunk extension's quoted string we are. A line end inside one is an end to some readers only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quote {
    Outside,
    Inside,
    Escaped,
}

const FIRST: Chunk = Chunk::Size { size: 0, digits: 0 };

impl Content {
    /// `lines` is how strict to be about the lines around chunks.
    pub(super) const fn new(body: Body, lines: Strictness) -> Self {
        match body {
            Body::None => Self::Length(0),
            Body::Length(n) => Self::Length(n),
            Body::Chunked => Self::Chunked {
                chunk: FIRST,
                extensions: 0,
                lines,
            },
            Body::UntilClose | Body::Tunnel => Self::UntilClose,
        }
    }

    /// Advances as far as the input allows. `Data` bytes are left for the caller to take.
    pub(super) fn step(
        &mut self,
        input: &mut Input,
        scan: &mut Scan,
        limits: &Limits,
        is_eof: bool,
    ) -> Result<Step, CodecError> {
        let step = match self {
            Self::Length(0) => Step::End,
            Self::Length(left) => portion(left, input),
            Self::UntilClose if input.is_empty() && is_eof => Step::End,
            Self::UntilClose if input.is_empty() => Step::Wait,
            Self::UntilClose => Step::Data(input.len()),
            Self::Chunked {
                chunk,
                extensions,
                lines,
            } => match next_data(chunk, extensions, *lines, input)? {
                Some(step) => step,
                None => {
                    let lines = *lines;
                    *self = Self::Trailers(lines);
                    *scan = Scan::trailers();
                    self.trailers(lines, input, scan, limits)?
                }
            },
            Self::Trailers(lines) => {
                let lines = *lines;
                self.trailers(lines, input, scan, limits)?
            }
        };
        match step {
            Step::Wait if is_eof => Err(CodecError::truncated(
                "connection closed in the middle of content",
            )),
            Step::Wait | Step::Data(_) | Step::Trailers(_) | Step::End => Ok(step),
        }
    }

    /// Reads the trailer section, once it is complete.
    fn trailers(
        &mut self,
        lines: Strictness,
        input: &mut Input,
        scan: &mut Scan,
        limits: &Limits,
    ) -> Result<Step, CodecError> {
        let Some(end) = scan.advance(input.bytes(), limits, Section::Trailers)? else {
            return Ok(Step::Wait);
        };
        let section = input.bytes().get(..end).unwrap_or_default();
        let mut fields = Fields::new();
        Lines::new(section, lines).fields(&mut fields)?;
        fields.retain(|id, name, _| may_trail(id, name));
        input.consume(end);
        *self = Self::Length(0);
        Ok(if fields.is_empty() {
            Step::End
        } else {
            Step::Trailers(fields)
        })
    }
}

/// As much of `left` as has arrived; the rest stays in `left`.
fn portion(left: &mut u64, input: &Input) -> Step {
    let arrived = u64::try_from(input.len()).unwrap_or(u64::MAX);
    if arrived == 0 {
        return Step::Wait;
    }
    let n = arrived.min(*left);
    *left -= n;
    // `n` is at most `input.len()`, a usize.
    Step::Data(usize::try_from(n).unwrap_or_default())
}

/// The next content of chunks, or `None` after the last chunk.
fn next_data(
    chunk: &mut Chunk,
    extensions: &mut u16,
    lines: Strictness,
    input: &mut Input,
) -> Result<Option<Step>, CodecError> {
    loop {
        if let Chunk::Data { left } = chunk {
            let step = portion(left, input);
            if *left == 0 {
                *chunk = Chunk::DataCr;
            }
            return Ok(Some(step));
        }
        let mut used = 0;
        let mut is_last = false;
        for &b in input.bytes() {
            used += 1;
            if let Chunk::Extension { .. } = chunk {
                *extensions += 1;
                if *extensions > EXTENSIONS_MAX {
                    return Err(CodecError::malformed("chunk extensions are too long"));
                }
            }
            *chunk = match lines {
                Strictness::Unsafe if b == b'\n' => chunk.after_bare_lf()?,
                Strictness::Strict | Strictness::Lenient | Strictness::Unsafe => chunk.after(b)?,
            };
            is_last = *chunk == Chunk::Data { left: 0 };
            if let Chunk::Data { .. } = chunk {
                break;
            }
        }
        input.consume(used);
        if is_last {
            return Ok(None);
        }
        if input.is_empty() {
            return Ok(Some(Step::Wait));
        }
    }
}

impl Chunk {
    /// The state after a LF where a bare one may end a line: behind a size and behind chunk data. Not behind an
    /// extension, where some readers take it for a part of the text and find another chunk than we do.
    const fn after_bare_lf(self) -> Result<Self, CodecError> {
        match self {
            Self::Size { size, digits: 1.. } | Self::Padding { size, .. } => {
                Ok(Self::Data { left: size })
            }
            Self::DataCr => Ok(FIRST),
            Self::Size { .. }
            | Self::Extension { .. }
            | Self::SizeLf { .. }
            | Self::Data { .. }
            | Self::DataLf => self.after(b'\n'),
        }
    }

    /// The state after one byte outside chunk data. `Data { left: 0 }` stands for the last chunk.
    const fn after(self, b: u8) -> Result<Self, CodecError> {
        match (self, b) {
            (Self::Size { digits: 0, .. }, b) if !b.is_ascii_hexdigit() => Err(
                CodecError::malformed("chunk size does not begin with a hexadecimal digit"),
            ),
            (Self::Size { size, digits }, b) => match digit(b) {
                Some(_) if size > u64::MAX >> 4 || digits >= SIZE_DIGITS_MAX => {
                    Err(CodecError::malformed("chunk size is too large"))
                }
                Some(n) => Ok(Self::Size {
                    size: (size << 4) | n,
                    digits: digits + 1,
                }),
                None => after_size(size, b),
            },
            (Self::Padding { count, .. }, b' ' | b'\t') if count >= PADDING_MAX => Err(
                CodecError::malformed("too much white space behind a chunk size"),
            ),
            (Self::Padding { size, count }, b' ' | b'\t') => Ok(Self::Padding {
                size,
                count: count + 1,
            }),
            (Self::Padding { size, .. }, b) => after_size(size, b),
            (
                Self::Extension {
                    size,
                    quote: Quote::Outside,
                },
                b'\r',
            ) => Ok(Self::SizeLf { size }),
            (Self::Extension { .. }, b'\r') => Err(CodecError::malformed(
                "line end in a quoted chunk extension",
            )),
            (Self::Extension { size, quote }, b'\t' | b' '..=b'~' | 0x80..) => {
                let quote = quote.after(b);
                Ok(Self::Extension { size, quote })
            }
            (Self::Extension { .. }, _) => {
                Err(CodecError::malformed("bad character in a chunk extension"))
            }
            (Self::SizeLf { size }, b'\n') => Ok(Self::Data { left: size }),
            (Self::DataCr, b'\r') => Ok(Self::DataLf),
            (Self::DataLf, b'\n') => Ok(FIRST),
            (Self::SizeLf { .. }, _) => Err(CodecError::malformed("bad end of a chunk size line")),
            (Self::DataCr | Self::DataLf, _) => {
                Err(CodecError::malformed("chunk data does not end with CRLF"))
            }
            (Self::Data { .. }, _) => Ok(self),
        }
    }
}

impl Quote {
    /// The state after one byte (RFC 9110 §5.6.4).
    const fn after(self, b: u8) -> Self {
        match (self, b) {
            (Self::Outside, b'"') | (Self::Escaped, _) => Self::Inside,
            (Self::Inside, b'"') | (Self::Outside, _) => Self::Outside,
            (Self::Inside, b'\\') => Self::Escaped,
            (Self::Inside, _) => Self::Inside,
        }
    }
}

/// What may follow the digits of a size: the line's end, an extension, or white space before either. Anything else
/// behind white space could be a second size to another reader.
const fn after_size(size: u64, b: u8) -> Result<Chunk, CodecError> {
    match b {
        b'\r' => Ok(Chunk::SizeLf { size }),
        b';' => Ok(Chunk::Extension {
            size,
            quote: Quote::Outside,
        }),
        b' ' | b'\t' => Ok(Chunk::Padding { size, count: 1 }),
        _ => Err(CodecError::malformed("bad character in a chunk size")),
    }
}

/// The value of a hexadecimal digit.
const fn digit(b: u8) -> Option<u64> {
    match b {
        b'0'..=b'9' => Some((b - b'0') as u64),
        b'a'..=b'f' => Some((b - b'a' + 10) as u64),
        b'A'..=b'F' => Some((b - b'A' + 10) as u64),
        _ => None,
    }
}
