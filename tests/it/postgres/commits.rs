//! A database may be set up to answer before a commit is on disk, as the one of the tests is.

use calbridge::store::EventStore;
use calbridge::store::contract::examples::{NOON, accept, event, take_in};

use super::server::Server;

#[tokio::test]
async fn what_is_accepted_outlives_a_database_that_was_told_to_answer_early() {
    let server = Server::start().await;
    let url = server.database().await;
    let store = server.open(&url, 1).await;
    for n in 1..=20 {
        take_in(&store, accept(n), NOON).await.unwrap();
    }
    server.stop();
    server.start_again();
    let store = server.open(&url, 2).await;
    for n in 1..=20 {
        assert_eq!(store.event(event(n).id).await, Ok(Some(event(n))));
    }
}
