//! What a person's browser and a caller's program send to the process.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use url::Url;

use crate::bridge::Answer;

/// As much of a browser as a test needs, and what a program sends: it keeps cookies, follows nothing
/// by itself, and remembers every body it was answered with.
pub struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    memory: Mutex<Memory>,
}

/// What a browser keeps.
#[derive(Default)]
struct Memory {
    /// By host and port, then name.
    cookies: HashMap<(String, String), String>,
    /// Every cookie's value there ever was.
    values: Vec<String>,
    /// Addresses and what they answered: headers, but for cookies, and body.
    heard: Vec<(String, String)>,
}

impl Default for Browser {
    fn default() -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, memory: Mutex::default() }
    }
}

impl Browser {
    /// Opens an administrator's session.
    pub async fn sign_in(&self, base: &str, code: &str) -> Answer {
        let url = format!("{base}/google-calendar-setup/session");
        let answer = self.post(&url, &[("code", code)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer
    }

    /// Presses Connect, consents as `account`, and comes back. Returns the callback's answer.
    pub async fn connect(&self, base: &str, account: &str) -> Answer {
        let sent = self.press(base, "connect").await;
        let consent = sent.header("location");
        let allowed = self.post(consent, &[("decision", "allow"), ("user", account)]).await;
        self.get(allowed.header("location")).await
    }

    /// Follows a link that a user was given, consents as `account`, and comes back.
    pub async fn follow(&self, link: &str, account: &str) -> Answer {
        let (page, secret) = link.split_once("?link=").expect("a link with what it opens with");
        let address = Url::parse(link).expect("a URL").origin().ascii_serialization();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("link", secret)
            .finish();
        let request = Request::post(page)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ORIGIN, address);
        let sent = self.sent(request, &form).await;
        let consent = sent.header("location");
        let allowed = self.post(consent, &[("decision", "allow"), ("user", account)]).await;
        self.get(allowed.header("location")).await
    }

    /// Sends one of the setup page's forms, with the session's proof in it.
    pub async fn press(&self, base: &str, form: &str) -> Answer {
        let home = format!("{base}/google-calendar-setup");
        let page = self.get(&home).await;
        let csrf = field(&page.text, "csrf");
        let answer = self.post(&format!("{home}/{form}"), &[("csrf", &csrf)]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer
    }

    /// Asks for a page.
    pub async fn get(&self, url: &str) -> Answer {
        self.sent(Request::get(url), "").await
    }

    /// Sends a form.
    pub async fn post(&self, url: &str, form: &[(&str, &str)]) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let kind = "application/x-www-form-urlencoded";
        self.sent(Request::post(url).header(header::CONTENT_TYPE, kind), &body).await
    }

    /// Asks in the name of an API key.
    pub async fn ask(&self, method: Method, url: &str, key: &str) -> Answer {
        let bearer = format!("Bearer {key}");
        self.sent(Request::builder().method(method).uri(url).header("authorization", bearer), "")
            .await
    }

    /// Reads JSON again and again until it is as it shall be.
    pub async fn ask_until(&self, url: &str, key: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let asking = async {
            loop {
                let shown = self.ask(Method::GET, url, key).await.json();
                if is_so(&shown) {
                    return shown;
                }
            }
        };
        let asked = tokio::time::timeout(super::PATIENCE, asking).await;
        asked.unwrap_or_else(|_| panic!("{url} is never as it shall be"))
    }

    /// Posts JSON in the name of an API key.
    pub async fn post_json(&self, url: &str, key: &str, body: &Value) -> Answer {
        let request = Request::post(url)
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json");
        self.sent(request, &body.to_string()).await
    }

    /// Posts an event to the classic route, with more headers. An error means that there was no
    /// answer, or not all of it.
    pub async fn create(
        &self,
        base: &str,
        key: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let mut request = Request::post(format!("{base}/api/create-calendar-event"))
            .header(header::AUTHORIZATION, format!("Bearer {key}"))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request, &body.to_string()).await
    }

    /// Every address that was asked, and what it answered: headers, but for cookies, and body.
    pub fn heard(&self) -> Vec<(String, String)> {
        self.memory().heard.clone()
    }

    /// The value of every cookie there ever was.
    pub fn cookie_values(&self) -> Vec<String> {
        let memory = self.memory();
        memory.values.iter().filter(|value| !value.is_empty()).cloned().collect()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().expect("no panic")
    }

    async fn sent(&self, request: hyper::http::request::Builder, body: &str) -> Answer {
        self.send(request, body).await.expect("an answer")
    }

    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: &str,
    ) -> Result<Answer, String> {
        let url = request.uri_ref().expect("a URL").to_string();
        let method = request.method_ref().expect("a method").clone();
        let host = Url::parse(&url).expect("a URL").authority().to_owned();
        let cookies: Vec<String> = {
            let memory = self.memory();
            let held = memory.cookies.iter().filter(|((owner, _), _)| *owner == host);
            held.map(|((_, name), value)| format!("{name}={value}")).collect()
        };
        let request = request.header(header::COOKIE, cookies.join("; "));
        let request = request.body(Full::new(Bytes::from(body.to_owned()))).expect("a request");
        let response = self.client.request(request).await.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        let text = String::from_utf8(body.to_vec()).expect("UTF-8");
        let mut memory = self.memory();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let pair = cookie.to_str().expect("ASCII").split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                memory.values.push(value.to_owned());
                memory.cookies.insert((host.clone(), name.to_owned()), value.to_owned());
            }
        }
        let headers = parts.headers.iter().filter(|(name, _)| *name != header::SET_COOKIE);
        let mut heard: Vec<String> =
            headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
        heard.push(text.clone());
        memory.heard.push((url, heard.join("\n")));
        let answer = Answer { status: parts.status.as_u16(), headers: parts.headers, text };
        Ok(answer.said_in_full(&method))
    }
}

/// The value of a page's hidden field.
fn field(page: &str, name: &str) -> String {
    let after = page.split_once(&format!("name=\"{name}\" value=\""));
    let value = after.and_then(|(_, rest)| rest.split_once('"')).map(|(value, _)| value.to_owned());
    value.unwrap_or_else(|| panic!("the page holds no field {name}: {page}"))
}
