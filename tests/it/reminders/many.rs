//! Many reminders in one request, each judged on its own.

use hyper::Method;
use serde_json::{Value, json};

use super::{REMINDERS, at, call, log, start};
use crate::bridge::{ANA, Answer, Bridge, with};

async fn send(bridge: &Bridge, items: &[Value], headers: &[(&str, &str)]) -> Answer {
    let path = format!("{REMINDERS}/batch");
    bridge.send_json(Method::POST, &path, &json!({ "reminders": items }), headers).await
}

#[tokio::test]
async fn each_reminder_of_a_batch_is_judged_on_its_own_and_known_by_its_key() {
    let bridge = start().await;
    bridge.connect(ANA).await.expect("the account can be connected");
    let items = [
        with(call(), &json!({ "title": "one", "idempotency_key": "first" })),
        json!({ "title": "two" }),
        with(call(), &json!({ "title": "three" })),
        with(
            call(),
            &json!({ "title": "four", "task": "0123456789abcdefghijklmn08", "at": null, "minutes_before": 5 }),
        ),
        with(call(), &json!({ "titel": "five" })),
    ];
    let first = send(&bridge, &items, &[("idempotency-key", "all")]).await;
    assert_eq!(first.status, 200, "{}", first.text);
    let first = first.json();
    assert_eq!((&first["accepted"], &first["refused"]), (&json!(2), &json!(3)), "{first}");
    let results = first["results"].as_array().expect("results");
    let of = |index: usize| {
        let item = &results[index];
        (item["status"].clone(), item["problem"]["errors"][0]["pointer"].clone())
    };
    assert_eq!(of(0), (json!(201), Value::Null));
    assert_eq!(of(1), (json!(422), json!("/at")));
    assert_eq!(of(2), (json!(201), Value::Null));
    assert_eq!(of(3), (json!(422), json!("/task")));
    assert_eq!(of(4).0, 422);
    assert_eq!(results[0]["state"], "scheduled");
    let again = send(&bridge, &items, &[("idempotency-key", "all")]).await.json();
    for index in [0, 2] {
        let again = &again["results"][index];
        assert_eq!((&again["status"], &again["replayed"]), (&json!(200), &json!(true)), "{again}");
        assert_eq!(again["id"], results[index]["id"]);
    }
    let alone = send(&bridge, &items[..1], &[]).await.json();
    assert_eq!(alone["results"][0]["id"], results[0]["id"], "by its own key");
    at(&bridge, "2026-11-02T10:00:00Z").await;
    for index in [0, 2] {
        assert_eq!(log(&bridge, &results[index]).await.len(), 1);
    }
    let mut titles = bridge.titles(ANA);
    titles.sort();
    assert_eq!(titles, ["one", "three"]);
}

#[tokio::test]
async fn a_batch_has_one_to_a_thousand_reminders() {
    let bridge = start().await;
    for items in [Vec::new(), vec![call(); 1_001]] {
        let refused = send(&bridge, &items, &[]).await;
        assert_eq!(refused.json()["errors"][0]["pointer"], "/reminders", "{}", refused.text);
    }
    let whole = send(&bridge, &vec![call(); 1_000], &[]).await.json();
    assert_eq!((&whole["accepted"], &whole["refused"]), (&json!(1_000), &json!(0)));
}
