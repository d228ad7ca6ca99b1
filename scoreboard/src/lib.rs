//! The scoreboard.
