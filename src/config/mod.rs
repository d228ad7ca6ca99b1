//! The configuration: httpd's language in, plain data out.
pub mod diagnostic;
pub mod model;
pub mod setting;
pub mod source;

pub use diagnostic::{Diagnostic, Severity};
pub use model::Config;
pub use setting::{Merge, Setting};
pub use source::Place;
