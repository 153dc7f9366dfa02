//! Every test of calbridge, in one binary.

mod bridge;
mod browser;
mod classic;
mod config;
mod conformance;
mod delivery;
mod demo;
mod disk;
mod google;
mod kill;
mod operations;
mod packaging;
mod power;
mod process;
mod queue;
mod rooms;
mod rust_client;
mod secrets;
mod seed;
mod setup;
mod shutdown;
mod simulator;
mod store;
mod telemetry;
mod vault;
mod when;
