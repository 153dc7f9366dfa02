//! Prints what a bench measured, and holds it to the floors of `docs/decisions/0014-speed-floors.md`.

use std::process::ExitCode;

/// One figure: a ratio that may not fall below its floor.
pub struct Row {
    /// What was measured.
    pub name: String,
    /// What it came to, in words.
    pub told: String,
    /// The ratio to the limit.
    pub ratio: f64,
    /// What it must reach with `--check`.
    pub floor: f64,
    /// What it should reach.
    pub aim: f64,
}

/// A row of something that must stay below a bound: the ratio is that of bound to figure.
pub fn bounded(name: String, told: &str, figure: f64, bound: f64) -> Row {
    let told = format!("{told}: {figure:.2} of at most {bound:.2}");
    Row { name, told, ratio: bound / figure, floor: 1.0, aim: 1.0 }
}

/// The value in the middle.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Prints the rows. Says that the bench failed if it was told to check and one is below its floor.
pub fn show(rows: &[Row]) -> ExitCode {
    println!("| what | measured | to the limit | floor | aim |");
    println!("|---|---|---|---|---|");
    for Row { name, told, ratio, floor, aim } in rows {
        println!("| {name} | {told} | {ratio:.3} | {floor} | {aim} |");
    }
    let low: Vec<_> = rows.iter().filter(|row| row.ratio < row.floor).collect();
    for row in &low {
        eprintln!("{} is at {:.3}, below its floor of {}", row.name, row.ratio, row.floor);
    }
    let check = std::env::args().any(|argument| argument == "--check");
    if check && !low.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
