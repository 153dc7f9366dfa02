//! The setup page through the front door: a browser that keeps cookies, the simulated Google's
//! consent page, and everybody who must not get in.

use axum::body::Body;
use calbridge::app::access;
use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use chrono::TimeDelta;
use hyper::{Method, Request, header};

use crate::bridge::{ANA, Answer, Bridge, Choices, tea};
use browser::{ALLOW, Browser, HOME, ORIGIN, form, proof, set_cookies};

pub mod browser;

/// Every form that changes something for an administrator.
const FORMS: [&str; 7] = [
    "/google-calendar-setup/oauth-client",
    "/google-calendar-setup/logout",
    "/google-calendar-setup/connect",
    "/google-calendar-setup/test-event",
    "/google-calendar-setup/test-event/remove",
    "/google-calendar-setup/revoke",
    "/google-calendar-revoke",
];

/// A page that says so, under this status.
fn says(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert!(answer.text.contains(text), "no {text:?} in {}", answer.text);
}

/// A request of a program that may not be at `localhost:3001`.
async fn program(bridge: &Bridge, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bridge.send(request.body(Body::empty()).expect("a request")).await
}

async fn admin_key(bridge: &Bridge) -> String {
    format!("Bearer {}", bridge.key_for(&[Scope::Admin]).await)
}

async fn is_connected(bridge: &Bridge) -> bool {
    bridge.get("/api/calendar-status").await.json()["authenticated"] == true
}

#[tokio::test]
async fn an_administrator_connects_tries_it_and_disconnects() {
    let bridge = Bridge::start().await;
    let browser = Browser::signed_in(&bridge).await;
    says(&browser.get(HOME).await, 200, "id=\"not-connected\"");

    let connected = browser.connect().await;
    assert_eq!(
        (connected.status, connected.header("location")),
        (303, "/google-calendar-setup?notice=connected")
    );
    let home = browser.get(connected.header("location")).await;
    says(&home, 200, "id=\"connected\"");
    says(&home, 200, "the account is connected");
    says(&home, 200, ANA);
    says(&home, 200, "2 November 2026, 08:00 UTC");
    says(&home, 200, "0 waiting, 0 given up");
    assert!(!home.text.contains("id=\"missing\""), "{}", home.text);

    let tried = browser.submit("/google-calendar-setup/test-event", &[]).await;
    assert_eq!(tried.status, 303, "{}", tried.text);
    let shown = browser.get(tried.header("location")).await;
    says(&shown, 200, "The test event is in the calendar");
    says(&shown, 200, "id=\"event-link\"");
    says(&shown, 200, "id=\"meet-link\"");
    assert_eq!(bridge.titles(ANA), ["calbridge test event"]);

    let id = tried.header("location").split_once("id=").expect("an id").1.to_owned();
    let removed = browser.submit("/google-calendar-setup/test-event/remove", &[("id", &id)]).await;
    says(&browser.get(removed.header("location")).await, 200, "The test event is removed");
    assert_eq!(bridge.titles(ANA), [""; 0]);

    says(
        &browser.get("/google-calendar-setup/revoke").await,
        200,
        "Disconnect <span class=\"break\">ana@example.com",
    );
    assert!(is_connected(&bridge).await);
    let gone = browser.submit("/google-calendar-setup/revoke", &[]).await;
    assert_eq!(gone.header("location"), "/google-calendar-setup?notice=disconnected");
    says(&browser.get(HOME).await, 200, "id=\"not-connected\"");
    bridge.run_until_idle().await;
    assert_eq!(bridge.calls("revoke"), 1);
    let again = browser.submit("/google-calendar-revoke", &[]).await;
    assert_eq!(again.header("location"), "/google-calendar-setup?notice=not-connected");
}

#[tokio::test]
async fn the_setup_code_works_once_and_no_other_works() {
    let bridge = Bridge::start().await;
    let code = access::new_setup_code(&bridge.tied.app).await.expect("a code");
    let stranger = Browser::new(&bridge);
    for wrong in ["", "0", "00000000000000000000000000", &code.to_uppercase().replace('A', "B")] {
        let refused = stranger.sign_in(wrong).await;
        says(&refused, 403, "This setup code does not work");
        assert!(set_cookies(&refused).is_empty());
    }
    says(
        &stranger.post("/google-calendar-setup/session", &[], &[]).await,
        400,
        "Type the setup code",
    );
    let foreign = [("origin", "https://elsewhere.example")];
    says(
        &stranger.post("/google-calendar-setup/session", &[("code", &code)], &foreign).await,
        403,
        "another site",
    );

    let opened = stranger.sign_in(&format!(" {code}\n")).await;
    assert_eq!((opened.status, opened.header("location")), (303, HOME));
    says(&Browser::new(&bridge).sign_in(&code).await, 403, "it was used before");
}

#[tokio::test]
async fn without_a_session_the_page_tells_nothing_but_how_to_get_one() {
    let bridge = Bridge::connected().await;
    let stranger = Browser::new(&bridge);
    let page = stranger.get(HOME).await;
    says(&page, 200, "A Google account is connected.");
    let file = bridge.tied.app.settings.setup_code_file.display().to_string();
    says(&page, 200, &file);
    says(&page, 200, "calbridge setup-code");
    assert!(!page.text.contains(ANA) && !page.text.contains("csrf"), "{}", page.text);
    says(&stranger.get("/google-calendar-revoke").await, 403, "Setup code");
    let event =
        stranger.get("/google-calendar-setup/test-event?id=00000000000000000000000000").await;
    assert_eq!((event.status, event.header("location")), (303, HOME));
}

#[tokio::test]
async fn a_session_ends_by_log_out_and_by_itself() {
    let bridge = Bridge::start().await;
    let browser = Browser::signed_in(&bridge).await;
    let shown = browser.cookies.borrow().clone();
    let out = browser.submit("/google-calendar-setup/logout", &[]).await;
    assert_eq!(out.header("location"), "/google-calendar-setup?notice=signed-out");
    assert!(browser.cookies.borrow().is_empty());
    browser.cookies.replace(shown);
    says(&browser.get(HOME).await, 200, "Setup code");

    let browser = Browser::signed_in(&bridge).await;
    let csrf = browser.csrf().await;
    bridge.pass(TimeDelta::minutes(31));
    let late = browser
        .post("/google-calendar-setup/connect", &[("csrf", &csrf)], &[("origin", ORIGIN)])
        .await;
    says(&late, 403, "Your session is over");
}

#[tokio::test]
async fn what_is_missing_is_told_with_the_way_to_mend_it() {
    let bridge = Bridge::start().await;
    let browser = Browser::signed_in(&bridge).await;
    let file = bridge.place.path().join("google-credentials.json");
    let good = std::fs::read_to_string(&file).expect("a file");
    std::fs::remove_file(&file).expect("a file");
    let page = browser.get(HOME).await;
    says(&page, 200, "OAuth client not initialized");
    says(&page, 200, "id=\"redirect-uri\">http://localhost:3001/oauth2callback<");
    says(&page, 200, &format!("id=\"credentials-file\">{}<", file.display()));
    says(&page, 200, "https://console.cloud.google.com/apis/credentials\"");
    says(&Browser::new(&bridge).get(HOME).await, 200, "Not configured yet.");

    std::fs::write(
        &file,
        good.replace("localhost:3001/oauth2callback", "localhost:3001/oauth2callback/"),
    )
    .expect("a file");
    says(
        &browser.get(HOME).await,
        200,
        "Invalid redirect URI: http://localhost:3001/oauth2callback is not in the credentials file",
    );
    let refused = browser
        .post("/google-calendar-setup/connect", &[("csrf", &proof(&page))], &[("origin", ORIGIN)])
        .await;
    says(&refused, 409, "Invalid redirect URI");

    std::fs::write(&file, good).expect("a file");
    says(&browser.get(HOME).await, 200, "id=\"not-connected\"");
}

#[tokio::test]
async fn every_error_of_a_consent_is_explained() {
    let bridge = Bridge::start().await;
    let browser = Browser::signed_in(&bridge).await;
    for (error, told) in [
        ("access_denied", "said no"),
        ("invalid_request", "could not read the request"),
        ("unauthorized_client", "may not ask for consent in this way"),
        ("unsupported_response_type", "does not give this client a code"),
        ("invalid_scope", "does not know one of the scopes"),
        ("server_error", "fault of its own"),
        ("temporarily_unavailable", "down for a while"),
        ("<script>alert(1)</script>", "an error that its manual does not list"),
    ] {
        let url = browser.begin().await;
        let state =
            url.query_pairs().find(|(name, _)| name == "state").expect("a state").1.into_owned();
        let answer = browser
            .get(&format!("/oauth2callback?{}", form(&[("error", error), ("state", &state)])))
            .await;
        says(&answer, 400, told);
        says(&answer, 400, "href=\"/google-calendar-setup\"");
        assert!(!answer.text.contains("<script"), "{}", answer.text);
    }
    let mut foreign = browser.consent(&[("decision", "allow")]).await;
    foreign = foreign.replace("accounts.google.com", "accounts.example.com");
    assert!(foreign.contains("iss="), "{foreign}");
    says(&browser.get(&foreign).await, 400, "another issuer");
    let denied = browser.consent(&[("decision", "deny")]).await;
    says(&browser.get(&denied).await, 400, "said no");
    says(&browser.get("/oauth2callback?state=a&state=b").await, 400, "cannot be read");
    assert!(!is_connected(&bridge).await);
    assert_eq!(bridge.google.token_calls("authorization_code"), 0);
}

#[tokio::test]
async fn a_consent_counts_once_soon_and_in_the_browser_that_began_it() {
    let bridge = Bridge::start().await;
    let browser = Browser::signed_in(&bridge).await;
    let unknown = "This consent is not known here";

    let callback = browser.consent(ALLOW).await;
    says(&Browser::new(&bridge).get(&callback).await, 400, unknown);
    says(&browser.get(&callback).await, 400, unknown);

    // A browser with a consent of its own under way is not the one that began this one.
    let callback = browser.consent(ALLOW).await;
    let other = Browser::signed_in(&bridge).await;
    other.begin().await;
    says(&other.get(&callback).await, 400, unknown);

    let callback = browser.consent(ALLOW).await;
    bridge.pass(TimeDelta::minutes(10));
    says(&browser.get(&callback).await, 400, unknown);
    assert_eq!(bridge.google.token_calls("authorization_code"), 0);

    let browser = Browser::signed_in(&bridge).await;
    let callback = browser.consent(ALLOW).await;
    let cookies = browser.cookies.borrow().clone();
    let done = browser.get(&callback).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(
        set_cookies(&done)
            .iter()
            .any(|cookie| cookie.starts_with("cb_oauth=;") && cookie.contains("Max-Age=0"))
    );
    browser.cookies.replace(cookies);
    says(&browser.get(&callback).await, 400, unknown);
    assert_eq!(bridge.google.token_calls("authorization_code"), 1);
}

#[tokio::test]
async fn a_part_of_the_scopes_is_not_enough() {
    let bridge = Bridge::start().await;
    let browser = Browser::signed_in(&bridge).await;
    let callback = browser.consent(&[("decision", "allow"), ("user", ANA), ("choose", "1")]).await;
    let answer = browser.get(&callback).await;
    says(
        &answer,
        400,
        "Google granted only a part of what is needed; missing: https://www.googleapis.com/auth/calendar",
    );
    assert!(!is_connected(&bridge).await);
}

#[tokio::test]
async fn googles_own_trouble_is_told_as_googles() {
    let bridge = Bridge::start().await;
    let browser = Browser::signed_in(&bridge).await;
    bridge.fault(Fault::new(FaultKind::InvalidClient));
    let callback = browser.consent(ALLOW).await;
    says(&browser.get(&callback).await, 502, "The account was not connected");
    assert!(!is_connected(&bridge).await);
}

#[tokio::test]
async fn a_dead_grant_is_told_and_mended_by_connecting_again() {
    let bridge = Bridge::connected().await;
    let browser = Browser::signed_in(&bridge).await;
    bridge.google.revoke_grants(ANA);
    bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    let page = browser.get(HOME).await;
    says(&page, 200, "id=\"reconnect-needed\"");
    says(&page, 200, "id=\"cause\"");
    says(&page, 200, "1 waiting");
    says(&Browser::new(&bridge).get(HOME).await, 200, "must be connected again");

    assert_eq!(browser.connect().await.status, 303);
    bridge.run_until_idle().await;
    says(&browser.get(HOME).await, 200, "id=\"connected\"");
    assert_eq!(bridge.titles(ANA), ["Tea"]);
}

#[tokio::test]
async fn a_form_needs_a_session_its_proof_and_our_own_page() {
    let bridge = Bridge::connected().await;
    let browser = Browser::signed_in(&bridge).await;
    let csrf = browser.csrf().await;
    let (right, wrong) = ([("csrf", csrf.as_str())], [("csrf", "0")]);
    for path in FORMS {
        let ours = [("origin", ORIGIN)];
        says(&Browser::new(&bridge).post(path, &right, &ours).await, 403, "Your session is over");
        says(&browser.post(path, &[], &ours).await, 403, "out of date");
        says(&browser.post(path, &wrong, &ours).await, 403, "out of date");
        for foreign in [
            &[("origin", "https://elsewhere.example")][..],
            &[("origin", "http://localhost:3002")],
            &[("origin", "https://localhost:3001"), ("sec-fetch-site", "same-origin")],
            &[("origin", "null")],
            &[("origin", "null"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
        ] {
            says(&browser.post(path, &right, foreign).await, 403, "from another site");
        }
    }
    assert!(is_connected(&bridge).await);
    assert_eq!(bridge.calls("events.insert"), 0);
    for ours in [
        &[][..],
        &[("origin", "null"), ("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "none")],
        &[("origin", ORIGIN), ("sec-fetch-site", "same-origin")],
    ] {
        let answer = browser.post("/google-calendar-setup/connect", &right, ours).await;
        assert_eq!(answer.status, 303, "{ours:?}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_page_opened_under_another_name_leads_to_the_right_one() {
    let bridge = Bridge::connected().await;
    for path in
        ["/google-calendar-setup", "/oauth2callback?state=a&code=b", "/google-calendar-revoke"]
    {
        for host in ["127.0.0.1:3001", "localhost:3002", "elsewhere.example"] {
            let answer = program(&bridge, Method::GET, path, &[("host", host)]).await;
            assert_eq!(
                (answer.status, answer.header("location")),
                (307, format!("{ORIGIN}{path}").as_str()),
                "{host}"
            );
        }
    }
    for path in FORMS {
        let answer = program(&bridge, Method::POST, path, &[("host", "127.0.0.1:3001")]).await;
        says(&answer, 403, "This server is known as http://localhost:3001");
    }
    for host in ["localhost", "LOCALHOST:3001"] {
        assert_eq!(
            program(&bridge, Method::GET, HOME, &[("host", host)]).await.status,
            200,
            "{host}"
        );
    }
    let status =
        program(&bridge, Method::GET, "/api/calendar-status", &[("host", "127.0.0.1:3001")]).await;
    assert_eq!(status.json()["authenticated"], true);
}

#[tokio::test]
async fn revoking_needs_an_administrators_key_or_a_confirmation() {
    let bridge = Bridge::connected().await;
    let browser = Browser::signed_in(&bridge).await;
    let admin = admin_key(&bridge).await;
    let events = format!("Bearer {}", bridge.key);
    for path in ["/google-calendar-revoke", "/google-calendar-setup/revoke"] {
        says(&browser.get(path).await, 200, "Disconnect");
        for method in [Method::GET, Method::POST] {
            let refused =
                program(&bridge, method.clone(), path, &[("authorization", &events)]).await;
            assert_eq!(refused.status, 403, "{}", refused.text);
            assert_eq!(refused.json()["success"], false);
            assert_eq!(refused.json()["code"], "scope_missing");
            let unknown = program(&bridge, method, path, &[("x-api-key", "cb_0_0")]).await;
            assert_eq!((unknown.status, &unknown.json()["success"]), (401, &false.into()));
        }
        program(&bridge, Method::HEAD, path, &[("authorization", &admin)]).await;
        assert!(is_connected(&bridge).await);
    }
    for (method, path) in
        [(Method::GET, "/google-calendar-revoke"), (Method::POST, "/google-calendar-setup/revoke")]
    {
        let done = program(&bridge, method.clone(), path, &[("authorization", &admin)]).await;
        assert_eq!(done.status, 200, "{}", done.text);
        assert_eq!(done.json()["success"], true);
        assert!(done.json()["message"].is_string());
        assert!(!is_connected(&bridge).await);
        let again = program(&bridge, method, path, &[("authorization", &admin)]).await;
        assert_eq!((again.status, &again.json()["code"]), (409, &"not_connected".into()));
        assert_eq!(again.json()["success"], false);
        bridge.connect(ANA).await.expect("the account can be connected");
    }
    bridge.run_until_idle().await;
}

#[tokio::test]
async fn pages_are_closed_to_frames_scripts_and_caches() {
    let bridge = Bridge::connected().await;
    let browser = Browser::signed_in(&bridge).await;
    let google = bridge.tied.app.google.endpoints().consent.origin().ascii_serialization();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self' {google}; base-uri 'none'; \
         frame-ancestors 'none'"
    );
    let id = "00000000000000000000000000";
    for path in [
        HOME.to_owned(),
        "/google-calendar-revoke".to_owned(),
        "/oauth2callback?error=access_denied".to_owned(),
        format!("/google-calendar-setup/test-event?id={id}"),
    ] {
        let page = browser.get(&path).await;
        for (name, value) in [
            ("content-security-policy", policy.as_str()),
            ("cross-origin-opener-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("content-type", "text/html; charset=utf-8"),
            (
                "referrer-policy",
                if path.starts_with("/oauth2") { "no-referrer" } else { "same-origin" },
            ),
        ] {
            assert_eq!(page.header(name), value, "{name} of {path}");
        }
        for banned in ["<script", "<style", " style=", " onclick="] {
            assert!(!page.text.contains(banned), "{banned} in {}", page.text);
        }
    }
    let style = browser.get("/google-calendar-setup/style.css").await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
}

#[tokio::test]
async fn cookies_are_as_closed_as_the_address_allows() {
    let bridge = Bridge::start().await;
    let browser = Browser::new(&bridge);
    let code = access::new_setup_code(&bridge.tied.app).await.expect("a code");
    let opened = browser.sign_in(&code).await;
    let [session] = set_cookies(&opened)[..] else {
        panic!("one cookie: {:?}", set_cookies(&opened))
    };
    assert!(
        session.starts_with("cb_session=") && session.ends_with("; HttpOnly; SameSite=Lax; Path=/"),
        "{session}"
    );
    let begun = browser.submit("/google-calendar-setup/connect", &[]).await;
    let [consent] = set_cookies(&begun)[..] else {
        panic!("one cookie: {:?}", set_cookies(&begun))
    };
    assert!(consent.starts_with("cb_oauth="), "{consent}");
    assert!(consent.ends_with("; HttpOnly; SameSite=Lax; Path=/; Max-Age=600"), "{consent}");

    let settings = "public_url = \"https://calendar.example.com\"".to_owned();
    let bridge = Bridge::with(Choices { settings, ..Choices::default() }).await;
    let code = access::new_setup_code(&bridge.tied.app).await.expect("a code");
    let request = Request::post("/google-calendar-setup/session")
        .header(header::HOST, "calendar.example.com")
        .header(header::ORIGIN, "https://calendar.example.com")
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(Body::from(form(&[("code", &code)])))
        .expect("a request");
    let opened = bridge.send(request).await;
    let [session] = set_cookies(&opened)[..] else { panic!("one cookie: {}", opened.text) };
    assert!(session.starts_with("__Host-cb_session="), "{session}");
    assert!(session.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/"), "{session}");
}

#[tokio::test]
async fn the_calendar_is_chosen_on_a_page_of_those_that_there_are() {
    let bridge = Bridge::connected().await;
    let browser = Browser::signed_in(&bridge).await;
    let path = "/google-calendar-setup/calendars";
    let page = browser.get(path).await;
    says(&page, 200, &format!("value=\"{ANA}\" checked"));
    says(&page, 200, "(the account's own)");
    says(&Browser::new(&bridge).get(path).await, 403, "Setup code");
    let refused = browser.submit(path, &[("choice", "ben@example.com")]).await;
    says(&refused, 422, "list that it may write to");
    let chosen = browser.submit(path, &[("choice", ANA)]).await;
    assert_eq!(chosen.header("location"), "/google-calendar-setup?notice=calendar-chosen");
    let home = browser.get(chosen.header("location")).await;
    says(&home, 200, "New events go to the calendar that was chosen.");
    says(&home, 200, "id=\"last-refresh\">2 November 2026, 08:00 UTC<");
}

#[tokio::test]
async fn what_waits_is_cancelled_with_the_account_where_the_person_says_so() {
    let bridge = Bridge::connected().await;
    let browser = Browser::signed_in(&bridge).await;
    bridge.google.revoke_grants(ANA);
    bridge.google.expire_access_tokens();
    let event = bridge.accept(&tea()).await;
    bridge.run_until_idle().await;
    let home = browser.get(HOME).await;
    says(&home, 200, "somebody removed the access");
    says(&home, 200, "<b>What to do:</b> Connect the same account again");
    let gone = browser.submit("/google-calendar-setup/revoke", &[("choice", "cancel")]).await;
    assert_eq!(gone.status, 303, "{}", gone.text);
    assert_eq!(bridge.event(&event["id"]).await["state"], "stopped");
}
