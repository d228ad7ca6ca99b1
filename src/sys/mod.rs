//! What only the operating system can do.
//!
//! Responsible for: processes, privileges, signals, socket options, the exclusive listener registration, the blocking name look-up on its
//! own thread, the clock, and the words of systemd. Each call here either cannot wait or says that it does.
//! Not responsible for: any policy. When to fork, whom to signal and what to say about it is `mpm`'s, what to do with a socket is
//! `transport`'s and `engine`'s.
//!
//! Know first: with the crate `scoreboard` this is the only place with `unsafe`: every block holds one operation and says why it is
//! sound. Threads start after fork and children never fork; [`process::fork`] refuses in a process that has threads.

pub mod clock;
pub mod control;
pub mod cpu;
pub mod exclusive;
pub mod files;
pub mod notify;
pub mod privileges;
pub mod process;
pub mod regular;
pub mod resolver;
pub mod signals;
pub mod socket;
