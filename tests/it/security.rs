//! The threats of `docs/security.md`: that each names tests, and that these exist.

use std::path::Path;

const PAGE: &str = include_str!("../../docs/security.md");

#[test]
fn every_threat_names_tests_that_exist() {
    let rows: Vec<Vec<&str>> = PAGE
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| asset"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 20, "only {} threats are left of the table", rows.len());
    let mut faults = Vec::new();
    for row in rows {
        let [_, threat, _, tests] = row[..] else { panic!("not four columns: {row:?}") };
        let mut named = tests.split('`').skip(1).step_by(2).peekable();
        if named.peek().is_none() {
            faults.push(format!("no test for: {threat}"));
        }
        faults.extend(named.filter(|name| !exists(name)).map(|name| format!("no test {name}")));
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// Whether there is a test of that name, in its file or below.
fn exists(name: &str) -> bool {
    let (file, test) = name.split_once("::").expect("a file and a test");
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut sources = vec![place.join(format!("{file}.rs"))];
    if let Ok(below) = std::fs::read_dir(place.join(file)) {
        sources.extend(below.map(|entry| entry.expect("an entry").path()));
    }
    let declared = format!("fn {test}(");
    sources.iter().any(|source| {
        let source = std::fs::read_to_string(source).unwrap_or_default();
        let lines: Vec<&str> = source.lines().map(str::trim).collect();
        lines.iter().enumerate().any(|(at, line)| {
            let is_test =
                |line: &&&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            line.contains(&declared)
                && lines[at.saturating_sub(4)..at].iter().any(|line| is_test(&line))
        })
    })
}
