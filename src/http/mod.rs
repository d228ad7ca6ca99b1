//! The words of RFC 9110: methods, status codes, targets, fields, heads, parts.
//!
//! Responsible for: holding a message in memory the way every other room sees it, whatever protocol it came
//! from. Not responsible for: bytes on a wire (`codec`), deciding anything (`request`, `proxy`), or any IO.
//!
//! Know first: heads are *recycled*. A head owns one byte buffer and a list of line positions in it, is cleared
//! and filled again for the next message, and so costs no allocation on a warm connection. Field names keep the
//! case they came in, because httpd forwards them so.
//!
//! Reading order: [`fields`], [`head`], [`part`], [`framing`], then the small ones.

pub mod cookie;
pub mod date;
pub mod fields;
pub mod framing;
pub mod head;
pub mod hop;
pub mod host;
pub mod method;
pub mod part;
pub mod status;
pub mod target;
pub mod uri;
pub mod version;
pub mod warning;

pub use fields::{FieldId, FieldSet, Fields};
pub use head::{ContentSize, Message, Request, RequestHead, Response, ResponseHead};
pub use method::Method;
pub use part::Part;
pub use status::Status;
pub use target::{Form, Target};
pub use version::Version;
