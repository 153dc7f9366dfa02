//! With everything at trace level, no secret reaches a log, the store or an answer, and nothing
//! personal the first two.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use calbridge::app::access::{self, Caller, KeyWish};
use calbridge::app::incident;
use calbridge::model::key::Scope;
use calbridge::simulator::{Fault, FaultKind};
use data_encoding::{BASE32HEX_NOPAD, HEXLOWER, HEXUPPER};
use hyper::Method;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::bridge::{ANA, Bridge, tea, with};
use crate::mail::Postbox;
use crate::process::{Browser, Home, Process, Simulated};

/// What nobody but Google and the caller shall read.
const TITLE: &str = "Quokka-title-1f7c";
const NOTES: &str = "Quokka-notes-93ab";
const GUEST: &str = "quokka-guest-5d2e@example.org";
/// Whom a mail was tried on, and what opens the mail server.
const ADDRESSEE: &str = "quokka-addressee-6a2b@example.org";
const PASSWORD: &str = "quokka-mail-password-0b7d";
/// Why an operator froze the writes: a detail of the audit.
const REASON: &str = "Quokka-reason-c4f0";
/// What callers show who have no right to.
const WRONG_KEY: &str = "cb_0000000000000000000000000q_quokkawrongkeyquokkawrongkey";
const WRONG_CODE: &str = "4/0Aquokka-code-that-nobody-gave";
/// What the search must find.
const CANARY: &str = "quokka-canary-77e1";

/// What was collected for the search.
#[derive(Default)]
struct Haystack {
    /// Where, and what was there.
    pieces: Vec<(String, Vec<u8>)>,
}

#[tokio::test]
async fn no_secret_reaches_a_log_the_store_or_an_answer() {
    let google = Simulated::start();
    let mut postbox = Postbox::with(&["--login", &format!("bridge:{PASSWORD}")]).await;
    let login = format!("mail.username = \"bridge\"\nmail.password = \"{PASSWORD}\"");
    let settings =
        format!("log.level = \"trace\"\nlog.dir = \"logs\"\n{}{login}", postbox.settings());
    let mut home = Home::new(&google, &settings);
    let logs = home.place.path().join("logs");
    home.environment.push(("RUST_LOG".into(), "trace".into()));
    let mut process = Process::start_in(home).await;

    let browser = process.connect(ANA).await;
    let key = process.new_key().await;
    live(&google, &process.home.base, &browser, &key).await;
    try_mail(&process, &browser, &mut postbox).await;
    let exports = exports(&process).await;
    assert_eq!(process.stop().await.code(), Some(0));
    let data = process.home.data_dir();
    std::fs::write(data.join("canary"), URL_SAFE_NO_PAD.encode(format!("...{CANARY}")))
        .expect("a file");

    let (mut kept, mut answers) = (Haystack::default(), Haystack::default());
    for line in process.log() {
        kept.pieces.push(("standard output".into(), line.into_bytes()));
    }
    kept.read_files(&logs);
    kept.read_files(&data);
    kept.read_files(&exports);
    for (url, answer) in browser.heard() {
        if url.starts_with(&process.home.base) {
            answers.pieces.push((url, answer.into_bytes()));
        }
    }

    for place in ["standard output", "logs/", "data/canary"] {
        let found = kept.find(CANARY);
        assert!(found.iter().any(|spot| spot.contains(place)), "no canary in {place}: {found:?}");
    }
    assert!(!answers.find(ANA).is_empty(), "the setup page names the account");

    let mut secrets: BTreeSet<String> = google.google.secrets().into_iter().collect();
    assert!(secrets.len() > 6, "codes, verifiers and tokens of two consents: {}", secrets.len());
    assert!(process.log().iter().any(|line| line.contains("DEBUG")), "it logs what it does");
    secrets.extend(browser.cookie_values());
    secrets.extend(master_keys(&process.home.key_file()));
    let (_, half) = key.rsplit_once('_').expect("an id and a secret");
    let (_, wrong) = WRONG_KEY.rsplit_once('_').expect("an id and a secret");
    secrets.extend([half, wrong, WRONG_CODE, PASSWORD].map(str::to_owned));
    for secret in &secrets {
        assert!(secret.len() >= 16, "too short to be searched for: {secret}");
        let found = [kept.find(secret), answers.find(secret)].concat();
        assert!(found.is_empty(), "{secret} is in {found:?}");
    }
    for private in [TITLE, NOTES, GUEST, ANA, REASON, ADDRESSEE] {
        let found = kept.find(private);
        assert!(found.is_empty(), "{private} is in {found:?}");
    }
}

/// Everything a bridge goes through: faults, a refresh, a dead grant, another consent, refusals, the
/// end of the connection.
async fn live(google: &Simulated, base: &str, browser: &Browser, key: &str) {
    let simulator = &google.google;
    let make = async |number: u32, wait: &str| {
        let body = with(
            tea(),
            &json!({"summary": format!("{TITLE} {number}"), "description": NOTES, "attendeeEmail": GUEST}),
        );
        let id = format!("event-{number}");
        let headers = [("prefer", wait), ("idempotency-key", &*id)];
        browser.create(base, key, &body, &headers).await.expect("an answer")
    };
    assert_eq!(make(1, "wait=30").await.status, 200);
    let faults = [FaultKind::LostAnswer, FaultKind::Truncated, FaultKind::HtmlError];
    for (number, kind) in (10..).zip(faults) {
        simulator.add_fault(Fault::new(kind).times(1));
        assert_eq!(make(number, "wait=30").await.status, 200, "{}", kind.name());
    }
    let refreshes = simulator.token_calls("refresh_token");
    simulator.expire_access_tokens();
    assert_eq!(make(2, "wait=30").await.status, 200);
    assert_eq!(simulator.token_calls("refresh_token"), refreshes + 1);

    simulator.revoke_grants(ANA);
    let blocked = make(3, "wait=30").await;
    assert_eq!(blocked.status, 202, "{}", blocked.text);
    let page = browser.get(&format!("{base}/google-calendar-setup")).await;
    assert!(page.text.contains("connect"), "{}", page.text);
    simulator.add_fault(Fault::new(FaultKind::InvalidClient).times(1));
    let failed = browser.connect(base, ANA).await;
    assert_ne!(failed.status, 303, "the exchange was refused");
    let back = browser.connect(base, ANA).await;
    assert!(back.header("location").ends_with("notice=connected"), "{}", back.text);
    assert_eq!(make(3, "wait=30").await.status, 200, "a reconnect drains what waited");

    refusals(base, browser).await;
    let id = make(1, "wait=30").await.json()["id"].as_str().expect("an id").to_owned();
    for path in [format!("/api/v1/events/{id}"), "/api/v1/status".into(), "/readyz?verbose".into()]
    {
        let shown = browser.ask(Method::GET, &format!("{base}{path}"), key).await;
        assert_eq!(shown.status, 200, "{path}: {}", shown.text);
    }
    browser.press(base, "revoke").await;
    assert_eq!(make(4, "respond-async").await.status, 409);
}

/// A mail that goes out, and one that does not.
async fn try_mail(process: &Process, browser: &Browser, postbox: &mut Postbox) {
    let home = &process.home;
    let key = home.told(&["api-keys", "create", "--name", "mail", "--scope", "admin"]).await;
    let url = format!("{}/api/v1/mail/test", home.base);
    for told in ["", "answer rcpt 1 550 5.1.1 <quokka-addressee-6a2b@example.org> is not here"] {
        if !told.is_empty() {
            postbox.tell(told).await;
        }
        let body = json!({ "to": ADDRESSEE });
        let tried = browser.post_json(&url, &key, &body).await;
        assert_eq!(tried.json()["accepted"], told.is_empty(), "{}", tried.text);
    }
    postbox.took(1).await;
}

/// Everything that can be written out of a store, in a directory: what is personal stays sealed.
async fn exports(process: &Process) -> PathBuf {
    let home = &process.home;
    home.told(&["incident", "freeze", "--reason", REASON]).await;
    home.told(&["incident", "thaw"]).await;
    assert!(home.told(&["audit", "list"]).await.contains(REASON));
    let exports = home.place.path().join("exports");
    std::fs::create_dir(&exports).expect("a directory");
    for (verb, name) in [(&["export"][..], "store"), (&["audit", "export"], "audit")] {
        let file = exports.join(name).display().to_string();
        home.told(&[verb, &["--output", &file]].concat()).await;
    }
    home.told(&["audit", "verify"]).await;
    exports
}

/// What is refused is not repeated, neither to the caller nor in the log.
async fn refusals(base: &str, browser: &Browser) {
    let refused = browser.create(base, WRONG_KEY, &tea(), &[]).await.expect("an answer");
    assert!(matches!(refused.status, 401 | 403), "{}", refused.text);
    let callback = format!("{base}/oauth2callback?state=nobody&code={WRONG_CODE}");
    assert_eq!(browser.get(&callback).await.status, 400);
    let form = [("code", WRONG_CODE)];
    let session = format!("{base}/google-calendar-setup/session");
    assert_eq!(browser.post(&session, &form).await.status, 403);
    assert_eq!(browser.get(&format!("{base}/{CANARY}")).await.status, 404);
}

/// The secrets in a key file: whatever in it is long enough to be one.
fn master_keys(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("the key file");
    let words =
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && !"+/=_-".contains(letter));
    let long: Vec<String> = words.filter(|word| word.len() >= 32).map(str::to_owned).collect();
    assert!(!long.is_empty(), "the key file holds no key");
    long
}

impl Haystack {
    /// Takes in every file under `dir`.
    fn read_files(&mut self, dir: &Path) {
        let mut open: Vec<PathBuf> = vec![dir.to_owned()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(&dir).expect("a directory") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let bytes = std::fs::read(&path).expect("a file");
                    self.pieces.push((path.display().to_string(), bytes));
                }
            }
        }
    }

    /// Where `secret` is, as it is or written in another way.
    fn find(&self, secret: &str) -> Vec<String> {
        let forms = forms(secret.as_bytes());
        let holds = |bytes: &[u8]| forms.iter().any(|form| contains(bytes, form));
        let found = self.pieces.iter().filter(|(_, bytes)| holds(bytes));
        found.map(|(place, _)| place.clone()).collect()
    }
}

/// A secret as it is, in hexadecimal, in an address, and in base64 at any place of a longer text;
/// the same of the bytes it stands for, if it is base64 itself.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    let decoded = [STANDARD.decode(secret), URL_SAFE_NO_PAD.decode(secret)];
    let decoded =
        decoded.into_iter().flatten().chain(BASE32HEX_NOPAD.decode(&secret.to_ascii_uppercase()));
    for bytes in decoded.filter(|bytes| bytes.len() >= 12).chain([secret.to_owned()]) {
        forms.push(HEXLOWER.encode(&bytes).into_bytes());
        forms.push(HEXUPPER.encode(&bytes).into_bytes());
        forms.push(url::form_urlencoded::byte_serialize(&bytes).collect::<String>().into_bytes());
        for shift in 0..3 {
            let shifted = [&vec![0; shift][..], &bytes].concat();
            // Letters at the ends also depend on what stands beside the secret.
            let inner = |text: String| text.as_bytes()[4..text.len() - 4].to_vec();
            forms.push(inner(STANDARD_NO_PAD.encode(&shifted)));
            forms.push(inner(URL_SAFE_NO_PAD.encode(&shifted)));
        }
        forms.push(bytes);
    }
    forms
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return false };
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| byte == first) {
        from += at + 1;
        if haystack[from..].starts_with(rest) {
            return true;
        }
    }
    false
}

#[tokio::test]
async fn what_holds_a_secret_prints_as_if_it_held_none() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    let console = Caller::console();
    let made = access::create_key(app, &console, KeyWish::new("crm", vec![Scope::Admin])).await;
    let made = made.expect("a key");
    let renewed = incident::renew_all(app, &console).await.expect("all is renewed");
    let code = access::new_setup_code(app).await.expect("a code");
    let session = {
        let proof = access::Proof::Code { code, new_password: None };
        let home = std::net::Ipv4Addr::LOCALHOST.into();
        access::open_session(app, proof, home, None).await.expect("a session")
    };
    let printed = format!("{made:?} {renewed:?} {session:?} {:?} {:?}", app.vault, app.settings);
    let mut secrets = vec![
        made.secret.expose_secret().to_owned(),
        renewed.setup_code.expose_secret().to_owned(),
        session.expose_secret().to_owned(),
    ];
    secrets.extend(renewed.keys.iter().map(|(_, key)| key.secret.expose_secret().to_owned()));
    secrets.extend(master_keys(&bridge.place.path().join("data.key")));
    let pieces = vec![("here".to_owned(), printed.into_bytes())];
    let printed = Haystack { pieces };
    for secret in secrets {
        assert!(printed.find(&secret).is_empty(), "{secret} is printed");
    }
}

#[test]
fn the_search_finds_a_secret_in_every_disguise() {
    let secret = "1//0quokka+refresh_token-value";
    let disguises = [
        secret.to_owned(),
        HEXLOWER.encode(secret.as_bytes()),
        STANDARD.encode(format!("Basic x:{secret}")),
        URL_SAFE_NO_PAD.encode(format!("a{secret}b")),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
    ];
    for disguise in disguises {
        let pieces = vec![("here".to_owned(), format!("before {disguise} after").into_bytes())];
        assert_eq!(Haystack { pieces }.find(secret), ["here"], "{disguise}");
    }
    let pieces = vec![("here".to_owned(), b"1//0quokka+refresh_token-other".to_vec())];
    assert!(Haystack { pieces }.find(secret).is_empty());
}
