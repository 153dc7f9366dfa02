//! TLS and the login, from the real process, which trusts what its machine trusts.

use serde_json::{Value, json};

use super::Postbox;
use crate::process::{Browser, Home, Process, Simulated};

const USER: &str = "bridge@mail.test";
const PASSWORD: &str = "s3cret-of-the-bridge";

/// A server that wants the name and the password, over TLS of this kind.
async fn postbox(tls: &str) -> Postbox {
    Postbox::with(&["--login", &format!("{USER}:{PASSWORD}"), "--tls", tls]).await
}

/// What becomes of a mail that a process tries which shows `password`, speaks TLS as `security` has it
/// and trusts the server's authority or does not.
async fn tried(postbox: &Postbox, password: &str, security: &str, trusts: bool) -> Value {
    let google = Simulated::start();
    let settings = format!(
        "mail.host = \"localhost\"\nmail.port = {}\nmail.security = \"{security}\"\n\
         mail.username = \"{USER}\"\nmail.password_file = \"password\"",
        postbox.port
    );
    let mut home = Home::new(&google, &settings);
    std::fs::write(home.place.path().join("password"), format!("{password}\n")).expect("a file");
    if trusts {
        let authority = postbox.authority().display().to_string();
        home.environment.push(("SSL_CERT_FILE".to_owned(), authority));
    }
    let mut process = Process::start_in(home).await;
    let make = ["api-keys", "create", "--name", "judge", "--scope", "admin"];
    let key = process.home.told(&make).await;
    let url = format!("{}/api/v1/mail/test", process.home.base);
    let body = json!({"to": "ana@mail.test"});
    let tried = Browser::default().post_json(&url, &key, &body).await;
    assert_eq!(tried.status, 200, "{}", tried.text);
    process.stop().await;
    tried.json()
}

#[tokio::test]
async fn mail_goes_over_tls_with_the_name_and_the_password() {
    for (tls, security) in [("starttls", "auto"), ("tls", "tls")] {
        let mut postbox = postbox(tls).await;
        let tried = tried(&postbox, PASSWORD, security, true).await;
        assert_eq!(tried["accepted"], true, "{tls}: {tried}");
        postbox.took(1).await;
        let mail = postbox.mail();
        assert_eq!(mail["tls"], true, "{tls}");
        assert_eq!(mail["login"], USER, "{tls}");
        assert_eq!(mail["from"], USER, "the name is the sender where nobody else is");
    }
}

#[tokio::test]
async fn neither_password_nor_mail_goes_to_a_server_that_cannot_be_trusted() {
    let strange = postbox("starttls").await;
    let refused = tried(&strange, PASSWORD, "starttls", false).await;
    assert_eq!(refused["cause"]["code"], "mail_server_not_trusted", "{refused}");
    let open = Postbox::start().await;
    let refused = tried(&open, PASSWORD, "starttls", true).await;
    assert_eq!(refused["cause"]["code"], "mail_server_unfit", "{refused}");
    assert!(refused["cause"]["text"].as_str().expect("a text").contains("STARTTLS"), "{refused}");
}

#[tokio::test]
async fn a_wrong_password_is_the_operators_to_mend() {
    let postbox = postbox("starttls").await;
    let refused = tried(&postbox, "another", "starttls", true).await;
    assert_eq!(refused["cause"]["code"], "mail_login_refused", "{refused}");
    assert!(refused["cause"]["text"].as_str().expect("a text").contains("535"), "{refused}");
}
