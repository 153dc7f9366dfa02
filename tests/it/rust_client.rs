//! The simulator and the Rust client that is generated from Google's discovery document.
use chrono::TimeDelta;
use google_calendar3::api::{
    ConferenceData, ConferenceSolutionKey, CreateConferenceRequest, Event, EventDateTime,
};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

use crate::simulator::{EVENT_ID, EVENTS_SCOPE, LIST_SCOPE, VERIFIER, World, noon};

#[tokio::test]
async fn the_generated_rust_client_understands_every_answer() {
    let world = World::new().await;
    let wanted = format!("{EVENTS_SCOPE} {LIST_SCOPE}");
    let code = world.code(&[("scope", &wanted)]).await;
    let tokens = world.exchange(&code, VERIFIER).await.json();
    let access = tokens["access_token"].as_str().unwrap().to_owned();
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut hub = google_calendar3::CalendarHub::new(client, access);
    hub.base_url(format!("{}/calendar/v3/", world.base));
    let point = |hours| EventDateTime {
        date_time: Some(noon() + TimeDelta::hours(hours)),
        time_zone: Some("Europe/Lisbon".to_owned()),
        ..EventDateTime::default()
    };
    let request = CreateConferenceRequest {
        request_id: Some("one".to_owned()),
        conference_solution_key: Some(ConferenceSolutionKey {
            type_: Some("hangoutsMeet".to_owned()),
        }),
        ..CreateConferenceRequest::default()
    };
    let event = Event {
        id: Some(EVENT_ID.to_owned()),
        summary: Some("Tea".to_owned()),
        start: Some(point(1)),
        end: Some(point(2)),
        conference_data: Some(ConferenceData {
            create_request: Some(request),
            ..ConferenceData::default()
        }),
        ..Event::default()
    };
    let insert = async || {
        let call = hub.events().insert(event.clone(), "primary").conference_data_version(1);
        call.add_scope(EVENTS_SCOPE).doit().await.map(|(_, made)| made)
    };
    let made = insert().await.unwrap();
    assert_eq!(made.start.unwrap().date_time, Some(noon() + TimeDelta::hours(1)));
    assert!(made.hangout_link.unwrap().starts_with("https://meet.google.com/"));
    let Err(google_calendar3::Error::BadRequest(told)) = insert().await else {
        panic!("the id is taken")
    };
    assert_eq!(told["error"]["errors"][0]["reason"], "duplicate");

    let (_, page) = hub.events().list("primary").add_scope(EVENTS_SCOPE).doit().await.unwrap();
    assert_eq!(page.items.unwrap()[0].id.as_deref(), Some(EVENT_ID));
    let (_, entry) = hub.calendar_list().get("primary").add_scope(LIST_SCOPE).doit().await.unwrap();
    let properties = entry.conference_properties.unwrap();
    assert_eq!(properties.allowed_conference_solution_types.unwrap(), ["hangoutsMeet"]);
    hub.events().delete("primary", EVENT_ID).add_scope(EVENTS_SCOPE).doit().await.unwrap();
    let (_, tombstone) =
        hub.events().get("primary", EVENT_ID).add_scope(EVENTS_SCOPE).doit().await.unwrap();
    assert_eq!(tombstone.status.as_deref(), Some("cancelled"));
    world.end().await;
}
