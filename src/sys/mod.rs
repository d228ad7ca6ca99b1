//! What only the operating system can do.
