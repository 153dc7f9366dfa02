//! Whose calls came too fast, when Google does not say.

use std::collections::VecDeque;
use std::time::Duration;

use crate::model::connection::AccountTag;

/// So many payers who are refused within a second are refused for the project's sake …
const MANY: usize = 3;
const TOGETHER: Duration = Duration::from_secs(1);
/// … and so is whoever is refused in the time after.
const AFTERMATH: Duration = Duration::from_secs(10);

/// Who is to slow down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// Who was refused.
    Payer,
    /// Everybody.
    Project,
}

/// Who was refused lately, and for whose sake.
#[derive(Debug, Default)]
pub(super) struct Lately {
    refused: VecDeque<(Duration, AccountTag)>,
    project_until: Duration,
}

impl Lately {
    /// `payer` was refused at `passed`.
    pub(super) fn blame(&mut self, payer: AccountTag, passed: Duration) -> Blame {
        while self.refused.front().is_some_and(|(when, _)| *when + TOGETHER <= passed) {
            self.refused.pop_front();
        }
        if self.refused.iter().all(|(_, refused)| *refused != payer) {
            self.refused.push_back((passed, payer));
        }
        if self.refused.len() >= MANY {
            self.project_until = passed + AFTERMATH;
        }
        if passed < self.project_until { Blame::Project } else { Blame::Payer }
    }
}
