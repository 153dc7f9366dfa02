//! What a process used, as Linux counts it.

use std::fs;

/// Clock ticks of `/proc` in a second, on every Linux there is today.
const TICKS: f64 = 100.0;

/// Seconds of a processor that a process has used.
pub fn cpu_seconds(pid: u32) -> f64 {
    let told = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    // The name before may hold anything; the times are the 12th and 13th word behind it.
    let (_, behind) = told.rsplit_once(')').expect("a name in parentheses");
    let words: Vec<&str> = behind.split_whitespace().collect();
    let ticks = |at: usize| words[at].parse::<f64>().expect("a number");
    (ticks(11) + ticks(12)) / TICKS
}

/// Megabytes (of 1,000,000 bytes) that a process has in memory.
pub fn resident_mb(pid: u32) -> f64 {
    let told = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = told.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    let kib = line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number");
    kib * 1024.0 / 1e6
}
