//! Heads of requests and responses, independent of the protocol that carried them (RFC 9110 §6).

use super::{Fields, Method, Status, Target, Version};

/// How much content a message announces.
///
/// This is the neutral form of RFC 9112 §6.3. The decoder sets it from the framing fields; the encoder on the
/// other side writes its own framing from it. The framing fields themselves stay in `fields` for logs and are
/// skipped by every encoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ContentSize {
    /// No content and no announcement of any (a GET).
    #[default]
    None,
    /// Exactly so many bytes, maybe 0; for a response to HEAD or a 304 what *would* have been sent.
    Length(u64),
    /// Content that ends when its end is seen: chunked, or a response until the connection closes.
    Unknown,
}

/// The head of a request.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The target as received (or, outgoing, as it will be sent).
    pub target: Target,
    /// The version it came in; a codec writes its own.
    pub version: Version,
    /// The field lines, `Host` among them.
    pub fields: Fields,
    /// The announced content.
    pub content: ContentSize,
    /// The client wants an interim 100 before it sends content (RFC 9110 §10.1.1).
    pub expects_continue: bool,
    /// The sender allows (incoming) or wants (outgoing) another message on this connection.
    pub keep_alive: bool,
    /// The framing was legal but such as attacks have (both lengths): no connection that it touches is used again.
    pub is_dubious: bool,
}

/// The head of a response, interim or final.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// The status code.
    pub status: Status,
    /// The reason phrase, which may be empty.
    pub reason: Vec<u8>,
    /// The version it came in; a codec writes its own.
    pub version: Version,
    /// The field lines.
    pub fields: Fields,
    /// The announced content.
    pub content: ContentSize,
    /// The sender allows (incoming) or wants (outgoing) another message on this connection.
    pub keep_alive: bool,
    /// Lines that were no field lines and were passed over.
    pub skipped_lines: u16,
}

impl Default for ResponseHead {
    fn default() -> Self {
        Self {
            status: Status::OK,
            reason: Vec::new(),
            version: Version::Http11,
            fields: Fields::new(),
            content: ContentSize::None,
            keep_alive: true,
            skipped_lines: 0,
        }
    }
}

/// A head that can be emptied and filled again without giving up its allocations.
pub trait Recycle: Default {
    /// Back to the default, keeping buffers.
    fn recycle(&mut self);
}

impl Recycle for RequestHead {
    fn recycle(&mut self) {
        self.method = Method::Get;
        self.target.clear();
        self.version = Version::Http11;
        self.fields.clear();
        self.content = ContentSize::None;
        self.expects_continue = false;
        self.keep_alive = false;
        self.is_dubious = false;
    }
}

impl Recycle for ResponseHead {
    fn recycle(&mut self) {
        self.status = Status::OK;
        self.reason.clear();
        self.version = Version::Http11;
        self.fields.clear();
        self.content = ContentSize::None;
        self.keep_alive = true;
        self.skipped_lines = 0;
    }
}

impl ResponseHead {
    /// A head of ours: the status with its usual reason phrase.
    #[must_use]
    pub fn of(status: Status) -> Self {
        let mut head = Self::default();
        head.set_status(status);
        head
    }

    /// Takes a status with its usual reason phrase.
    pub fn set_status(&mut self, status: Status) {
        self.status = status;
        self.reason.clear();
        self.reason.extend_from_slice(status.reason().as_bytes());
    }
}

impl RequestHead {
    /// Makes this head a copy of `other`, reusing buffers.
    pub fn copy_from(&mut self, other: &Self) {
        self.method.clone_from(&other.method);
        self.target.clone_from(&other.target);
        self.version = other.version;
        self.fields.clone_from(&other.fields);
        self.content = other.content;
        self.expects_continue = other.expects_continue;
        self.keep_alive = other.keep_alive;
        self.is_dubious = other.is_dubious;
    }
}

/// Which of the two kinds of message; only the head's type differs.
pub trait Message {
    /// The type of its head.
    type Head: Recycle;
}

/// A request.
#[derive(Debug)]
pub enum Request {}

/// A response.
#[derive(Debug)]
pub enum Response {}

impl Message for Request {
    type Head = RequestHead;
}

impl Message for Response {
    type Head = ResponseHead;
}

/// Emptied heads waiting for their next message, at most a handful, so that a warm loop allocates none.
#[derive(Debug)]
pub struct Shelf<H> {
    spare: Vec<Box<H>>,
}

/// More than this many spare heads are given back to the allocator.
const SPARE_MAX: usize = 64;

impl<H: Recycle> Shelf<H> {
    /// An empty shelf.
    #[must_use]
    pub const fn new() -> Self {
        Self { spare: Vec::new() }
    }

    /// An empty head.
    pub fn take(&mut self) -> Box<H> {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes a head back for reuse.
    pub fn put(&mut self, mut head: Box<H>) {
        if self.spare.len() < SPARE_MAX {
            head.recycle();
            self.spare.push(head);
        }
    }
}

impl<H: Recycle> Default for Shelf<H> {
    fn default() -> Self {
        Self::new()
    }
}
