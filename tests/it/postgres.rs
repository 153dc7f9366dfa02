//! Several processes on one database, and a database that comes and goes.

pub mod server;
