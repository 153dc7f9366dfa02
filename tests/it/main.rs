//! Every test of calbridge, in one binary.
