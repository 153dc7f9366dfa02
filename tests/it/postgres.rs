//! Several processes on one database, and a database that comes and goes.
#![expect(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

mod backup;
mod bridge;
mod commits;
mod mail;
mod migration;
mod nodes;
mod processes;
mod quota;
mod rivals;
pub mod server;
mod word;
