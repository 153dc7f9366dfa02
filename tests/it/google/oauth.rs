//! Consent, tokens and their end.

use std::collections::BTreeMap;
use std::time::Duration;

use calbridge::google::{Failure, OauthClient, Verdict};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::wire::{Wire, access, answer, cut, json};

fn client() -> OauthClient {
    OauthClient {
        id: "client-id".into(),
        secret: SecretString::from("GOCSPX-MARKER"),
        redirect_uris: Vec::new(),
        notes: Vec::new(),
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

/// From RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://localhost:3001/oauth2callback";

#[tokio::test]
async fn the_consent_page_is_asked_for_all_we_need() {
    let wire = Wire::answering([]).await;
    let asked = |hint| {
        let scopes = ["openid", "https://www.googleapis.com/auth/calendar.events"];
        let verifier = secret(VERIFIER);
        let url = wire.google.consent_url(&client(), REDIRECT, &scopes, "STATE", &verifier, hint);
        url.parse::<url::Url>().unwrap()
    };
    let url = asked(Some("ana@example.com"));
    assert_eq!(url.path(), "/consent");
    let pairs: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    let expected = [
        ("access_type", "offline"),
        ("client_id", "client-id"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("login_hint", "ana@example.com"),
        ("prompt", "consent"),
        ("redirect_uri", REDIRECT),
        ("response_type", "code"),
        ("scope", "openid https://www.googleapis.com/auth/calendar.events"),
        ("state", "STATE"),
    ];
    assert_eq!(pairs, expected.map(|(name, value)| (name.into(), value.into())).into());
    assert_eq!(url.query_pairs().count(), expected.len(), "nothing twice");
    assert!(!asked(None).as_str().contains("login_hint"));
    assert!(!url.as_str().contains(VERIFIER) && !url.as_str().contains("MARKER"));
}

async fn exchange(wire: &Wire) -> Result<calbridge::google::Grant, Failure> {
    wire.google.exchange(&client(), REDIRECT, &secret("4/0A-code"), &secret(VERIFIER)).await
}

#[tokio::test]
async fn a_code_becomes_a_grant() {
    let body = json!({
        "access_token": "ya29.MARKER", "expires_in": 3599, "token_type": "Bearer",
        "refresh_token": "1//MARKER", "id_token": "a.b.c",
        "scope": "https://www.googleapis.com/auth/userinfo.email openid",
    });
    let wire = Wire::answering([json(200, &body.to_string())]).await;
    let grant = exchange(&wire).await.unwrap();
    assert_eq!(grant.refresh_token.as_ref().unwrap().expose_secret(), "1//MARKER");
    assert_eq!(grant.access.token.expose_secret(), "ya29.MARKER");
    assert_eq!(grant.access.expires_in, Duration::from_secs(3599));
    assert_eq!(grant.scopes, ["https://www.googleapis.com/auth/userinfo.email", "openid"]);
    assert!(!format!("{grant:?}").contains("MARKER"));

    let seen = wire.only();
    assert_eq!(seen.line, "POST /token");
    let mut form = seen.form();
    form.sort();
    let expected = [
        ("client_id", "client-id"),
        ("client_secret", "GOCSPX-MARKER"),
        ("code", "4/0A-code"),
        ("code_verifier", VERIFIER),
        ("grant_type", "authorization_code"),
        ("redirect_uri", REDIRECT),
    ];
    assert_eq!(form, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert!(!seen.head.contains("authorization:"), "{}", seen.head);
}

#[tokio::test]
async fn a_second_consent_may_bring_no_refresh_token() {
    let body = r#"{"access_token": "t", "token_type": "Bearer"}"#;
    let wire = Wire::answering([json(200, body)]).await;
    let grant = exchange(&wire).await.unwrap();
    assert!(grant.refresh_token.is_none() && grant.scopes.is_empty());
    assert!(grant.access.expires_in > Duration::ZERO);
}

#[tokio::test]
async fn a_code_that_is_dead_is_not_a_grant_that_is_dead() {
    let body = r#"{"error": "invalid_grant", "error_description": "Malformed auth code."}"#;
    let wire = Wire::answering([json(400, body)]).await;
    let failure = exchange(&wire).await.unwrap_err();
    assert_eq!(failure.verdict, Verdict::Refused);
    assert_eq!(failure.reason.as_deref(), Some("invalid_grant"));
    assert!(failure.text.contains("connect the Google account again"), "{failure}");
}

async fn refreshed(raw: Vec<u8>) -> Failure {
    let wire = Wire::answering([raw]).await;
    wire.google.refresh(&client(), &secret("1//MARKER")).await.unwrap_err()
}

#[tokio::test]
async fn a_refresh_brings_an_access_token() {
    let body = json!({
        "access_token": "ya29.MARKER", "expires_in": 3599, "token_type": "Bearer",
        "scope": "openid email",
    });
    let wire = Wire::answering([json(200, &body.to_string())]).await;
    let (access, scopes) = wire.google.refresh(&client(), &secret("1//MARKER")).await.unwrap();
    assert_eq!(access.token.expose_secret(), "ya29.MARKER");
    assert_eq!(scopes.unwrap(), ["openid", "email"]);
    let form = wire.only().form();
    assert!(form.contains(&("grant_type".into(), "refresh_token".into())), "{form:?}");
    assert!(form.contains(&("refresh_token".into(), "1//MARKER".into())), "{form:?}");
}

#[tokio::test]
async fn an_operators_fault_never_costs_a_grant() {
    for (status, word, verdict) in [
        (400, "invalid_grant", Verdict::GrantDead),
        (401, "invalid_grant", Verdict::GrantDead),
        (400, "admin_policy_enforced", Verdict::GrantDead),
        (401, "invalid_client", Verdict::Operator),
        (401, "unauthorized_client", Verdict::Operator),
        (401, "deleted_client", Verdict::Operator),
        (401, "disabled_client", Verdict::Operator),
        (403, "org_internal", Verdict::Operator),
        (400, "redirect_uri_mismatch", Verdict::Operator),
        (400, "invalid_scope", Verdict::Operator),
        (400, "invalid_request", Verdict::Operator),
        (400, "unsupported_grant_type", Verdict::Operator),
        (400, "internal_failure", Verdict::Outage),
        (400, "server_error", Verdict::Outage),
        (400, "temporarily_unavailable", Verdict::Outage),
        (500, "invalid_grant", Verdict::Outage),
        (429, "invalid_grant", Verdict::RateProject),
        (403, "rate_limit_exceeded", Verdict::RateProject),
        (400, "something_new", Verdict::Unknown),
    ] {
        let body = json!({ "error": word, "error_description": "MARKER" }).to_string();
        let failure = refreshed(json(status, &body)).await;
        assert_eq!(failure.verdict, verdict, "{status} {word}");
        assert_eq!((failure.status, failure.reason.as_deref()), (Some(status), Some(word)));
        assert!(
            failure.text.ends_with(['.', ')']) && !failure.text.contains("MARKER"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn what_is_no_word_of_google_says_nothing_of_the_grant() {
    let page = ["Content-Type: text/html", "Retry-After: 9"];
    for (raw, verdict) in [
        (answer(400, &page, "<html>MARKER</html>"), Verdict::Unknown),
        (answer(401, &page, "invalid_grant"), Verdict::Unknown),
        (answer(503, &page, ""), Verdict::Outage),
        (answer(302, &["Location: /token"], ""), Verdict::Unknown),
        (json(400, r#"{"error": {"code": 400}}"#), Verdict::Unknown),
        (json(200, r#"{"token_type": "Bearer"}"#), Verdict::Unknown),
        (json(200, r#"{"access_token": "a\nb", "token_type": "Bearer"}"#), Verdict::Unknown),
        (json(200, "MARKER"), Verdict::Unknown),
        (cut(200, r#"{"access_token": "MARKER"#), Verdict::Unknown),
        (cut(400, r#"{"error": "invalid_grant""#), Verdict::Unknown),
    ] {
        let failure = refreshed(raw).await;
        assert_eq!(failure.verdict, verdict, "{failure:?}");
        assert!(!format!("{failure} {failure:?}").contains("MARKER"));
        if verdict == Verdict::Outage {
            assert_eq!(failure.retry_after, Some(Duration::from_secs(9)));
        }
    }
}

#[tokio::test]
async fn a_session_that_an_administrator_ends_is_explained() {
    let body = json!({
        "error": "invalid_grant", "error_subtype": "invalid_rapt",
        "error_description": "reauth related error (invalid_rapt)",
    });
    let failure = refreshed(json(400, &body.to_string())).await;
    assert_eq!(failure.verdict, Verdict::GrantDead);
    assert!(failure.text.contains("administrator"), "{failure}");
}

#[tokio::test]
async fn a_grant_is_given_back_once_and_for_all() {
    for (raw, ends) in [
        (json(200, "{}"), Ok(())),
        (json(400, r#"{"error": "invalid_token"}"#), Ok(())),
        (json(503, r#"{"error": "invalid_token"}"#), Err(Verdict::Outage)),
        (json(400, r#"{"error": "invalid_request"}"#), Err(Verdict::Operator)),
        (answer(400, &[], "<html>"), Err(Verdict::Unknown)),
    ] {
        let wire = Wire::answering([raw]).await;
        let revoked = wire.google.revoke(&secret("1//MARKER&x")).await;
        assert_eq!(revoked.map_err(|failure| failure.verdict), ends);
        let seen = wire.only();
        assert_eq!(
            (seen.line.as_str(), seen.body.as_str()),
            ("POST /revoke", "token=1%2F%2FMARKER%26x")
        );
    }
}

#[tokio::test]
async fn an_access_token_tells_whose_it_is() {
    let body = r#"{"sub": "10769150350006150715113082367", "email": "MARKER@example.com"}"#;
    let wire = Wire::answering([json(200, body)]).await;
    let account = wire.google.account(&access()).await.unwrap();
    assert_eq!(account.sub, "10769150350006150715113082367");
    assert_eq!(account.email.as_deref(), Some("MARKER@example.com"));
    assert!(!format!("{account:?}").contains("MARKER"));
    let seen = wire.only();
    assert_eq!(seen.line, "GET /userinfo");
    assert!(seen.head.contains("authorization: Bearer ya29.MARKER"), "{}", seen.head);
}

#[tokio::test]
async fn an_account_without_a_name_is_none() {
    let dead = r#"{"error": "invalid_token", "error_description": "Invalid Credentials"}"#;
    let front = r#"{"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "MARKER"}}"#;
    for (raw, verdict) in [
        (json(200, r#"{"email": "ana@example.com"}"#), Verdict::Unknown),
        (json(200, r#"{"sub": ""}"#), Verdict::Unknown),
        (json(401, dead), Verdict::TokenRejected),
        (json(401, front), Verdict::TokenRejected),
        (json(500, dead), Verdict::Outage),
    ] {
        let wire = Wire::answering([raw]).await;
        assert_eq!(wire.google.account(&access()).await.unwrap_err().verdict, verdict);
    }
}
