//! `X-HTTP-Method-Override`: a `POST` that stands for another method.
//!
//! It is there for those behind a proxy that knows only GET and POST, and for addresses too long to
//! send: a `POST` that stands for a `GET` may have the query as its body, in form encoding. Google's
//! Python client does so beyond 2048 characters.

use axum::body::{Body, to_bytes};
use axum::http::request::Parts;
use axum::http::{Method, Request, StatusCode, Uri, header};

use super::answer::Answer;

const HEADER: &str = "x-http-method-override";
const LONGEST_QUERY: usize = 64 * 1024;

/// The request as it is meant; refused if its query is longer than an address may be.
pub(super) async fn meant(request: Request<Body>) -> Result<Request<Body>, Answer> {
    let (mut parts, body) = request.into_parts();
    let named = parts.headers.get(HEADER).and_then(|value| value.to_str().ok());
    let known = [Method::GET, Method::PUT, Method::PATCH, Method::DELETE];
    let method = known.into_iter().find(|method| {
        parts.method == Method::POST
            && named.is_some_and(|named| named.eq_ignore_ascii_case(method.as_str()))
    });
    let Some(method) = method else { return Ok(Request::from_parts(parts, body)) };
    let query = method == Method::GET && is_form(&parts);
    parts.method = method;
    parts.headers.remove(HEADER);
    if !query {
        return Ok(Request::from_parts(parts, body));
    }
    let more = to_bytes(body, LONGEST_QUERY).await.map_err(|_| too_long())?;
    let more = String::from_utf8_lossy(&more);
    parts.uri = with_query(&parts.uri, &more).ok_or_else(too_long)?;
    for name in [header::CONTENT_TYPE, header::CONTENT_LENGTH, header::TRANSFER_ENCODING] {
        parts.headers.remove(name);
    }
    Ok(Request::from_parts(parts, Body::empty()))
}

fn too_long() -> Answer {
    let page =
        "<!DOCTYPE html>\n<html lang=en>\n  <title>Error 414 (Request-URI Too Large)!!1</title>\n";
    Answer::html(StatusCode::URI_TOO_LONG, page.to_owned())
}

fn is_form(parts: &Parts) -> bool {
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

fn with_query(uri: &Uri, more: &str) -> Option<Uri> {
    let queries = [uri.query().unwrap_or_default(), more];
    let given: Vec<&str> = queries.into_iter().filter(|query| !query.is_empty()).collect();
    format!("{}?{}", uri.path(), given.join("&")).parse().ok()
}
