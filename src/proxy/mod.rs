//! x
mod canonical;
mod map;
mod outgoing;
mod reverse;
mod template;
