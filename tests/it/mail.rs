//! Mail, against a real server that takes it.

mod deliveries;
mod digests;
mod kills;
mod letters;
mod login;
mod postbox;
mod settings;
mod trying;

pub use postbox::Postbox;
