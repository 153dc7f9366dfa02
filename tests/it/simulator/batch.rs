//! Several calls in one body, and calls that stand for others.

use axum::http::Method;
use calbridge::simulator::{Answered, Fault, FaultKind, Quota, Settings};
use serde_json::{Value, json};

use super::{EVENT_ID, INSERT, PRIMARY, Reply, World, tea_with};

const BATCH: &str = "/batch/calendar/v3";

/// A part: its `Content-ID`, the first line of its request, its further headers and its body.
struct Part<'a>(&'a str, &'a str, &'a str, Value);

fn insert(number: u32) -> Part<'static> {
    let body =
        tea_with(json!({"id": format!("{EVENT_ID}{number}"), "summary": format!("Tea {number}")}));
    Part("<x + 1>", "POST /calendar/v3/calendars/primary/events HTTP/1.1", "", body)
}

fn body(parts: &[Part<'_>]) -> String {
    let one = |Part(id, line, headers, body): &Part<'_>| {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let outer = format!("Content-Type: application/http\r\nContent-ID: {id}\r\n");
        format!("--of=it\r\n{outer}\r\n{line}\r\n{headers}\r\n{body}\r\n")
    };
    parts.iter().map(one).collect::<String>() + "--of=it--\r\n"
}

impl World {
    async fn try_batch(&self, token: &str, body: String) -> Result<Reply, String> {
        let bearer = format!("Bearer {token}");
        let kind = "multipart/mixed; boundary=\"of=it\"";
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        self.send(Method::POST, BATCH, &headers, body).await
    }

    /// The answers to the parts: `Content-ID`, status and body.
    async fn batch(&self, token: &str, parts: &[Part<'_>]) -> Vec<(String, u16, Value)> {
        let reply = self.try_batch(token, body(parts)).await.unwrap();
        assert_eq!(reply.status, 200, "{}", reply.text);
        let boundary = reply.header("content-type").strip_prefix("multipart/mixed; boundary=");
        let boundary = boundary.expect("a boundary").to_owned();
        assert!(boundary.starts_with("batch_"));
        let whole = reply.text.strip_suffix(&format!("--{boundary}--\r\n")).expect("an end");
        let delimiter = format!("--{boundary}\r\n");
        whole.split(&delimiter).skip(1).map(answer).collect()
    }
}

fn answer(part: &str) -> (String, u16, Value) {
    let mut halves = part.splitn(3, "\r\n\r\n");
    let mut half = || halves.next().unwrap();
    let (outer, head, body) = (half(), half(), half());
    let id = outer.lines().find_map(|line| line.strip_prefix("Content-ID: "));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (id.unwrap_or_default().to_owned(), status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn parts_are_answered_in_order_and_each_by_its_id() {
    let world = World::new().await;
    let ana = world.anas_token().await;
    let ben = world.token_for("ben@example.com", "https://www.googleapis.com/auth/calendar").await;
    let as_ben = format!("Authorization: Bearer {ben}\r\n");
    let answers = world
        .batch(
            &ana,
            &[
                insert(1),
                Part("<second>", "GET /calendar/v3/calendars/primary", &as_ben, Value::Null),
                Part(
                    "<third>",
                    "GET /calendar/v3/calendars/primary/events?fields=items/summary HTTP/1.1",
                    "",
                    Value::Null,
                ),
                Part(
                    "<fourth>",
                    "GET /calendar/v3/calendars/primary/events/nobody HTTP/1.1",
                    "",
                    Value::Null,
                ),
                Part("<fifth>", "POST /batch/calendar/v3 HTTP/1.1", "", Value::Null),
                Part("<sixth>", "GET /simulator/ledger HTTP/1.1", "", Value::Null),
            ],
        )
        .await;
    let told: Vec<(&str, u16)> =
        answers.iter().map(|(id, status, _)| (id.as_str(), *status)).collect();
    let wanted = [
        ("<response-x + 1>", 200),
        ("<response-second>", 200),
        ("<response-third>", 200),
        ("<response-fourth>", 404),
        ("<response-fifth>", 404),
        ("<response-sixth>", 404),
    ];
    assert_eq!(told, wanted);
    assert_eq!(answers[0].2["summary"], "Tea 1");
    assert_eq!(answers[1].2["id"], "ben@example.com");
    assert_eq!(answers[2].2, json!({"items": [{"summary": "Tea 1"}]}));
    assert_eq!(answers[3].2["error"]["errors"][0]["reason"], "notFound");
    world.end().await;
}

#[tokio::test]
async fn parts_are_counted_singly() {
    let quota = Quota { per_user_per_minute: 2, ..Quota::default() };
    let world = World::with(Settings { quota, ..Settings::default() }).await;
    let token = world.anas_token().await;
    let answers = world.batch(&token, &[insert(1), insert(2), insert(3)]).await;
    assert_eq!(answers.iter().map(|answer| answer.1).collect::<Vec<_>>(), [200, 200, 403]);
    let inserts = world.simulator.ledger().into_iter().filter(|entry| entry.method == INSERT);
    let committed: Vec<bool> = inserts.map(|entry| entry.committed).collect();
    assert_eq!(committed, [true, true, false]);
    world.end().await;
}

#[tokio::test]
async fn a_part_whose_answer_is_lost_takes_the_others_along() {
    let world = World::new().await;
    let token = world.anas_token().await;
    world.simulator.add_fault(Fault::new(FaultKind::LostAnswer).method(INSERT).after(1).times(1));
    let lost = world.try_batch(&token, body(&[insert(1), insert(2), insert(3)])).await;
    assert!(lost.is_err());
    assert_eq!(world.simulator.events("ana@example.com").len(), 3);
    let answered: Vec<Answered> = world
        .simulator
        .ledger()
        .into_iter()
        .filter(|entry| entry.method == INSERT)
        .map(|entry| entry.answered)
        .collect();
    assert_eq!(answered, [Answered::Status(200), Answered::Cut, Answered::Status(200)]);
    world.end().await;
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_is_refused_whole() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let colors = || Part("<c>", "GET /calendar/v3/colors HTTP/1.1", "", Value::Null);
    let many: Vec<Part<'_>> = (0..1001).map(|_| colors()).collect();
    let wrong = [
        (String::new(), "0 items"),
        (body(&[insert(1), Part("<b>", "nonsense", "", Value::Null)]), "item 2"),
        (body(&many), "exceeds the limit of 1000"),
    ];
    for (body, why) in wrong {
        let reply = world.try_batch(&token, body).await.unwrap();
        assert_eq!((reply.status, reply.reason().as_str()), (400, "badRequest"));
        assert!(reply.text.contains(why), "{}", reply.text);
    }
    assert_eq!(world.simulator.events("ana@example.com"), Vec::<Value>::new());
    let kind = [("content-type", "application/json")];
    let reply = world.send(Method::POST, "/batch", &kind, "{}".to_owned()).await.unwrap();
    assert_eq!(reply.status, 400);
    world.end().await;
}

#[tokio::test]
async fn a_post_can_stand_for_another_method() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let bearer = format!("Bearer {token}");
    let send = async |method: &str, path: &str, kind: &str, body: String| {
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", kind),
            ("x-http-method-override", method),
        ];
        world.send(Method::POST, path, &headers, body).await.unwrap()
    };
    let insert = tea_with(json!({"id": EVENT_ID}));
    assert_eq!(world.api(&token, Method::POST, PRIMARY, insert).await.status, 200);
    let one = format!("{PRIMARY}/{EVENT_ID}");
    let patched = send("PATCH", &one, "application/json", r#"{"summary":"Cake"}"#.to_owned()).await;
    assert_eq!(patched.json()["summary"], "Cake");
    let query = "fields=items%2Fsummary&q=cake".to_owned();
    let listed =
        send("GET", &format!("{PRIMARY}?maxResults=5"), "application/x-www-form-urlencoded", query)
            .await;
    assert_eq!(listed.json(), json!({"items": [{"summary": "Cake"}]}));
    assert_eq!(send("DELETE", &one, "application/json", String::new()).await.status, 204);
    let methods: Vec<&str> = world.simulator.ledger().iter().map(|entry| entry.method).collect();
    let wanted =
        ["insert", "patch", "list", "delete"].map(|verb| format!("calendar.events.{verb}"));
    assert_eq!(methods[methods.len() - 4..], wanted);
    world.end().await;
}
