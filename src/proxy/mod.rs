//! x
mod canonical;
mod map;
mod ourselves;
mod outgoing;
mod template;
