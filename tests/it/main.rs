//! Every test of calbridge, in one binary.

mod bridge;
mod classic;
mod delivery;
mod google;
mod packaging;
mod rooms;
mod simulator;
mod vault;
mod config;
mod when;
mod store;
