//! A person's browser: keeps cookies, sends the forms it was shown, goes to Google and back.

use std::cell::RefCell;
use std::collections::BTreeMap;

use axum::body::Body;
use calbridge::app::access;
use hyper::{Method, Request, header};

use crate::bridge::{ANA, Answer, Bridge};

/// The setup page.
pub const HOME: &str = "/google-calendar-setup";
/// Where the browser believes it is.
pub const ORIGIN: &str = "http://localhost:3001";
/// How a willing person answers Google's page.
pub const ALLOW: &[(&str, &str)] = &[("decision", "allow"), ("user", ANA)];

/// A person's browser at `localhost:3001`.
pub struct Browser<'a> {
    bridge: &'a Bridge,
    pub cookies: RefCell<BTreeMap<String, String>>,
}

impl<'a> Browser<'a> {
    pub fn new(bridge: &'a Bridge) -> Self {
        Self { bridge, cookies: RefCell::default() }
    }

    pub async fn signed_in(bridge: &'a Bridge) -> Self {
        let browser = Self::new(bridge);
        let code = access::new_setup_code(&bridge.tied.app).await.expect("a code");
        let answer = browser.sign_in(&code).await;
        assert_eq!((answer.status, answer.header("location")), (303, HOME), "{}", answer.text);
        browser
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], String::new()).await
    }

    /// Sends a form from our own page, with the proof that this session's page holds.
    pub async fn submit(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let csrf = self.csrf().await;
        let mut fields = fields.to_vec();
        fields.push(("csrf", &csrf));
        self.post(path, &fields, &[("origin", ORIGIN)]).await
    }

    pub async fn post(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        self.send(Method::POST, path, headers, form(fields)).await
    }

    pub async fn sign_in(&self, code: &str) -> Answer {
        self.post("/google-calendar-setup/session", &[("code", code)], &[("origin", ORIGIN)]).await
    }

    pub async fn csrf(&self) -> String {
        proof(&self.get(HOME).await)
    }

    /// Where Connect leads.
    pub async fn begin(&self) -> url::Url {
        let answer = self.submit("/google-calendar-setup/connect", &[]).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        answer.header("location").parse().expect("a URL")
    }

    /// What Google sends the browser back with once its page is answered so.
    pub async fn consent(&self, fields: &[(&str, &str)]) -> String {
        let url = self.begin().await;
        self.answer(url.as_str(), fields).await
    }

    /// What Google sends the browser back with from this page once it is answered so.
    pub async fn answer(&self, url: &str, fields: &[(&str, &str)]) -> String {
        let redirect = self.bridge.consent(url, fields).await;
        let members = [
            ("state", redirect.state),
            ("code", redirect.code),
            ("error", redirect.error),
            ("iss", redirect.iss),
        ];
        let given = members.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        format!("/oauth2callback?{}", form(&given.collect::<Vec<_>>()))
    }

    pub async fn connect(&self) -> Answer {
        let callback = self.consent(ALLOW).await;
        self.get(&callback).await
    }

    /// Opens a link as its page does, by its button. Returns where that leads.
    pub async fn follow(&self, link: &str) -> Answer {
        let (path, link) = link.split_once("?link=").expect("a link");
        let path = path.strip_prefix(ORIGIN).expect("a link of ours");
        self.post(path, &[("link", link)], &[("origin", ORIGIN)]).await
    }

    /// Follows a link, and answers Google's page so. Returns what the browser is shown at the end.
    pub async fn connect_by(&self, link: &str, fields: &[(&str, &str)]) -> Answer {
        let begun = self.follow(link).await;
        assert_eq!(begun.status, 303, "{}", begun.text);
        let callback = self.answer(begun.header("location"), fields).await;
        self.get(&callback).await
    }

    pub async fn head(&self, path: &str) -> Answer {
        self.send(Method::HEAD, path, &[], String::new()).await
    }

    /// Asks as a program does that shows a preview, or fetches ahead.
    pub async fn peek(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, path, headers, String::new()).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Answer {
        let mut request =
            Request::builder().method(method).uri(path).header(header::HOST, "localhost:3001");
        let shown: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !shown.is_empty() {
            request = request.header(header::COOKIE, shown.join("; "));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let answer = self.bridge.send(request.body(Body::from(body)).expect("a request")).await;
        for cookie in set_cookies(&answer) {
            let (name, value) =
                cookie.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie");
            if cookie.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub fn set_cookies(answer: &Answer) -> Vec<&str> {
    answer
        .headers
        .get_all(header::SET_COOKIE)
        .iter()
        .map(|value| value.to_str().expect("ASCII"))
        .collect()
}

/// The proof that the forms of a page carry.
pub fn proof(page: &Answer) -> String {
    let (_, rest) = page.text.split_once("name=\"csrf\" value=\"").expect("a form of a session");
    rest.split('"').next().expect("a value").to_owned()
}
