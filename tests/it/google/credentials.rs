//! Which files are taken for an OAuth client, and in what words others are refused.

use calbridge::google::{CredentialsError, OauthClient};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

fn web() -> Value {
    json!({ "web": {
        "client_id": "MARKER-1.apps.googleusercontent.com",
        "project_id": "MARKER-2",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
        "token_uri": "https://oauth2.googleapis.com/token",
        "auth_provider_x509_cert_url": "https://www.googleapis.com/oauth2/v1/certs",
        "client_secret": "GOCSPX-MARKER",
        "redirect_uris": ["http://localhost:3001/oauth2callback"],
        "javascript_origins": ["http://localhost:3001"],
    }})
}

/// `web()` with one member changed; null takes it out.
fn with(member: &str, value: Value) -> String {
    let mut file = web();
    let members = file["web"].as_object_mut().unwrap();
    members.remove(member);
    if !value.is_null() {
        members.insert(member.to_owned(), value);
    }
    file.to_string()
}

#[test]
fn a_web_client_is_read_as_google_hands_it_out() {
    for text in [web().to_string(), format!("\u{feff}{:#}\n", web())] {
        let client = OauthClient::read(&text).unwrap();
        assert_eq!(client.id, "MARKER-1.apps.googleusercontent.com");
        assert_eq!(client.secret.expose_secret(), "GOCSPX-MARKER");
        assert_eq!(client.redirect_uris, ["http://localhost:3001/oauth2callback"]);
        assert!(client.notes.is_empty(), "{:?}", client.notes);
        assert!(!format!("{client:?}").contains("GOCSPX"));
    }
}

#[test]
fn strange_addresses_are_noted() {
    let text = with("token_uri", json!("https://evil.example/MARKER"));
    let client = OauthClient::read(&text).unwrap();
    assert_eq!(client.notes.len(), 1);
    let note = &client.notes[0];
    assert!(note.contains("`web.token_uri`") && note.contains("not followed"), "{note}");
    assert!(!note.contains("MARKER"), "{note}");
}

#[test]
fn every_other_file_is_refused_by_name() {
    use CredentialsError::{
        ApiKey, AuthorizedUser, Installed, Member, NoRedirectUris, NotJson, ServiceAccount,
        UnknownKind,
    };
    let installed = json!({ "installed": web()["web"] }).to_string();
    let service = json!({ "type": "service_account", "private_key": "MARKER" }).to_string();
    let user = json!({ "type": "authorized_user", "refresh_token": "MARKER" }).to_string();
    let api_key = json!({ "key": "AIzaSyMARKER" }).to_string();
    for (text, error, names) in [
        (installed, Installed, "`installed`"),
        (service, ServiceAccount, "service account"),
        (user, AuthorizedUser, "`authorized_user`"),
        ("AIzaSyMARKER\n".to_owned(), ApiKey, "API key"),
        ("\"AIzaSyMARKER\"".to_owned(), ApiKey, "API key"),
        (api_key, ApiKey, "API key"),
        (String::new(), NotJson, "not JSON"),
        ("MARKER".to_owned(), NotJson, "not JSON"),
        (web().to_string()[..80].to_owned(), NotJson, "not JSON"),
        ("{}".to_owned(), UnknownKind, "`web`"),
        ("[\"MARKER\"]".to_owned(), UnknownKind, "`web`"),
        (json!({ "web": "MARKER" }).to_string(), UnknownKind, "`web`"),
        (with("client_id", Value::Null), Member("client_id"), "`web.client_id`"),
        (with("client_id", json!("")), Member("client_id"), "`web.client_id`"),
        (with("client_secret", Value::Null), Member("client_secret"), "`web.client_secret`"),
        (with("client_secret", json!(12)), Member("client_secret"), "`web.client_secret`"),
        (with("auth_uri", Value::Null), Member("auth_uri"), "`web.auth_uri`"),
        (with("token_uri", Value::Null), Member("token_uri"), "`web.token_uri`"),
        (with("redirect_uris", Value::Null), NoRedirectUris, "`web.redirect_uris`"),
        (with("redirect_uris", json!([])), NoRedirectUris, "`web.redirect_uris`"),
        (with("redirect_uris", json!("MARKER")), Member("redirect_uris"), "redirect_uris"),
        (with("redirect_uris", json!([1])), Member("redirect_uris"), "redirect_uris"),
    ] {
        let refused = OauthClient::read(&text).unwrap_err();
        assert_eq!(refused, error);
        let told = format!("{refused} {refused:?}");
        assert!(told.contains(names) && told.contains("download"), "{told}");
        assert!(!told.contains("MARKER"), "{told}");
    }
}

#[test]
fn a_file_whose_last_field_is_off_is_refused_too() {
    // A member that only the crate's own reading knows.
    let refused = OauthClient::read(&with("project_id", json!(["MARKER"]))).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("MARKER"));
}
