//! Promises about the administrator's account and the uses of keys.

use super::examples::{after, some_act, ticket};
use crate::model::administrator::Administrator;
use crate::model::id::KeyId;
use crate::model::key::TicketKind;
use crate::store::Store;

/// In place of the one before.
pub async fn the_administrators_account_is_kept(store: &dyn Store) {
    assert_eq!(store.administrator().await.unwrap(), None);
    for n in 1..=2 {
        let account = Administrator { password: format!("$argon2id${n}"), set: after(n) };
        store.put_administrator(account.clone(), some_act()).await.unwrap();
        assert_eq!(store.administrator().await.unwrap(), Some(account));
        assert_eq!(store.audit(0, 9).await.unwrap().len(), usize::try_from(n).unwrap());
    }
}

/// In the same step; what other tickets open stays open.
pub async fn a_new_password_ends_every_session(store: &dyn Store) {
    let tickets = [
        ticket(TicketKind::Session, 1, after(5)),
        ticket(TicketKind::Session, 2, after(9)),
        ticket(TicketKind::Consent, 1, after(5)),
    ];
    for put in &tickets {
        store.put_ticket(put.clone()).await.unwrap();
    }
    let account = Administrator { password: "$argon2id$".to_owned(), set: after(1) };
    store.put_administrator(account, some_act()).await.unwrap();
    let [one, two, consent] = tickets;
    for session in [one, two] {
        assert_eq!(store.ticket(session.kind, &session.digest).await.unwrap(), None);
    }
    assert_eq!(store.ticket(consent.kind, &consent.digest).await.unwrap(), Some(consent));
}

/// Also if an earlier use is noted later.
pub async fn the_last_use_of_each_key_is_kept(store: &dyn Store) {
    let [one, two] = [1, 2].map(KeyId::from_u128);
    assert_eq!(store.last_uses().await.unwrap(), []);
    store.note_uses(vec![(two, after(7)), (one, after(5))]).await.unwrap();
    store.note_uses(vec![(one, after(9)), (two, after(3))]).await.unwrap();
    store.note_uses(Vec::new()).await.unwrap();
    let mut uses = store.last_uses().await.unwrap();
    uses.sort_unstable();
    assert_eq!(uses, [(one, after(9)), (two, after(7))]);
}

/// And only there: one that was taken meanwhile does not come back.
pub async fn a_ticket_is_prolonged_where_it_still_is(store: &dyn Store) {
    let session = ticket(TicketKind::Session, 1, after(5));
    store.put_ticket(session.clone()).await.unwrap();
    assert!(store.prolong_ticket(session.kind, &session.digest, after(9)).await.unwrap());
    let longer = store.ticket(session.kind, &session.digest).await.unwrap().unwrap();
    assert_eq!(longer.expires, after(9));
    assert_eq!((longer.created, longer.payload), (session.created, session.payload));

    store.take_ticket(session.kind, &session.digest).await.unwrap();
    assert!(!store.prolong_ticket(session.kind, &session.digest, after(30)).await.unwrap());
    assert_eq!(store.ticket(session.kind, &session.digest).await.unwrap(), None);
}
