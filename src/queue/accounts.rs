//! What each of many was served lately, so that the next turn goes to who had least.
//!
//! This is deficit round robin with numbered rounds. A turn's worth is one unit a round; who spends
//! more is in debt and skips as many rounds. Instead of being passed over in each of them, it is put
//! into the round by which its debt is paid, so that no look at it is in vain.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

/// The accounts of many, and inside each account those of its parts.
#[derive(Debug)]
pub(super) struct Accounts<K, V = ()> {
    /// The round that is being served.
    round: u64,
    /// Those who had more than the round so far gives.
    debtors: HashMap<K, Account<V>>,
    /// The same, in the order in which their debts are paid.
    paid: BTreeSet<(u64, K)>,
}

#[derive(Debug)]
struct Account<V> {
    /// The round in which the next turn comes.
    turn: u64,
    parts: V,
}

// Not derived: that would ask for defaults of `K` and `V`.
impl<K, V> Default for Accounts<K, V> {
    fn default() -> Self {
        Self { round: 0, debtors: HashMap::new(), paid: BTreeSet::new() }
    }
}

impl<K: Clone + Eq + Hash + Ord, V: Default> Accounts<K, V> {
    /// The round in which a turn comes for `who`, if it asks now.
    pub(super) fn turn(&self, who: &K) -> u64 {
        self.owed(who).max(self.round)
    }

    /// The round by which the debt of `who` is paid; long past for those who have none.
    pub(super) fn owed(&self, who: &K) -> u64 {
        self.debtors.get(who).map_or(0, |account| account.turn)
    }

    /// The accounts inside that of `who`, if it is in debt.
    pub(super) fn parts(&self, who: &K) -> Option<&V> {
        self.debtors.get(who).map(|account| &account.parts)
    }

    /// `who` was served `units`. Returns the accounts inside, to be charged too.
    pub(super) fn charge(&mut self, who: &K, units: u64) -> &mut V {
        let round = self.round;
        let account = self
            .debtors
            .entry(who.clone())
            .or_insert_with(|| Account { turn: round, parts: V::default() });
        self.paid.remove(&(account.turn, who.clone()));
        account.turn += units;
        self.paid.insert((account.turn, who.clone()));
        &mut account.parts
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
