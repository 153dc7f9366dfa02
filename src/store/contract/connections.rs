//! Promises about linked accounts.

use super::examples::{after, cause, connection, revoke, sealed, some_act, user};
use crate::model::connection::{Connection, Health, Means};
use crate::model::id::ConnectionId;
use crate::model::owner::Owner;
use crate::store::{Change, MAX_SEALED, Store, StoreError};

/// In every state.
pub async fn a_connection_is_kept_whole(store: &dyn Store) {
    assert_eq!(store.connection(ConnectionId::from_u128(1)).await.unwrap(), None);
    let states = [Health::Connected, Health::ReconnectNeeded(cause()), Health::Disconnected];
    for (n, state) in (1..).zip(states) {
        let token = (n == 1).then(|| sealed(3));
        let consent = Means::Consent { client: [7; 16] };
        let means = if n == 2 { Means::Delegation } else { consent };
        let linked = Connection { means, state, token, ..connection(n, user("ana")) };
        assert!(store.put_connection(linked.clone(), None, some_act()).await.unwrap());
        assert_eq!(store.connection(linked.id).await.unwrap(), Some(linked));
    }
}

/// The first version is 1.
pub async fn a_connection_is_replaced_by_the_next_version_alone(store: &dyn Store) {
    let version = |version| Connection {
        version,
        linked: after(i64::from(version)),
        ..connection(1, user("ana"))
    };
    assert!(!store.put_connection(version(2), None, some_act()).await.unwrap());
    for next in [1, 2] {
        assert!(store.put_connection(version(next), None, some_act()).await.unwrap());
        for other in [next - 1, next, next + 2] {
            assert!(!store.put_connection(version(other), None, some_act()).await.unwrap());
        }
        assert_eq!(store.connection(version(1).id).await.unwrap(), Some(version(next)));
        assert_eq!(store.connections(&user("ana")).await.unwrap(), [version(next)]);
    }
}

/// Or neither.
pub async fn a_connection_and_its_job_are_kept_together(store: &dyn Store) {
    let (first, second) = (revoke(1, 1), revoke(2, 2));
    let linked = connection(1, user("ana"));
    assert!(store.put_connection(linked.clone(), Some(first.clone()), some_act()).await.unwrap());
    assert!(store.job(first.id).await.unwrap().is_some());
    assert!(!store.put_connection(linked, Some(second.clone()), some_act()).await.unwrap());
    assert_eq!(store.job(second.id).await.unwrap(), None);
}

/// Those of the owner, and nobody else's.
pub async fn connections_are_listed_last_linked_first(store: &dyn Store) {
    let linked = |n, owner, at| Connection { linked: after(at), ..connection(n, owner) };
    let ana = [
        linked(3, user("ana"), 9),
        linked(4, user("ana"), 5),
        linked(2, user("ana"), 5),
        linked(1, user("ana"), -5),
    ];
    for put in ana.iter().rev() {
        assert!(store.put_connection(put.clone(), None, some_act()).await.unwrap());
    }
    for (n, owner) in [(5, Owner::Application), (6, user("an")), (7, user("anabel"))] {
        assert!(store.put_connection(linked(n, owner, 7), None, some_act()).await.unwrap());
    }
    assert_eq!(store.connections(&user("ana")).await.unwrap(), ana);
    let app = store.connections(&Owner::Application).await.unwrap();
    assert_eq!(app, [linked(5, Owner::Application, 7)]);
    assert_eq!(store.connections(&user("bea")).await.unwrap(), []);
}

/// Whosever they are, and no longer under the account they had.
pub async fn connections_to_an_account_are_found(store: &dyn Store) {
    let shared = [9; 16];
    let mut linked = [connection(1, user("ana")), connection(2, Owner::Application)];
    for connection in &mut linked {
        connection.account = shared;
        assert!(store.put_connection(connection.clone(), None, some_act()).await.unwrap());
    }
    assert!(store.put_connection(connection(3, user("ana")), None, some_act()).await.unwrap());
    assert_eq!(store.connections_to(&shared).await.unwrap(), linked);
    let moved = Connection { version: 2, account: [8; 16], ..linked[0].clone() };
    assert!(store.put_connection(moved.clone(), None, some_act()).await.unwrap());
    assert_eq!(store.connections_to(&shared).await.unwrap(), linked[1..]);
    assert_eq!(store.connections_to(&[8; 16]).await.unwrap(), [moved]);
}

/// Whosever they are, and none twice.
pub async fn all_connections_are_found_page_by_page(store: &dyn Store) {
    assert_eq!(store.all_connections(None, 9).await.unwrap(), []);
    let owners = [user("bea"), Owner::Application, user("ana"), user("ana"), user("zoe")];
    let linked: Vec<_> = (1..).zip(owners).map(|(n, owner)| connection(n, owner)).collect();
    for put in linked.iter().rev() {
        assert!(store.put_connection(put.clone(), None, some_act()).await.unwrap());
    }
    assert_eq!(store.all_connections(None, 9).await.unwrap(), linked);
    let mut found: Vec<Connection> = Vec::new();
    for page in [2, 2, 1, 0] {
        let after = found.last().map(|last| last.id);
        let more = store.all_connections(after, 2).await.unwrap();
        assert_eq!(more.len(), page);
        found.extend(more);
    }
    assert_eq!(found, linked);
}

/// The newest word counts, for each by itself.
pub async fn the_last_refresh_of_a_connection_is_known(store: &dyn Store) {
    let (one, other) = (ConnectionId::from_u128(1), ConnectionId::from_u128(2));
    assert_eq!(store.last_refresh(one).await.unwrap(), None);
    for seconds in [5, 9, 7] {
        store.note_refresh(one, after(seconds)).await.unwrap();
        assert_eq!(store.last_refresh(one).await.unwrap(), Some(after(seconds)));
    }
    assert_eq!(store.last_refresh(other).await.unwrap(), None);
}

/// With the line of their job.
pub async fn connections_are_told(store: &dyn Store) {
    let mut told = store.changes();
    let linked = connection(1, user("ana"));
    let job = revoke(1, 1);
    store.put_connection(linked.clone(), Some(job.clone()), some_act()).await.unwrap();
    store.put_connection(linked.clone(), Some(job.clone()), some_act()).await.unwrap();
    let next = Connection { version: 2, ..linked };
    store.put_connection(next.clone(), None, some_act()).await.unwrap();
    assert_eq!(told.recv().await.unwrap(), Change::Connection(next.id));
    assert_eq!(told.recv().await.unwrap(), Change::Line(job.line));
    assert_eq!(told.recv().await.unwrap(), Change::Audit);
    assert_eq!(told.recv().await.unwrap(), Change::Connection(next.id));
}

/// Profile and token together; nothing of it stays.
pub async fn a_connection_too_large_is_refused(store: &dyn Store) {
    let large = Connection {
        profile: sealed(MAX_SEALED),
        token: Some(sealed(1)),
        ..connection(1, user("ana"))
    };
    let refused = Err(StoreError::TooLarge { bytes: MAX_SEALED + 1 });
    assert_eq!(store.put_connection(large.clone(), None, some_act()).await, refused);
    assert_eq!(store.connection(large.id).await.unwrap(), None);
    let fits = Connection { token: None, ..large };
    assert!(store.put_connection(fits.clone(), None, some_act()).await.unwrap());
    assert_eq!(store.connection(fits.id).await.unwrap(), Some(fits));
}
