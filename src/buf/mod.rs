//! Byte buffers between sockets and codecs: [`Input`], [`Output`] and the [`Blocks`] that they borrow.
//!
//! Responsible for: where bytes wait. Not responsible for: reading sockets (`transport`) or meaning (`codec`).
//!
//! Know first: both kinds own *no* memory while they are empty. They take blocks from their loop's pool when
//! bytes arrive and give them back when the bytes are gone, so ten thousand idle connections hold ten thousand
//! small structs and nothing else. An `Input` grows beyond one block only while a head is incomplete, up to the
//! codec's limit; an `Output` says by [`Output::room`] when its writer should stop.

mod blocks;
mod input;
mod output;

pub use blocks::{BLOCK_SIZE, Blocks};
pub use input::Input;
pub use output::{HIGH_WATER, Outlet, Output, SLICES_MAX};
