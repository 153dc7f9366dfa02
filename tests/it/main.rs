//! Every test of calbridge, in one binary.

mod bridge;
mod classic;
mod config;
mod delivery;
mod disk;
mod google;
mod kill;
mod operations;
mod packaging;
mod process;
mod queue;
mod rooms;
mod secrets;
mod setup;
mod shutdown;
mod simulator;
mod store;
mod telemetry;
mod vault;
mod when;
