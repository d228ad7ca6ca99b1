//! tinectl.
fn main() {}
