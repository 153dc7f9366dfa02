//! Somebody else who changes the event each time, a moment before we do.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use calbridge::model::id::InstanceId;
use calbridge::store::memory::MemoryStore;
use calbridge::store::{Store, StoreError};
use hyper::{Method, Request, header};
use serde_json::json;
use tower::ServiceExt;

use super::{event, post};
use crate::bridge::{ANA, Bridge, Choices};
use crate::surrounded::{Around, Surrounded};

/// Another process on the same store.
#[derive(Default)]
struct Rival {
    /// Its door, the key to it, and the path of what it changes.
    door: OnceLock<(Router, String, String)>,
    changes: AtomicU32,
}

impl Around for Rival {
    async fn step<T: Send>(
        &self,
        name: &'static str,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if let ("change", Some((router, key, path))) = (name, self.door.get()) {
            let count = self.changes.fetch_add(1, Ordering::Relaxed);
            let body = json!({ "summary": format!("Theirs {count}") }).to_string();
            let request = Request::builder().method(Method::PATCH).uri(path);
            let request = request.header(header::CONTENT_TYPE, "application/json");
            let request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
            let request = request.body(Body::from(body)).expect("a request");
            let answer = router.clone().oneshot(request).await.expect("an answer");
            assert_eq!(answer.status(), 202);
        }
        effect.await
    }

    async fn look<T: Send>(
        &self,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        effect.await
    }
}

#[tokio::test]
async fn whoever_is_overtaken_each_time_is_told_to_read_again() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(InstanceId::from_u128(1)));
    let ours = Arc::new(Surrounded { store: store.clone(), around: Rival::default() });
    let bridge = Bridge::with(Choices { store: Some(ours.clone()), ..Choices::default() }).await;
    bridge.connect(ANA).await.expect("connected");
    let made = post(&bridge, &event()).await.json();
    let path = format!("/api/v1/events/{}", made["id"].as_str().expect("an id"));
    let theirs = Bridge::with(Choices {
        store: Some(store),
        google: Some((bridge.google.clone(), bridge.clock.clone())),
        place: Some(bridge.place.clone()),
        seed: 2,
        ..Choices::default()
    })
    .await;
    let door = (theirs.router.clone(), bridge.key.clone(), path.clone());
    assert!(ours.around.door.set(door).is_ok(), "there is one rival");
    let answer = bridge.router_send(Method::PATCH, &path, &json!({ "summary": "Ours" })).await;
    assert_eq!((answer.status, &answer.json()["code"]), (409, &json!("overtaken")));
    assert!(ours.around.changes.load(Ordering::Relaxed) > 1, "it was tried again");
    bridge.run_until_idle().await;
    assert!(bridge.titles(ANA)[0].starts_with("Theirs"));
}
