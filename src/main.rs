//! `tine`, the server.
//!
//! Everything is in the library: this file gives it the command line and takes the exit code from it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = tine::cli::run(std::env::args_os());
    // A code that no process can end with is a failure, whatever it meant.
    u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)
}
