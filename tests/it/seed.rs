//! The curl lines of the production guide that the classic routes come from, as they stand in it:
//! changed are the address and the header with the API key, nothing else.

mod nginx;

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::bridge::ANA;
use crate::process::{Browser, Process, Simulated};
use nginx::Nginx;

const STATUS: &str = "curl https://your-domain.com:3001/api/calendar-status";
const CREATE: &str = r#"curl -X POST https://your-domain.com:3001/api/create-calendar-event \
  -H "Content-Type: application/json" \
  -d '{
    "summary": "Production Test Event",
    "description": "Testing calendar integration",
    "startDateTime": "2025-10-30T14:00:00",
    "endDateTime": "2025-10-30T15:00:00",
    "attendeeEmail": "test@example.com",
    "timeZone": "Asia/Kolkata"
  }'"#;
const REVOKE: &str = "curl https://your-domain.com/google-calendar-revoke";
const SUMMARY: &str = "Production Test Event";

/// Runs one of the lines against `base`, with the header of `key` added. Returns status and JSON.
fn run(line: &str, base: &str, key: Option<&str>) -> (u16, Value) {
    let with_base =
        line.replace("https://your-domain.com:3001", base).replace("https://your-domain.com", base);
    let header = key.map(|key| format!(" -H 'Authorization: Bearer {key}'")).unwrap_or_default();
    let script = format!("{with_base}{header} -sS -w '\\n%{{http_code}}'");
    let output = Command::new("/bin/sh")
        .args(["-c", &script])
        .stdin(Stdio::null())
        .output()
        .expect("a shell");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {errors}; `make test` installs curl on Debian");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let (body, status) = text.rsplit_once('\n').expect("a status");
    let body = serde_json::from_str(body).unwrap_or_else(|_| panic!("no JSON: {body}"));
    (status.parse().expect("a status"), body)
}

/// All three lines, in the order in which the guide has somebody type them.
fn walk(process: &Walked) {
    let Walked { base, key, admin, revoke, google } = process;
    let connected =
        json!({ "enabled": true, "authenticated": true, "setupUrl": "/google-calendar-setup" });
    assert_eq!(run(STATUS, base, None), (200, connected));

    let (status, made) = run(CREATE, base, Some(key));
    assert_eq!(status, 200, "{made}");
    assert_eq!(made["success"], true);
    assert_eq!(made["message"], "Calendar event created successfully");
    let [id, event, meet] = ["eventId", "eventLink", "meetLink"]
        .map(|name| made[name].as_str().unwrap_or_else(|| panic!("no {name} in {made}")));
    assert!(event.contains("/calendar/event?eid="), "{event}");
    assert!(meet.starts_with("https://meet.google.com/"), "{meet}");
    let events = google.google.events(ANA);
    let [only] = events.as_slice() else { panic!("not one event: {events:?}") };
    assert_eq!((&only["id"], &only["summary"]), (&json!(id), &json!(SUMMARY)));
    assert_eq!((&only["htmlLink"], &only["hangoutLink"]), (&json!(event), &json!(meet)));
    assert_eq!(only["start"]["timeZone"], "Asia/Kolkata");

    let refused = run(revoke, base, Some(key));
    assert_eq!((refused.0, &refused.1["success"]), (403, &json!(false)), "{}", refused.1);
    let (status, revoked) = run(revoke, base, Some(admin));
    assert_eq!((status, &revoked["success"]), (200, &json!(true)), "{revoked}");
    let told = revoked["message"].as_str().unwrap_or_default();
    assert!(told.contains("disconnected"), "{told}");
    let (status, stands) = run(STATUS, base, None);
    assert_eq!((status, &stands["authenticated"]), (200, &json!(false)), "{stands}");
    let (status, refused) = run(CREATE, base, Some(key));
    assert_eq!((status, &refused["success"]), (409, &json!(false)), "{refused}");
    let told = refused["message"].as_str().unwrap_or_default();
    assert!(told.starts_with("Calendar integration not configured"), "{told}");
    assert_eq!(google.google.events(ANA).len(), 1);
}

/// What the lines are run against.
struct Walked<'a> {
    base: &'a str,
    key: &'a str,
    admin: &'a str,
    revoke: &'a str,
    google: &'a Simulated,
}

async fn admin_key(process: &Process) -> String {
    let arguments = ["api-keys", "create", "--name", "admin", "--scope", "admin"];
    process.home.told(&arguments).await
}

#[tokio::test]
async fn the_guides_curl_lines_work_with_address_and_key_changed() {
    let google = Simulated::start();
    let process = Process::start(&google, "").await;
    let (status, answer) = run(CREATE, &process.home.base, None);
    assert_eq!((status, &answer["success"]), (401, &json!(false)), "{answer}");
    process.connect(ANA).await;
    let (key, admin) = (process.new_key().await, admin_key(&process).await);
    walk(&Walked {
        base: &process.home.base,
        key: &key,
        admin: &admin,
        revoke: REVOKE,
        google: &google,
    });
}

#[tokio::test]
async fn behind_the_guides_nginx_everything_works_too() {
    let google = Simulated::start();
    let mut home = crate::process::Home::new(&google, "");
    let nginx = Nginx::start(&home.base);
    let base = nginx.base.as_str();
    let callback = format!("{base}/oauth2callback");
    google.google.allow_redirect(&callback);
    let credentials = home.place.path().join("google-credentials.json");
    std::fs::write(credentials, google.google.credentials_json(&callback)).expect("a file");
    home.environment.push(("CALBRIDGE_PUBLIC_URL".into(), base.into()));
    let process = Process::start_in(home).await;

    let browser = Browser::default();
    for probe in ["/api/livez", "/api/readyz", "/api/health"] {
        assert_eq!(browser.get(&format!("{base}{probe}")).await.status, 200, "{probe}");
    }
    let page = browser.get(&format!("{base}/google-calendar-setup")).await;
    assert!(page.status == 200 && page.text.contains("id=\"code\""), "{}", page.text);
    let style = browser.get(&format!("{base}/google-calendar-setup/style.css")).await;
    assert!(style.header("content-type").starts_with("text/css"), "{:?}", style.headers);
    browser.sign_in(base, &process.home.told(&["setup-code"]).await).await;
    let back = browser.connect(base, ANA).await;
    assert!(back.header("location").ends_with("notice=connected"), "{}", back.text);
    let page = browser.get(&format!("{base}/google-calendar-setup")).await;
    assert!(page.text.contains(ANA), "{}", page.text);

    // The old address is in no location: nginx answers it, and calbridge never hears of it.
    assert_eq!(browser.get(&format!("{base}/google-calendar-revoke")).await.status, 404);
    let (key, admin) = (process.new_key().await, admin_key(&process).await);
    let revoke = REVOKE.replace("/google-calendar-revoke", "/google-calendar-setup/revoke");
    walk(&Walked { base, key: &key, admin: &admin, revoke: &revoke, google: &google });
}
