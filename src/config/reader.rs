//! Reads keys by type, and remembers which were asked for and what was wrong.
//!
//! Which keys there are is said once, by reading them: a key that was written and never read is
//! unknown. After a fault the reader hands out a stand-in and goes on; what was read with faults is
//! thrown away in the end.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use super::Fault;
use super::raw::{Origin, Raw, Written, variable_of};

/// A known key this near to what was written is worth proposing.
const NEAR: f64 = 0.6;

pub(super) struct Reader {
    pub(super) raw: Raw,
    /// Every key that was asked for.
    known: BTreeSet<&'static str>,
}

impl Reader {
    pub(super) fn new(raw: Raw) -> Self {
        Self { raw, known: BTreeSet::new() }
    }

    pub(super) fn tell_unknown_keys(&mut self) {
        let mut faults = Vec::new();
        for (key, (written, origin)) in &self.raw.values {
            let section = format!("{key}.");
            let is_section = self.known.iter().any(|known| known.starts_with(&section));
            if self.known.contains(key.as_str()) || is_section && matches!(written, Written::Empty)
            {
                continue;
            }
            let as_written = |key: &str| match origin {
                Origin::Variable(_) => variable_of(key),
                _ => key.to_owned(),
            };
            let nearest = match written {
                Written::Empty => nearest(key, self.known.iter().map(|known| section_of(known))),
                _ => nearest(key, self.known.iter().copied()),
            };
            let rule = match nearest {
                _ if is_section => format!("is a section: write its settings under [{key}]"),
                Some(nearest) => {
                    format!("is not a setting; did you mean `{}`?", as_written(nearest))
                }
                None => "is not a setting; config/default.toml has all there are".to_owned(),
            };
            faults.push(Fault { key: as_written(key), origin: origin.clone(), rule });
        }
        self.raw.faults.append(&mut faults);
    }

    /// Tells what is wrong with a key; the first word on each is enough.
    pub(super) fn fault(&mut self, key: &'static str, rule: impl Into<String>) {
        if self.raw.faults.iter().any(|fault| fault.key == key) {
            return;
        }
        let origin = self.raw.values.get(key).map_or(Origin::Default, |(_, origin)| origin.clone());
        self.raw.faults.push(Fault { key: key.to_owned(), origin, rule: rule.into() });
    }

    pub(super) fn written(&mut self, key: &'static str) -> Written {
        self.known.insert(key);
        let value = self.raw.values.get(key).map(|(written, _)| written.clone());
        value.unwrap_or(Written::Other)
    }

    pub(super) fn text(&mut self, key: &'static str) -> String {
        match self.written(key) {
            Written::Text(text) | Written::Untyped(text) => text,
            _ => {
                self.fault(key, "must be text, in quotes");
                String::new()
            }
        }
    }

    /// Text; empty means none.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<String> {
        Some(self.text(key)).filter(|text| !text.is_empty())
    }

    pub(super) fn path(&mut self, key: &'static str) -> PathBuf {
        let path = self.text(key);
        if path.is_empty() {
            self.fault(key, "must be a path");
        }
        path.into()
    }

    pub(super) fn flag(&mut self, key: &'static str) -> bool {
        match self.written(key) {
            Written::Flag(flag) => return flag,
            Written::Untyped(text) => {
                if let Ok(flag) = text.parse() {
                    return flag;
                }
            }
            _ => {}
        }
        self.fault(key, "must be true or false");
        false
    }

    pub(super) fn whole(&mut self, key: &'static str, range: RangeInclusive<u64>) -> u64 {
        let number = match self.written(key) {
            Written::Whole(number) => u64::try_from(number).ok(),
            Written::Untyped(text) => text.parse().ok(),
            _ => None,
        };
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            self.fault(
                key,
                format!("must be a whole number from {} to {}", range.start(), range.end()),
            );
            *range.start()
        })
    }

    pub(super) fn seconds(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Duration {
        Duration::from_secs(self.whole(key, range))
    }

    pub(super) fn hours(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Duration {
        const SECONDS_PER_HOUR: u64 = 3_600;
        Duration::from_secs(self.whole(key, range) * SECONDS_PER_HOUR)
    }

    pub(super) fn days(&mut self, key: &'static str, range: RangeInclusive<u64>) -> Duration {
        const SECONDS_PER_DAY: u64 = 86_400;
        Duration::from_secs(self.whole(key, range) * SECONDS_PER_DAY)
    }

    pub(super) fn size(&mut self, key: &'static str, range: RangeInclusive<u64>) -> usize {
        usize::try_from(self.whole(key, range)).expect("all ranges fit 32 bits")
    }

    pub(super) fn count(&mut self, key: &'static str, most: u32) -> NonZeroU32 {
        let number = u32::try_from(self.whole(key, 1..=u64::from(most)));
        number.ok().and_then(NonZeroU32::new).expect("it lies between 1 and a u32")
    }

    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&'static str, T)],
    ) -> T {
        let written = self.written(key);
        if let Written::Text(text) | Written::Untyped(text) = written
            && let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text)
        {
            return *choice;
        }
        let names: Vec<String> = choices.iter().map(|(name, _)| format!("`{name}`")).collect();
        self.fault(key, format!("must be one of {}", names.join(", ")));
        choices.first().expect("a choice has choices").1
    }
}

/// The one of `names` that looks most like `written`, as a whole or without its section.
fn nearest(written: &str, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let nearness = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or(name);
        strsim::normalized_damerau_levenshtein(written, name)
            .max(strsim::normalized_damerau_levenshtein(written, last))
    };
    names
        .map(|name| (nearness(name), name))
        .filter(|(nearness, _)| *nearness >= NEAR)
        .max_by(|(one, _), (other, _)| one.total_cmp(other))
        .map(|(_, name)| name)
}

fn section_of(key: &'static str) -> &'static str {
    key.split('.').next().unwrap_or(key)
}
