//! Promises about keys and tickets.

use super::examples::{after, digest, some_act, ticket};
use crate::model::id::KeyId;
use crate::model::key::{ApiKey, Scope, TicketKind};
use crate::store::Store;

/// In place of one with the same id, and listed in the order they were made.
pub async fn keys_are_kept(store: &dyn Store) {
    let key = |id, created| ApiKey {
        id: KeyId::from_u128(id),
        name: format!("key {id}"),
        scopes: vec![Scope::EventsWrite, Scope::Admin],
        source: "shop".to_owned(),
        secret: digest(1),
        created: after(created),
        expires: (id == 2).then(|| after(70)),
        revoked: None,
    };
    let revoked = ApiKey { revoked: Some(after(50)), ..key(3, 1) };
    for put in [key(2, 5), key(1, 5), key(3, 1), revoked.clone()] {
        store.put_key(put.clone(), some_act()).await.unwrap();
        assert_eq!(store.key(put.id).await.unwrap(), Some(put));
    }
    assert_eq!(store.keys().await.unwrap(), [revoked, key(1, 5), key(2, 5)]);
    assert_eq!(store.key(KeyId::from_u128(9)).await.unwrap(), None);
}

/// By whom it does not matter; it can be looked at before, expired or not.
pub async fn a_ticket_is_taken_once(store: &dyn Store) {
    let over = ticket(TicketKind::Consent, 1, after(-5));
    store.put_ticket(over.clone()).await.unwrap();
    let other = store.take_ticket(TicketKind::Session, &over.digest).await;
    assert_eq!(other.unwrap(), None, "another kind of ticket is another ticket");
    assert_eq!(store.ticket(over.kind, &over.digest).await.unwrap(), Some(over.clone()));
    let (first, second) = tokio::join!(
        store.take_ticket(over.kind, &over.digest),
        store.take_ticket(over.kind, &over.digest)
    );
    let taken: Vec<_> = [first.unwrap(), second.unwrap()].into_iter().flatten().collect();
    assert_eq!(taken, std::slice::from_ref(&over));
    assert_eq!(store.ticket(over.kind, &over.digest).await.unwrap(), None);
}

/// Even where they are known by the same digest.
pub async fn tickets_of_every_kind_are_told_apart(store: &dyn Store) {
    for kind in TicketKind::ALL {
        store.put_ticket(ticket(kind, 1, after(5))).await.unwrap();
    }
    for kind in TicketKind::ALL {
        let taken = store.take_ticket(kind, &digest(1)).await.unwrap();
        assert_eq!(taken, Some(ticket(kind, 1, after(5))));
    }
}

/// The newer stays.
pub async fn a_ticket_replaces_its_namesake(store: &dyn Store) {
    let older = ticket(TicketKind::Session, 1, after(5));
    let newer = ticket(TicketKind::Session, 1, after(9));
    store.put_ticket(older).await.unwrap();
    store.put_ticket(newer.clone()).await.unwrap();
    assert_eq!(store.ticket(newer.kind, &newer.digest).await.unwrap(), Some(newer.clone()));
    assert_eq!(store.drop_tickets(TicketKind::Session).await.unwrap(), 1);
}

/// Those of other kinds stay.
pub async fn tickets_of_a_kind_are_dropped_together(store: &dyn Store) {
    for n in 1..=3 {
        store.put_ticket(ticket(TicketKind::Session, n, after(5))).await.unwrap();
    }
    let code = ticket(TicketKind::SetupCode, 1, after(5));
    store.put_ticket(code.clone()).await.unwrap();
    assert_eq!(store.drop_tickets(TicketKind::Session).await.unwrap(), 3);
    assert_eq!(store.drop_tickets(TicketKind::Session).await.unwrap(), 0);
    assert_eq!(store.ticket(TicketKind::Session, &digest(2)).await.unwrap(), None);
    assert_eq!(store.ticket(code.kind, &code.digest).await.unwrap(), Some(code));
}
