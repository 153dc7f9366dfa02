//! How an answer is asked for: `fields`, `prettyPrint`, `alt` and gzip.

use std::io::Read;

use axum::body::Bytes;
use axum::http::{Method, Request, Response};
use calbridge::simulator::{Fault, FaultKind};
use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::{EVENT_ID, PRIMARY, World, tea_with};

const GOOGLES_CLIENT: (&str, &str) = ("user-agent", "(gzip)");
const GZIP: (&str, &str) = ("accept-encoding", "gzip, deflate");

impl World {
    /// `GET`, with the body as it came over the wire.
    async fn raw(&self, token: &str, path: &str, headers: &[(&str, &str)]) -> Response<Incoming> {
        let mut request = Request::get(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::<Bytes>::default()).unwrap();
        self.client.request(request).await.unwrap()
    }
}

async fn world_with_tea() -> (World, String) {
    let world = World::new().await;
    let token = world.anas_token().await;
    let guests = json!({"id": EVENT_ID, "attendees": [{"email": "x@example.org"}, {"email": "y@example.org"}]});
    let reply = world.api(&token, Method::POST, PRIMARY, tea_with(guests)).await;
    assert_eq!(reply.status, 200);
    (world, token)
}

#[tokio::test]
async fn fields_choose_what_an_answer_holds() {
    let (world, token) = world_with_tea().await;
    let one = format!("{PRIMARY}/{EVENT_ID}");
    let ask = async |path: &str, fields: &str| {
        world.api(&token, Method::GET, &format!("{path}?fields={fields}"), Value::Null).await
    };
    let whole = world.api(&token, Method::GET, &one, Value::Null).await.json();
    let start = json!({"timeZone": "Europe/Lisbon"});
    let guests = json!([{"email": "x@example.org"}, {"email": "y@example.org"}]);
    let cases = [
        ("summary", json!({"summary": "Tea"})),
        ("summary,location", json!({"summary": "Tea"})),
        ("start/timeZone,attendees/email", json!({"start": start, "attendees": guests})),
        ("start(timeZone),attendees(email)", json!({"start": start, "attendees": guests})),
        (
            "start/timeZone,attendees(email),start/date",
            json!({"start": start, "attendees": guests}),
        ),
        ("start/timeZone,start", json!({"start": whole["start"]})),
        ("creator/*", json!({"creator": {"email": "ana@example.com", "self": true}})),
    ];
    for (fields, wanted) in cases {
        assert_eq!(ask(&one, fields).await.json(), wanted, "{fields}");
    }
    let page = ask(PRIMARY, "kind,items(id,start/timeZone)").await.json();
    assert_eq!(
        page,
        json!({"kind": "calendar#events", "items": [{"id": EVENT_ID, "start": start}]})
    );
    assert_eq!(ask(&one, "*").await.json(), whole);
    let colors = ask("/calendar/v3/colors", "event/11/background").await.json();
    assert_eq!(colors, json!({"event": {"11": {"background": "#dc2127"}}}));

    let wrong =
        ["colour", "summary,", "summary/x", "start(date", "start)", "items/id", "start//date"];
    for fields in wrong {
        let reply = ask(&one, fields).await;
        assert_eq!((reply.status, reply.reason().as_str()), (400, "invalidParameter"), "{fields}");
    }
    let colour = ask(&one, "id,colour").await.json();
    assert_eq!(colour["error"]["message"], "Invalid field selection colour");
    let error = ask(&format!("{PRIMARY}/nobody"), "summary").await;
    assert_eq!((error.status, error.reason().as_str()), (404, "notFound"));
    world.end().await;
}

#[tokio::test]
async fn a_wrong_selection_is_refused_before_anything_is_done() {
    let world = World::new().await;
    let token = world.anas_token().await;
    let path = format!("{PRIMARY}?fields=colour");
    let reply = world.api(&token, Method::POST, &path, tea_with(json!({"id": EVENT_ID}))).await;
    assert_eq!(reply.status, 400);
    assert_eq!(world.simulator.events("ana@example.com"), Vec::<Value>::new());

    let media = world.api(&token, Method::GET, &format!("{PRIMARY}?alt=media"), Value::Null).await;
    assert_eq!((media.status, media.reason().as_str()), (400, "invalidParameter"));
    world.end().await;
}

#[tokio::test]
async fn an_answer_is_pretty_unless_it_is_asked_for_otherwise() {
    let (world, token) = world_with_tea().await;
    let pretty = world.api(&token, Method::GET, &format!("{PRIMARY}?alt=json"), Value::Null).await;
    let compact =
        world.api(&token, Method::GET, &format!("{PRIMARY}?prettyPrint=false"), Value::Null).await;
    assert!(pretty.text.contains('\n'));
    assert!(!compact.text.contains('\n'));
    assert_eq!(pretty.json(), compact.json());
    world.end().await;
}

#[tokio::test]
async fn gzip_is_spoken_with_those_who_say_it_twice() {
    let (world, token) = world_with_tea().await;
    let path = format!("{PRIMARY}/{EVENT_ID}");
    for headers in [&[GZIP][..], &[GOOGLES_CLIENT][..], &[]] {
        let plain = world.raw(&token, &path, headers).await;
        assert!(!plain.headers().contains_key("content-encoding"), "{headers:?}");
    }
    let packed = world.raw(&token, &path, &[GZIP, GOOGLES_CLIENT]).await;
    assert_eq!(packed.headers()["content-encoding"], "gzip");
    let packed = packed.into_body().collect().await.unwrap().to_bytes();
    let mut text = String::new();
    GzDecoder::new(&packed[..]).read_to_string(&mut text).unwrap();
    let plain = world.api(&token, Method::GET, &path, Value::Null).await;
    assert_eq!(text, plain.text);

    world.simulator.add_fault(Fault::new(FaultKind::Truncated).times(1));
    let half = world.raw(&token, &path, &[GZIP, GOOGLES_CLIENT]).await;
    assert_eq!(half.status(), 200);
    assert!(half.into_body().collect().await.is_err());
    world.end().await;
}
