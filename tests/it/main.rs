//! Every test of calbridge, in one binary.

mod bridge;
mod classic;
mod config;
mod delivery;
mod google;
mod packaging;
mod rooms;
mod setup;
mod simulator;
mod store;
mod vault;
mod shutdown;
mod telemetry;
mod when;
