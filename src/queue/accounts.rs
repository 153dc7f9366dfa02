//! What each of many was served lately, so that the next turn goes to who had least.
//!
//! This is deficit round robin with numbered rounds. A turn's worth is one unit a round; who spends
//! more is in debt and skips as many rounds. Instead of being passed over in each of them, it is put
//! into the round by which its debt is paid, so that no look at it is in vain.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// The accounts of many.
#[derive(Debug)]
pub(super) struct Accounts<K> {
    /// The round that is being served.
    round: u64,
    /// Those who had more than the round so far gives, and the round in which their next turn comes.
    debtors: HashMap<K, u64>,
    /// The same, in the order in which their debts are paid.
    paid: BTreeSet<(u64, K)>,
}

// Not derived: that would ask for a default of `K`.
impl<K> Default for Accounts<K> {
    fn default() -> Self {
        Self { round: 0, debtors: HashMap::new(), paid: BTreeSet::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord> Accounts<K> {
    /// The round in which a turn comes for `who`, if it asks now.
    pub(super) fn turn(&self, who: &K) -> u64 {
        self.owed(who).max(self.round)
    }

    /// The round by which the debt of `who` is paid; long past for those who have none.
    pub(super) fn owed(&self, who: &K) -> u64 {
        self.debtors.get(who).copied().unwrap_or(0)
    }

    /// `who` was served `units`.
    pub(super) fn charge(&mut self, who: &K, units: u64) {
        let turn = self.debtors.entry(who.clone()).or_insert(self.round);
        self.paid.remove(&(*turn, who.clone()));
        *turn += units;
        self.paid.insert((*turn, who.clone()));
    }

    /// A turn of this round is being taken: those whose debts are paid by now start afresh.
    pub(super) fn reach(&mut self, round: u64) {
        self.round = self.round.max(round);
        while let Some((paid, _)) = self.paid.first()
            && *paid <= self.round
        {
            let paid = self.paid.pop_first();
            self.debtors.remove(&paid.expect("it was just seen").1);
        }
    }

    /// Nobody competes any more, so nobody owes anybody a turn.
    pub(super) fn forget(&mut self) {
        self.debtors.clear();
        self.paid.clear();
    }
}
