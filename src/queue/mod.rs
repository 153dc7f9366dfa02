//! The engine of background work: picks due jobs fairly, runs them, and writes down how each ended.
//!
//! Knows jobs, lanes and leases, and nothing of Google. A job runs at least once, so every kind in
//! `jobs/` makes a second run harmless. Order is kept for each thing, which has one live job, and
//! nowhere else.

mod accounts;
pub mod backoff;
mod books;
pub mod dispatcher;
mod door;
mod gates;
pub mod periodic;
mod waiting;
pub mod worker;

pub use gates::{Gates, Open};
pub use worker::{Limits, Run, Worker};
