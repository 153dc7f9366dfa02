//! Promises about who did what.

use super::examples::{act, connection, digest, key, sealed, user};
use crate::model::audit::{Act, Action, Actor, Entry, Freeze, Head, Subject};
use crate::model::id::KeyId;
use crate::store::{Change, MAX_SEALED, Store, StoreError};

/// From 1, none left out, each with the digest of the one before; and kept whole.
pub async fn acts_are_chained(store: &dyn Store) {
    assert_eq!(store.audit_head().await.unwrap(), Head::START);
    assert_eq!(store.audit(0, 9).await.unwrap(), []);
    let first = Act { actor: Actor::Key(KeyId::from_u128(4)), ..act(Action::AuditBegun) };
    let linked = connection(1, user("ana"));
    let second = Act {
        actor: Actor::User(digest(8)),
        subject: Some(Subject::Connection(linked.id)),
        row: Some(linked.digest()),
        detail: None,
        ..act(Action::ConnectionLinked)
    };
    let mut head = Head::START;
    let mut all = Vec::new();
    for act in [first, second, act(Action::VaultRotated)] {
        let entry = store.append(act.clone()).await.unwrap();
        assert_eq!(entry, Entry::after(&head, act));
        head = head.with(&entry);
        assert_eq!(store.audit_head().await.unwrap(), head);
        all.push(entry);
    }
    assert_eq!(head.seq, 3);
    assert_eq!(store.audit(0, 9).await.unwrap(), all);
    assert_eq!(store.audit(1, 1).await.unwrap(), all[1..2]);
    assert_eq!(store.audit(3, 9).await.unwrap(), []);
}

/// Many at once too.
pub async fn acts_beside_each_other_are_chained(store: &dyn Store) {
    let ask = || store.append(act(Action::SessionRefused));
    for _ in 0..5 {
        let asked = tokio::join!(ask(), ask(), ask(), ask());
        for appended in [asked.0, asked.1, asked.2, asked.3] {
            appended.unwrap();
        }
    }
    let mut head = Head::START;
    for entry in store.audit(0, 99).await.unwrap() {
        assert_eq!(entry, Entry::after(&head, entry.act.clone()));
        head = head.with(&entry);
    }
    assert_eq!(head.seq, 20);
    assert_eq!(store.audit_head().await.unwrap(), head);
}

/// Or neither.
pub async fn a_row_and_its_act_are_kept_together(store: &dyn Store) {
    store.put_key(key(1), act(Action::ApiKeyCreated)).await.unwrap();
    let linked = connection(1, user("ana"));
    let put = store.put_connection(linked.clone(), None, act(Action::ConnectionLinked)).await;
    assert!(put.unwrap());
    let late = store.put_connection(linked, None, act(Action::ConnectionReconnected)).await;
    assert!(!late.unwrap());
    let large = Act { detail: Some(sealed(MAX_SEALED + 1)), ..act(Action::ApiKeyRevoked) };
    let refused = Err(StoreError::TooLarge { bytes: MAX_SEALED + 1 });
    assert_eq!(store.put_key(key(2), large).await, refused);
    assert_eq!(store.key(key(2).id).await.unwrap(), None);
    let done = store.audit(0, 9).await.unwrap();
    let done: Vec<_> = done.iter().map(|entry| entry.act.action).collect();
    assert_eq!(done, [Action::ApiKeyCreated, Action::ConnectionLinked]);
}

/// Whichever came last says whether writes are refused.
pub async fn a_freeze_is_in_the_chains_end(store: &dyn Store) {
    let mut expected = Freeze { on: false, seq: 0 };
    let acts = [Action::WritesFrozen, Action::SessionOpened, Action::WritesThawed];
    for (seq, action) in (1..).zip(acts) {
        store.append(act(action)).await.unwrap();
        if action != Action::SessionOpened {
            expected = Freeze { on: seq == 1, seq };
        }
        assert_eq!(store.audit_head().await.unwrap().freeze, expected);
    }
}

/// Once for each step.
pub async fn acts_are_told(store: &dyn Store) {
    let mut told = store.changes();
    store.append(act(Action::SessionOpened)).await.unwrap();
    store.put_key(key(1), act(Action::ApiKeyCreated)).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), Change::Audit);
    assert_eq!(told.recv().await.unwrap(), Change::Audit);
    assert!(told.try_recv().is_err());
}
