//! calbridge stands between applications and Google Calendar: what it accepts becomes exactly one
//! event, with its Meet link, through crashes, lost answers, quota walls and dead grants.
//!
//! Each module is a room with one concern; arrows point down. `docs/architecture.md` draws them,
//! and `tests/it/rooms.rs` holds the code to them.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod google;
pub mod http;
pub mod jobs;
pub mod limits;
pub mod mail;
pub mod model;
pub mod queue;
pub mod random;
pub mod shutdown;
pub mod simulator;
pub mod store;
pub mod telemetry;
pub mod vault;

/// Faster than the system's for a store that makes and drops pages all day, and gives back what it
/// no longer needs.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
