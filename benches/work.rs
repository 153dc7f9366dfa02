//! Works jobs off as workers do, many at once.

use std::sync::Arc;

use calbridge::model::job::Line;
use calbridge::store::contract::examples::{NOON, after};
use calbridge::store::sled::SledStore;
use calbridge::store::{JobStore, Settled};
use tokio::task::JoinSet;

use super::sample;

/// Takes up to `most` jobs of a line and ends them all at once. Returns how many there were.
pub async fn end_some(store: &Arc<SledStore>, line: &Line, most: usize) -> u64 {
    let claimed = store.claim(line, most, NOON, after(60)).await.expect("the store works");
    let mut settling = JoinSet::new();
    for claim in claimed.claims {
        let store = Arc::clone(store);
        settling.spawn(async move {
            let settled = store.settle(&claim, sample::ran(), NOON).await;
            assert_eq!(settled, Ok(Settled::Yes));
        });
    }
    u64::try_from(settling.join_all().await.len()).expect("few")
}
