//! The only room with sockets, a clock and a loop.
//!
//! Responsible for: accepting, dialling, moving parts, deadlines, closing books – in every shape the same code:
//! prefork is a loop with one connection, worker several such loops, event a few loops with many connections.
//! Not responsible for: which handlers or schemes exist (`request` shows it only the trait), what bytes mean
//! (`codec`), who is elected (`balancer`).
//!
//! Know first: [`core::Core`] is three slabs side by side (clients, backends, exchanges) and never waits. `event_loop`
//! feeds it events of real sockets, the simulation scripted ones.
//!
//! A request's way through this room: [`event_loop`] → [`core`] → [`work`] (the phases, step by step) → [`spool`] → [`dial`]
//! (and `idle`, where connections wait) → [`pump`] → `relay` (→ [`tunnel`]) → `close` → [`books`]; `fail` where something goes
//! wrong, `detour` where an error has a document. State: [`client`], [`backend`], [`exchange`]. Tools: [`slab`], [`timers`],
//! [`pool`], [`tally`], [`gear`].

mod asks;
pub mod backend;
pub mod books;
pub mod client;
mod close;
pub mod core;
mod detour;
pub mod dial;
pub mod event_loop;
pub mod exchange;
mod fail;
pub mod gear;
mod idle;
pub mod pool;
pub mod pump;
mod relay;
pub mod serve;
#[cfg(test)]
mod sim;
pub mod slab;
pub mod spool;
pub mod tally;
pub mod timers;
pub mod tunnel;
pub mod work;
