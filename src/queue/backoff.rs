//! How long to wait before trying again.

use chrono::TimeDelta;

use crate::random::Random;

/// Never wait longer than this for something that is nobody's fault: the ceiling that Google's page
/// "Manage quotas" gives for its truncated exponential backoff (32 or 64 seconds).
pub const PATIENCE: TimeDelta = TimeDelta::seconds(64);

/// Never wait longer than this after a failure that nobody can explain: 25 attempts then take about
/// three days.
pub const UNEXPLAINED: TimeDelta = TimeDelta::hours(8);

/// The wait after `tries` runs in a row came to nothing: it doubles from one second up to
/// `ceiling`, and the second half of it is left to chance, so that many who failed together do not
/// come back together.
pub fn delay(tries: u32, ceiling: TimeDelta, random: &dyn Random) -> TimeDelta {
    let doubled = TimeDelta::milliseconds(1_000_i64 << tries.min(30));
    let whole = doubled.min(ceiling).num_milliseconds();
    let chance = random.below(whole.unsigned_abs() / 2 + 1);
    TimeDelta::milliseconds(whole - i64::try_from(chance).expect("half of an i64 fits"))
}
