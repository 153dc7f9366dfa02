//! calbridge.
fn main() {}
