//! Every test of calbridge, in one binary.

mod packaging;
mod rooms;
mod simulator;
mod google;
mod vault;
