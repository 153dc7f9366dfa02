//! Promises about the store itself.

use super::examples::{NOON, accept, after, claim_one, done, event, sealed, take_in};
use crate::store::{Alive, Keystone, Store};

/// Who comes second is shown it.
pub async fn the_first_keystone_stays(store: &dyn Store) {
    assert_eq!(store.keystone().await.unwrap(), None);
    let first = Keystone { canary: sealed(1), index_key: sealed(2) };
    let second = Keystone { canary: sealed(3), index_key: sealed(4) };
    assert_eq!(store.lay_keystone(first.clone()).await.unwrap(), first);
    assert_eq!(store.lay_keystone(second).await.unwrap(), first);
    assert_eq!(store.keystone().await.unwrap(), Some(first));
}

/// And keeps its name.
pub async fn a_used_store_is_writable(store: &dyn Store) {
    let name = store.instance();
    take_in(store, accept(1), NOON).await.unwrap();
    let claim = claim_one(store, &event(1), NOON).await.expect("a job is due");
    store.settle(&claim, done(), NOON).await.unwrap();
    assert_eq!(store.writable().await, Ok(()));
    assert_eq!(store.instance(), name);
}

/// And all the work, after it left too.
pub async fn a_process_alone_leads(store: &dyn Store) {
    for now in [0, 20] {
        assert_eq!(store.beat(after(now), after(now + 15)).await, Ok(Alive::ALONE));
        store.leave(after(now)).await.unwrap();
    }
}
