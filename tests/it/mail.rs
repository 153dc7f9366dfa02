//! Mail, against a real server that takes it.

mod letters;
mod login;
mod postbox;
mod settings;
mod trying;

pub use postbox::Postbox;
