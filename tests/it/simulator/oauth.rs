//! Consents, tokens and the many ways in which they end.

use axum::http::Method;
use calbridge::simulator::{Fault, FaultKind, Settings};
use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{EVENTS_SCOPE, LIST_SCOPE, PRIMARY, REDIRECT, Reply, VERIFIER, World, form, parameter};

const MAIL_SCOPE: &str = "https://mail.google.com/";
const OFFLINE: [(&str, &str); 2] = [("access_type", "offline"), ("prompt", "consent")];
const NO_STORE: &str = "no-cache, no-store, max-age=0, must-revalidate";

/// A client with `more` keys, and two users of which one belongs to a Workspace.
fn settings(more: &str) -> Settings {
    let text = format!(
        "[[user]]\nemail = 'ana@example.com'\nname = 'Ana Reis'\nhd = 'example.com'\n\
         [[user]]\nemail = 'ben@home.test'\nname = 'Ben'\n\
         [[client]]\nid = 'one'\nsecret = 'the-first-secret'\nredirect_uris = ['{REDIRECT}']\n{more}"
    );
    Settings::from_toml(&text).unwrap()
}

async fn world(more: &str) -> World {
    World::with(settings(more)).await
}

fn told(reply: &Reply) -> (u16, String, String) {
    let body = reply.json();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    (reply.status, text("error"), text("error_description"))
}

fn answer(status: u16, error: &str, description: &str) -> (u16, String, String) {
    (status, error.to_owned(), description.to_owned())
}

fn dead() -> (u16, String, String) {
    answer(400, "invalid_grant", "Token has been expired or revoked.")
}

/// Exchanges a code that was asked for with `extra`; the answer's body.
async fn tokens(world: &World, extra: &[(&str, &str)]) -> Value {
    let code = world.code(&[&OFFLINE[..], extra].concat()).await;
    world.exchange(&code, VERIFIER).await.json()
}

fn refresh_of(tokens: &Value) -> &str {
    tokens["refresh_token"].as_str().expect("a refresh token")
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_shown_and_sent_nowhere() {
    let world = World::new().await;
    let oob = "urn:ietf:wg:oauth:2.0:oob";
    let wrong: [(&[(&str, &str)], &str); 12] = [
        (&[("redirect_uri", oob)], "The out-of-band (OOB) flow has been blocked"),
        (&[("redirect_uri", "HTTP://127.0.0.1:3001/oauth2callback")], "redirect_uri_mismatch"),
        (&[("redirect_uri", "http://127.0.0.1:3002/oauth2callback")], "redirect_uri_mismatch"),
        (&[("client_id", "")], "Required parameter is missing: client_id"),
        (&[("scope", "")], "Required parameter is missing: scope"),
        (&[("scope", "https://www.googleapis.com/auth/calendar.everything")], "invalid_scope"),
        (&[("response_type", "token")], "unsupported_response_type"),
        (&[("code_challenge_method", "S512")], "Transform algorithm not supported."),
        (&[("prompt", "none consent")], "Invalid prompt: none"),
        (&[("prompt", "login")], "Invalid prompt: login"),
        (&[("prompt", "consent"), ("approval_prompt", "force")], "Conflict params"),
        (&[("scope", "openid"), ("scope", "email")], "can only have a single value: scope"),
    ];
    for (extra, text) in wrong {
        let reply = world.get(&world.consent_path(extra)).await;
        assert_eq!((reply.status, reply.header("location")), (400, ""), "{extra:?}");
        assert!(reply.header("content-type").starts_with("text/html"));
        assert!(reply.text.contains(text), "{extra:?} is not told: {text}\n{}", reply.text);
    }
    let view = [("user-agent", "Mozilla/5.0 (Linux; Android 15; Pixel 9; wv) Chrome/142.0")];
    let path = world.consent_path(&[]);
    let reply = world.send(Method::GET, &path, &view, String::new()).await.unwrap();
    assert!(reply.status == 400 && reply.text.contains("Error 403: disallowed_useragent"));
    let ignored = world.consent_path(&[("flavour", "vanilla"), ("prompt", "select_account")]);
    assert_eq!(world.get(&ignored).await.status, 200, "what Google does not know it passes over");
    world.end().await;
}

#[tokio::test]
async fn some_clients_may_not_ask_and_some_accounts_may_not_answer() {
    let cases = [
        ("state = 'deleted'", None, "Error 401: deleted_client"),
        ("state = 'disabled'", None, "Error 401: disabled_client"),
        (
            "state = 'internal'\nworkspace = 'example.com'",
            Some("ben@home.test"),
            "403: org_internal",
        ),
        ("state = 'admin_policy'", Some("ana@example.com"), "Error 400: admin_policy_enforced"),
        (
            "publishing = 'testing'\ntest_users = ['ana@example.com']",
            Some("ben@home.test"),
            "Error 403: access_denied",
        ),
    ];
    for (more, asked, text) in cases {
        let world = world(more).await;
        let path = world.consent_path(&[]);
        let page = world.get(&path).await;
        let reply = match asked {
            None => page,
            Some(user) => {
                assert_eq!(page.status, 200, "{more}");
                world.post_form(&path, &[("decision", "allow"), ("user", user)]).await
            }
        };
        assert_eq!((reply.status, reply.header("location")), (400, ""), "{more}");
        assert!(reply.text.contains(text), "{more}: {}", reply.text);
        world.end().await;
    }
    let world = world("state = 'internal'\nworkspace = 'example.com'").await;
    assert!(tokens(&world, &[]).await["access_token"].is_string(), "one of the house may");
    world.end().await;
    for (state, error) in [("deleted", "deleted_client"), ("disabled", "disabled_client")] {
        let world = self::world(&format!("state = '{state}'")).await;
        let reply = world.refresh("1//any").await;
        let text = format!("The OAuth client was {state}.");
        assert_eq!(told(&reply), answer(401, error, &text));
        world.end().await;
    }
}

#[tokio::test]
async fn without_a_prompt_only_a_known_account_with_a_consent_comes_back_with_a_code() {
    let world = world("").await;
    let silently = async |extra: &[(&str, &str)]| {
        let path = world.consent_path(&[&[("prompt", "none")], extra].concat());
        let reply = world.get(&path).await;
        assert_eq!(reply.status, 302, "{}", reply.text);
        let back: url::Url = reply.header("location").parse().unwrap();
        assert_eq!(parameter(&back, "state").unwrap(), "a state/with+signs");
        parameter(&back, "error").or(parameter(&back, "prompt")).unwrap()
    };
    let ana = ("login_hint", "ana@example.com");
    assert_eq!(silently(&[]).await, "interaction_required", "there are two accounts");
    assert_eq!(silently(&[("login_hint", "eve@example.com")]).await, "login_required");
    assert_eq!(silently(&[ana]).await, "interaction_required", "ana has allowed nothing");
    let code = world.code(&[]).await;
    assert_eq!(silently(&[ana]).await, "none", "a consent counts before its code is exchanged");
    let access = world.exchange(&code, VERIFIER).await.json()["access_token"].clone();
    let bearer = access.as_str().unwrap();
    let who = world.api(bearer, Method::GET, "/v1/userinfo", Value::Null).await.json();
    assert_eq!(silently(&[("login_hint", who["sub"].as_str().unwrap())]).await, "none");
    assert_eq!(silently(&[("hd", "example.com")]).await, "none", "one account is left to choose");
    assert_eq!(silently(&[("hd", "other.test"), ana]).await, "login_required");
    assert_eq!(silently(&[ana, ("scope", LIST_SCOPE)]).await, "interaction_required");
    world.end().await;
}

#[tokio::test]
async fn the_page_offers_the_accounts_asked_for_and_the_answer_names_its_issuer() {
    let world = world("").await;
    let shown = async |extra: &[(&str, &str)]| {
        let page = world.get(&world.consent_path(extra)).await.text;
        ["ana@example.com", "ben@home.test"].map(|account| page.contains(account))
    };
    assert_eq!(shown(&[]).await, [true, true]);
    assert_eq!(shown(&[("hd", "example.com")]).await, [true, false]);
    assert_eq!(shown(&[("hd", "*")]).await, [true, false]);
    let page = world.get(&world.consent_path(&[("login_hint", "ben@home.test")])).await.text;
    assert!(page.contains("value=\"ben@home.test\" checked"), "{page}");

    let path = world.consent_path(&[("scope", &format!("email {EVENTS_SCOPE}"))]);
    let back = world.decide(&path, &[("decision", "allow")]).await;
    let told = |name: &str| parameter(&back, name).unwrap();
    assert_eq!(told("iss"), "https://accounts.google.com");
    assert_eq!((told("authuser").as_str(), told("prompt").as_str()), ("0", "consent"));
    assert_eq!(told("hd"), "example.com");
    let email = "https://www.googleapis.com/auth/userinfo.email";
    assert_eq!(told("scope"), format!("email {EVENTS_SCOPE} {email} openid"));
    world.end().await;
}

#[tokio::test]
async fn an_installed_client_comes_back_to_any_port_and_sends_its_secret() {
    let world = world("kind = 'installed'").await;
    for redirect in ["http://127.0.0.1:50123/", "http://localhost:8085/back", "http://[::1]:9000"] {
        let path = world.consent_path(&[("redirect_uri", redirect)]);
        let back = world.decide(&path, &[("decision", "allow")]).await;
        let code = parameter(&back, "code").unwrap();
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code.as_str()),
            ("client_id", "one"),
            ("redirect_uri", redirect),
            ("code_verifier", VERIFIER),
        ];
        let bare = world.post_form("/token", &fields).await;
        assert_eq!(told(&bare), answer(400, "invalid_request", "client_secret is missing."));
        fields.push(("client_secret", "the-first-secret"));
        assert_eq!(world.post_form("/token", &fields).await.status, 200, "{redirect}");
    }
    for redirect in
        ["http://192.0.2.1:50123/", "https://127.0.0.1:50123/", "http://localhost.test/"]
    {
        let reply = world.get(&world.consent_path(&[("redirect_uri", redirect)])).await;
        assert!(reply.text.contains("redirect_uri_mismatch"), "{redirect}");
    }
    // Incremental consent is for web clients only.
    tokens(&world, &[]).await;
    let more = tokens(&world, &[("scope", LIST_SCOPE), ("include_granted_scopes", "true")]).await;
    assert_eq!(more["scope"], LIST_SCOPE);
    world.end().await;
}

#[tokio::test]
async fn what_was_granted_for_a_while_ends_with_it() {
    let world = world("").await;
    let path = world.consent_path(&OFFLINE);
    let back = world.decide(&path, &[("decision", "allow"), ("period_days", "1")]).await;
    let given = world.exchange(&parameter(&back, "code").unwrap(), VERIFIER).await.json();
    assert_eq!(given["refresh_token_expires_in"], 86_400);
    let refresh = refresh_of(&given);
    world.clock.advance(TimeDelta::seconds(86_400 - 10));
    let last = world.refresh(refresh).await.json();
    assert_eq!(last["expires_in"], 10, "no access outlives the grant");
    world.clock.advance(TimeDelta::seconds(10));
    assert_eq!(told(&world.refresh(refresh).await), dead());
    let access = last["access_token"].as_str().unwrap();
    assert_eq!(world.api(access, Method::GET, PRIMARY, Value::Null).await.status, 401);
    let silent = world.consent_path(&[("prompt", "none"), ("login_hint", "ana@example.com")]);
    let back: url::Url = world.get(&silent).await.header("location").parse().unwrap();
    assert_eq!(parameter(&back, "error").unwrap(), "interaction_required");
    let wrong = world.post_form(&path, &[("decision", "allow"), ("period_days", "0")]).await;
    assert_eq!(wrong.status, 400);
    world.end().await;
}

#[tokio::test]
async fn a_client_in_testing_keeps_its_grants_for_seven_days() {
    let world = world("publishing = 'testing'").await;
    let calendar = tokens(&world, &[]).await;
    assert_eq!(calendar["refresh_token_expires_in"], 604_800);
    world.clock.advance(TimeDelta::days(7) - TimeDelta::seconds(1));
    assert_eq!(world.refresh(refresh_of(&calendar)).await.status, 200);
    world.clock.advance(TimeDelta::seconds(1));
    assert_eq!(told(&world.refresh(refresh_of(&calendar)).await), dead());
    let again = world.code(&[("access_type", "offline")]).await;
    let again = world.exchange(&again, VERIFIER).await.json();
    assert!(again["refresh_token"].is_string(), "a new grant is a first one");

    world.simulator.revoke_grants("ana@example.com");
    let identity = tokens(&world, &[("scope", "openid email profile")]).await;
    assert!(identity["refresh_token_expires_in"].is_null());
    world.clock.advance(TimeDelta::days(30));
    assert_eq!(world.refresh(refresh_of(&identity)).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn a_refresh_token_dies_of_half_a_year_without_use() {
    let world = World::new().await;
    let (_, refresh) = world.connect().await;
    for _ in 0..3 {
        world.clock.advance(TimeDelta::days(180));
        assert_eq!(world.refresh(&refresh).await.status, 200, "use keeps it alive");
    }
    world.clock.advance(TimeDelta::days(184));
    assert_eq!(told(&world.refresh(&refresh).await), dead());
    let gone = world.post_form("/revoke", &[("token", &refresh)]).await;
    assert_eq!(told(&gone), answer(400, "invalid_token", "Token expired or revoked"));
    world.end().await;
}

#[tokio::test]
async fn the_hundred_and_first_refresh_token_kills_the_first() {
    let world = World::new().await;
    let (_, first) = world.connect().await;
    let (_, second) = world.connect().await;
    for _ in 2..100 {
        world.connect().await;
    }
    assert_eq!(world.refresh(&first).await.status, 200);
    world.connect().await;
    assert_eq!(told(&world.refresh(&first).await), dead());
    assert_eq!(world.refresh(&second).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn what_one_client_was_given_is_no_use_to_another() {
    let second = "[[client]]\nid = 'two'\nsecret = 'another-secret'\nredirect_uris = []";
    let world = world(second).await;
    let refresh = tokens(&world, &[]).await;
    let code = world.code(&[]).await;
    let other = [("client_id", "two"), ("client_secret", "another-secret")];
    let stolen = [("grant_type", "refresh_token"), ("refresh_token", refresh_of(&refresh))];
    let reply = world.post_form("/token", &[stolen, other].concat()).await;
    assert_eq!(told(&reply), answer(401, "unauthorized_client", "Unauthorized"));
    let stolen = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    let reply = world.post_form("/token", &[&stolen[..], &other].concat()).await;
    assert_eq!(told(&reply), answer(400, "invalid_grant", "Bad Request"));
    assert_eq!(world.refresh(refresh_of(&refresh)).await.status, 200, "the owner's lives");
    assert_eq!(world.exchange(&code, VERIFIER).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn the_token_endpoint_says_no_in_json_and_keeps_nothing_in_caches() {
    let world = World::new().await;
    let id = world.client_id.clone();
    let named = [("client_id", id.as_str()), ("client_secret", world.client_secret.as_str())];
    let with = |fields: &[(&'static str, &'static str)]| [&named[..], fields].concat();
    let code = |code: &'static str| {
        with(&[("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT)])
    };
    let cases = [
        (vec![], 400, "unsupported_grant_type", "Invalid grant_type: "),
        (
            with(&[("grant_type", "password")]),
            400,
            "unsupported_grant_type",
            "Invalid grant_type: password",
        ),
        (
            vec![("grant_type", "refresh_token")],
            400,
            "invalid_request",
            "Could not determine client ID from request.",
        ),
        (
            vec![("grant_type", "refresh_token"), ("client_id", "nobody"), ("client_secret", "s")],
            401,
            "invalid_client",
            "The OAuth client was not found.",
        ),
        (
            vec![("grant_type", "refresh_token"), ("client_id", &id), ("client_secret", "s")],
            401,
            "invalid_client",
            "The provided client secret is invalid.",
        ),
        (code("nonsense"), 400, "invalid_grant", "Malformed auth code."),
        (code("4/0Aunknown"), 400, "invalid_grant", "Bad Request"),
        (
            with(&[("grant_type", "refresh_token"), ("refresh_token", "1//unknown")]),
            400,
            "invalid_grant",
            "Token has been expired or revoked.",
        ),
        (
            with(&[("grant_type", "refresh_token"), ("grant_type", "password")]),
            400,
            "invalid_request",
            "OAuth 2 parameters can only have a single value: grant_type",
        ),
    ];
    for (fields, status, error, description) in cases {
        let reply = world.post_form("/token", &fields).await;
        assert_eq!(told(&reply), answer(status, error, description));
        assert!(reply.header("content-type").starts_with("application/json"));
        assert_eq!((reply.header("cache-control"), reply.header("pragma")), (NO_STORE, "no-cache"));
    }
    world.end().await;
}

#[tokio::test]
async fn the_token_endpoint_takes_posted_forms_only_at_each_of_its_addresses() {
    let world = World::new().await;
    let (_, refresh) = world.connect().await;
    let whole = [
        ("client_id", world.client_id.as_str()),
        ("client_secret", &world.client_secret),
        ("grant_type", "refresh_token"),
        ("refresh_token", &refresh),
    ];
    let object: Value = whole.iter().map(|(name, value)| (*name, json!(value))).collect();
    let typed = [("content-type", "application/json")];
    for body in [object.to_string(), form(&whole)] {
        let reply = world.send(Method::POST, "/token", &typed, body).await.unwrap();
        assert_eq!(told(&reply), answer(400, "unsupported_grant_type", "Invalid grant_type: "));
    }
    let got = world.get(&format!("/token?{}", form(&whole))).await;
    assert_eq!((got.status, got.header("content-type")), (404, "text/html; charset=UTF-8"));
    for path in ["/token", "/o/oauth2/token", "/oauth2/v3/token", "/oauth2/v4/token"] {
        let reply = world.post_form(path, &whole).await;
        assert_eq!((reply.status, reply.header("cache-control")), (200, NO_STORE), "{path}");
    }
    world.end().await;
}

#[tokio::test]
async fn a_verifier_nobody_asked_for_is_refused_and_plain_is_the_default() {
    let world = World::new().await;
    let none = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = world.code(&none).await;
    let reply = world.exchange(&code, VERIFIER).await;
    let text = "code_verifier or verifier is not needed.";
    assert_eq!(told(&reply), answer(400, "invalid_grant", text));
    assert_eq!(world.exchange(&code, "").await.status, 200);
    let code = world.code(&[("code_challenge", VERIFIER), ("code_challenge_method", "")]).await;
    assert_eq!(world.exchange(&code, VERIFIER).await.status, 200);
    let short = "too-short";
    let code = world.code(&[("code_challenge", short), ("code_challenge_method", "plain")]).await;
    assert_eq!(
        world.exchange(&code, short).await.json()["error_description"],
        "Invalid code verifier."
    );
    world.end().await;
}

#[tokio::test]
async fn a_deleted_account_is_told_to_those_who_refresh() {
    let world = World::new().await;
    let (access, refresh) = world.connect().await;
    let code = world.code(&[]).await;
    let change = |user: &str, change: &str| json!({"user": user, "change": change});
    let body = change("ana@example.com", "deleted");
    let done = world.api("", Method::POST, "/simulator/accounts", body).await;
    assert_eq!(done.status, 204);
    assert_eq!(world.api(&access, Method::GET, PRIMARY, Value::Null).await.status, 401);
    let gone = answer(400, "invalid_grant", "Account has been deleted");
    assert_eq!(told(&world.refresh(&refresh).await), gone);
    assert_eq!(world.exchange(&code, VERIFIER).await.json()["error"], "invalid_grant");
    let path = world.consent_path(&[]);
    assert!(!world.get(&path).await.text.contains("ana@example.com"));
    let named = [("decision", "allow"), ("user", "ana@example.com")];
    assert_eq!(world.post_form(&path, &named).await.status, 400);
    let wrong = change("ana@example.com", "promoted");
    assert_eq!(world.api("", Method::POST, "/simulator/accounts", wrong).await.status, 400);
    world.end().await;
}

#[tokio::test]
async fn a_new_password_ends_what_reaches_mail() {
    let world = World::new().await;
    let calendar = tokens(&world, &[]).await;
    let mail = tokens(&world, &[("scope", MAIL_SCOPE)]).await;
    let body = json!({"user": "ana@example.com", "change": "password_changed"});
    world.api("", Method::POST, "/simulator/accounts", body).await;
    assert_eq!(told(&world.refresh(refresh_of(&mail)).await), dead());
    assert_eq!(world.refresh(refresh_of(&calendar)).await.status, 200);
    world.end().await;
}

#[tokio::test]
async fn the_token_endpoint_can_refuse_for_reasons_outside() {
    let world = World::new().await;
    let (_, refresh) = world.connect().await;
    let policy = "The Google Account is unable to authorize one or more scopes requested due to the \
        policies of their Google Workspace administrator.";
    let cases = [
        (FaultKind::DeletedClient, answer(401, "deleted_client", "The OAuth client was deleted.")),
        (FaultKind::AccountDeleted, answer(400, "invalid_grant", "Account has been deleted")),
        (FaultKind::AdminPolicy, answer(400, "admin_policy_enforced", policy)),
        (
            FaultKind::InvalidRapt,
            answer(400, "invalid_grant", "reauth related error (invalid_rapt)"),
        ),
    ];
    for (kind, expected) in cases {
        world.simulator.add_fault(Fault::new(kind).times(1));
        let reply = world.refresh(&refresh).await;
        assert_eq!(told(&reply), expected);
        let subtype = reply.json()["error_subtype"].clone();
        assert_eq!(subtype == "invalid_rapt", kind == FaultKind::InvalidRapt);
        assert_eq!(reply.header("cache-control"), NO_STORE);
    }
    assert_eq!(world.refresh(&refresh).await.status, 200);
    world.end().await;
}

#[test]
fn a_seed_file_names_what_is_wrong_with_clients_and_accounts() {
    let client = "[[client]]\nid = 'one'\nsecret = 's'\nredirect_uris = []\n";
    let account = "[[service_account]]\nemail = 'bot@project.test'\n";
    let faults = [
        (format!("{client}kind = 'toaster'"), "client[0].kind"),
        (format!("{client}state = 'asleep'"), "client[0].state"),
        (format!("{client}test_users = [{}]", "'a@b.c',".repeat(101)), "client[0].test_users"),
        (format!("{account}public_key_pem = 'none'"), "service_account[0].public_key_pem"),
        (
            "[[service_account]]\nemail = 'bot'\npublic_key_pem = ''".to_owned(),
            "service_account[0].email",
        ),
    ];
    for (text, key) in faults {
        let told = Settings::from_toml(&text).unwrap_err().to_string();
        assert!(told.contains(key), "{key} is not named in: {told}");
    }
}
