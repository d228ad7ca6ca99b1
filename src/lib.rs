//! tine.
<<<<<<< HEAD
pub mod buf;
pub mod codec;
pub mod http;
=======
pub mod config;
>>>>>>> conf
pub mod sys;
