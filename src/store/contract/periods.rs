//! Promises about what recurs.

use chrono::{DateTime, TimeDelta, Utc};

use super::examples::{NOON, after};
use crate::store::{Store, Turn};

const MINUTE: TimeDelta = TimeDelta::minutes(1);

async fn turn(store: &dyn Store, now: DateTime<Utc>) -> Turn {
    store.take_turn("sweep", MINUTE, now).await.unwrap()
}

fn due(at: i64, missed: u64) -> Turn {
    Turn::Due { at: after(at), missed }
}

/// And the second is not, one period long.
pub async fn the_first_turn_is_due_at_once(store: &dyn Store) {
    assert_eq!(turn(store, after(7)).await, due(7, 0));
    for now in [7, 66] {
        assert_eq!(turn(store, after(now)).await, Turn::NotBefore(after(67)));
    }
    assert_eq!(turn(store, after(67)).await, due(67, 0));
}

/// However late one is taken: the grid stays, and what was missed is counted.
pub async fn turns_stay_on_their_grid(store: &dyn Store) {
    turn(store, NOON).await;
    for (now, at, missed) in [(89, 60, 0), (120, 120, 0), (479, 420, 4), (480, 480, 0)] {
        assert_eq!(turn(store, after(now)).await, due(at, missed));
        assert_eq!(turn(store, after(now)).await, Turn::NotBefore(after(at + 60)));
    }
}

/// At each moment, of however many callers.
pub async fn a_turn_is_taken_once(store: &dyn Store) {
    for now in [0, 60, 600] {
        let (one, other) = tokio::join!(turn(store, after(now)), turn(store, after(now)));
        let due = [one, other].into_iter().filter(|turn| matches!(turn, Turn::Due { .. }));
        assert_eq!(due.count(), 1);
    }
}

/// Each has its own grid.
pub async fn one_turn_leaves_the_others(store: &dyn Store) {
    turn(store, NOON).await;
    let other = store.take_turn("sweeps", MINUTE * 2, after(30)).await.unwrap();
    assert_eq!(other, due(30, 0));
    assert_eq!(turn(store, after(60)).await, due(60, 0));
    let other = store.take_turn("sweeps", MINUTE * 2, after(60)).await.unwrap();
    assert_eq!(other, Turn::NotBefore(after(150)));
}

/// A little does nothing; much would leave the work undone for as long, so a grid begins anew.
pub async fn a_clock_set_back_stops_no_turns(store: &dyn Store) {
    turn(store, NOON).await;
    for back in [-1, -60] {
        assert_eq!(turn(store, after(back)).await, Turn::NotBefore(after(60)));
    }
    let year_ago = NOON - TimeDelta::days(365);
    let begun = Turn::Due { at: year_ago, missed: 0 };
    assert_eq!(turn(store, year_ago).await, begun);
    assert_eq!(turn(store, year_ago).await, Turn::NotBefore(year_ago + MINUTE));
}

/// The next turn is not waited for as long as the old period says.
pub async fn a_shorter_period_holds_at_once(store: &dyn Store) {
    store.take_turn("sweep", TimeDelta::days(1), NOON).await.unwrap();
    assert_eq!(turn(store, after(5)).await, due(5, 0));
    assert_eq!(turn(store, after(6)).await, Turn::NotBefore(after(65)));
}

/// Day by day.
pub async fn calls_are_tallied_by_day(store: &dyn Store) {
    let today = NOON.date_naive();
    let tomorrow = today + TimeDelta::days(1);
    for (day, calls, sum) in
        [(today, 3, 3), (tomorrow, 4, 4), (today, 0, 3), (today, 9, 12), (tomorrow, 1, 5)]
    {
        assert_eq!(store.tally(day, calls).await.unwrap(), sum);
    }
}
