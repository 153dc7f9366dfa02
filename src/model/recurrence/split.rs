//! One series made into two, and series that move.

use std::collections::BTreeSet;

use chrono::{NaiveDateTime, TimeDelta};

use super::{Clock, End, Occurrence, Recurrence, Series};
use crate::model::invalid::Invalid;
use crate::model::timing::{Original, Timing};

/// A series cut in two.
#[derive(Clone, Debug)]
pub struct Split {
    /// What the old series is left with; none if the cut is at its first occurrence.
    pub before: Option<Recurrence>,
    /// The first occurrence of the new one …
    pub first: Occurrence,
    /// … and how that recurs. No instance of it stands apart.
    pub after: Recurrence,
}

impl Recurrence {
    /// The series that begins at `timing`, cut before the occurrence known by `at`.
    pub fn split(&self, timing: &Timing, at: Original) -> Result<Option<Split>, Invalid> {
        let Some(first) = self.occurrence(timing, at)? else { return Ok(None) };
        let mut before = Series::read(&self.lines, timing)?;
        let mut after = Series::read(&self.lines, &first.timing)?;
        let begins = before.starts()?.next();
        if let (Some(old), Some(new)) = (&mut before.rule, &mut after.rule) {
            let last = match at {
                Original::Moment(moment) => Original::Moment(moment - TimeDelta::seconds(1)),
                Original::Day(day) => Original::Day(day - TimeDelta::days(1)),
            };
            if let End::After(count) = old.end {
                let whole = Series::read(&self.lines, timing)?;
                let gone = whole.of_rule()?.take_while(|start| *start < at).count();
                new.end = End::After(count.saturating_sub(u32::try_from(gone).unwrap_or(count)));
            }
            old.end = End::At(last);
        }
        before.added.retain(|start| *start < at);
        before.left_out.retain(|start| *start < at);
        after.added.retain(|start| *start > at);
        // A series of single starts goes on to be one.
        for (series, start) in [(&mut before, begins), (&mut after, Some(at))] {
            if series.rule.is_none() && series.added.is_empty() {
                series.added.extend(start);
            }
        }
        after.left_out.retain(|start| *start >= at);
        let exceptions = self.exceptions.iter().copied().filter(|start| *start < at).collect();
        let before = Self { lines: before.lines(), exceptions };
        let after = Self { lines: after.lines(), exceptions: BTreeSet::new() };
        let before = (begins != Some(at)).then_some(before);
        Ok(Some(Split { before, first, after }))
    }

    /// The same series, once its first occurrence is moved `from` one timing `to` another: everything
    /// that it names moves by as much, as the clock on the wall shows it. No instance stands apart.
    pub fn moved(&self, from: &Timing, to: &Timing) -> Result<Self, Invalid> {
        let old = Series::read(&self.lines, from)?;
        let (clock, start) = Clock::of(to)?;
        let moved = |original: Original| old.moved(original, clock, start);
        let mut rule = old.rule.clone();
        if let Some(rule) = &mut rule
            && let End::At(last) = rule.end
        {
            rule.end = End::At(moved(last));
        }
        let series = Series {
            clock,
            timing: *to,
            start,
            rule,
            added: old.added.iter().copied().map(moved).collect(),
            left_out: old.left_out.iter().copied().map(moved).collect(),
        };
        Self::read(&series.lines(), to)
    }

    /// Where an occurrence comes to lie when the first is moved like this.
    pub fn moved_start(
        &self,
        original: Original,
        from: &Timing,
        to: &Timing,
    ) -> Result<Original, Invalid> {
        let (clock, start) = Clock::of(to)?;
        Ok(Series::read(&self.lines, from)?.moved(original, clock, start))
    }

    /// The same with one instance more that stands apart.
    #[must_use]
    pub fn with_exception(mut self, original: Original) -> Self {
        self.exceptions.insert(original);
        self
    }

    /// The same with these instances standing apart, and no others.
    #[must_use]
    pub fn with_exceptions(self, exceptions: BTreeSet<Original>) -> Self {
        Self { exceptions, ..self }
    }

    /// The same, leaving out these starts too.
    pub fn without(
        self,
        timing: &Timing,
        starts: impl IntoIterator<Item = Original>,
    ) -> Result<Self, Invalid> {
        let mut series = Series::read(&self.lines, timing)?;
        series.left_out.extend(starts);
        Ok(Self { lines: series.lines(), ..self })
    }
}

impl Series {
    /// A start as far from that of another series as it is from this one's.
    fn moved(&self, original: Original, clock: Clock, start: NaiveDateTime) -> Original {
        clock.original(self.clock.wall(original) + (start - self.start))
    }
}
