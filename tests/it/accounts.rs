//! Linked accounts of many users at once, laid into the store as if each had consented: a thousand
//! consents would be a test of the consent page.

use calbridge::app::audit::By;
use calbridge::app::connections;
use calbridge::model::audit::Action;
use calbridge::model::connection::{Connection, Health};
use calbridge::model::id::ConnectionId;
use calbridge::model::owner::{Owner, UserId};
use calbridge::model::sealed::Sealed;
use calbridge::vault::Place;

use crate::bridge::Bridge;

/// An owner, by the application's word for the user.
pub fn user(name: &str) -> Owner {
    Owner::User(UserId::try_from(name.to_owned()).expect("a user's name"))
}

/// Links the Google account to the user, and leaves the server without one.
pub async fn link(bridge: &Bridge, name: &str, account: &str) -> ConnectionId {
    bridge.connect(account).await.expect("the account can be connected");
    let lent = lend(bridge, name).await;
    bridge.disconnect().await;
    bridge.work().await;
    lent
}

/// Links the server's account to the user too, by the same grant.
pub async fn lend(bridge: &Bridge, name: &str) -> ConnectionId {
    let app = &bridge.tied.app;
    let from = connections::of_server(app).await.expect("a store").expect("a connection");
    let id = ConnectionId::random(&*app.random);
    let lent = moved(bridge, &from, id, &user(name), 1);
    put(bridge, lent).await;
    id
}

/// Connects the account anew, and keeps the new grant in the connection that there was.
pub async fn relink(bridge: &Bridge, id: ConnectionId, account: &str) {
    let app = &bridge.tied.app;
    bridge.disconnect().await;
    bridge.connect(account).await.expect("the account can be connected");
    let fresh = connections::of_server(app).await.expect("a store").expect("a connection");
    let was = connection(bridge, id).await;
    let next = moved(bridge, &fresh, id, &was.owner, was.version + 1);
    put(bridge, next).await;
}

async fn put(bridge: &Bridge, connection: Connection) {
    let app = &bridge.tied.app;
    let act = app.act(By::Console, Action::ConnectionLinked).connection(&connection);
    let act = act.seal().expect("it seals");
    assert!(app.store.put_connection(connection, None, act).await.expect("a store"));
}

/// The grant of `from` as that of another connection, sealed for it.
fn moved(
    bridge: &Bridge,
    from: &Connection,
    id: ConnectionId,
    owner: &Owner,
    version: u32,
) -> Connection {
    let vault = &bridge.tied.app.vault;
    let moved = |field, sealed: &Sealed| {
        let (was, now) = (from.owner.to_bytes(), owner.to_bytes());
        let (record, next) = (from.id.as_u128().to_be_bytes(), id.as_u128().to_be_bytes());
        let kind = "connection";
        let of = Place { kind, owner: &was, record: &record, field, version: from.version };
        let to = Place { kind, owner: &now, record: &next, field, version };
        let plain = vault.open(&of, sealed).expect("it opens");
        vault.seal(&to, &plain).expect("it seals")
    };
    Connection {
        id,
        version,
        profile: moved("profile", &from.profile),
        token: from.token.as_ref().map(|token| moved("token", token)),
        owner: owner.clone(),
        ..from.clone()
    }
}

/// What stands in the way of what is meant for a connection.
pub async fn state(bridge: &Bridge, id: ConnectionId) -> Health {
    connection(bridge, id).await.state
}

/// The connection.
pub async fn connection(bridge: &Bridge, id: ConnectionId) -> Connection {
    bridge.tied.app.store.connection(id).await.expect("a store").expect("a connection")
}
