//! `POST /batch/calendar/v3`: several calls in one `multipart/mixed` body.
//!
//! Each part goes through the same routes as a call of its own, one after the other, and is counted
//! and written into the ledger singly. An answer that is cut in one part cuts the whole, after the
//! parts behind it have been done: a connection has only one end.

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{DefaultBodyLimit, State as Shared};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Simulator;
use super::answer::{self, Answer, CutConnection, Refusal};
use super::call::{self, Routes};
use super::method_override;
use super::partial::takes_gzip;

/// Google's batch guide for Calendar. (Its page for other services says 100 or 50.)
const MOST_PARTS: usize = 1000;
const LARGEST_BATCH: usize = 16 * 1024 * 1024;
const MOST_HEADERS: usize = 64;
const PREFIX: &str = "/calendar/v3/";

/// Headers of the whole that say nothing about its parts.
const OF_THE_WHOLE: &[HeaderName] = &[
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::EXPECT,
    header::TE,
    header::TRANSFER_ENCODING,
];

/// A call inside a batch.
#[derive(Debug)]
struct Part {
    /// With its brackets, as it was given.
    content_id: Option<String>,
    request: Request<Body>,
}

/// The batch addresses, whose parts go to `single`.
pub(super) fn routes(single: Router) -> Routes {
    Router::new()
        .route("/batch", post(batch))
        .route("/batch/calendar/v3", post(batch))
        .layer(Extension(single))
        .layer(DefaultBodyLimit::max(LARGEST_BATCH))
}

async fn batch(
    Shared(simulator): Shared<Simulator>,
    Extension(single): Extension<Router>,
    stop: Option<Extension<CancellationToken>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let parts = match read(&headers, &body) {
        Ok(parts) => parts,
        Err(refusal) => return Answer::from(refusal).into_response(),
    };
    let boundary = format!("batch_{}", simulator.state().generator.token(32));
    let mut text = Vec::new();
    let mut cut = false;
    for Part { content_id, mut request } in parts {
        if let Some(Extension(stop)) = &stop {
            request.extensions_mut().insert(stop.clone());
        }
        let response = answered(single.clone(), request).await;
        cut |= response.extensions().get::<CutConnection>().is_some();
        cut |= write(&mut text, &boundary, content_id.as_deref(), response).await.is_err();
    }
    if cut {
        return answer::cut();
    }
    text.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    let kind = format!("multipart/mixed; boundary={boundary}");
    let answer = Answer::bytes(kind, text);
    if takes_gzip(&headers) { answer.gzipped().into_response() } else { answer.into_response() }
}

/// The answer to one part. Only the Calendar API is behind this address, and no batch within a batch.
async fn answered(single: Router, request: Request<Body>) -> Response {
    let request = match method_override::meant(request).await {
        Ok(request) => request,
        Err(refused) => return refused.into_response(),
    };
    if !request.uri().path().starts_with(PREFIX) {
        return call::unknown_path().into_response();
    }
    match single.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Adds the answer to one part to the answer to all; fails if its body breaks off.
async fn write(
    text: &mut Vec<u8>,
    boundary: &str,
    content_id: Option<&str>,
    response: Response,
) -> Result<(), axum::Error> {
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await?;
    let mut line = |line: &str| {
        text.extend_from_slice(line.as_bytes());
        text.extend_from_slice(b"\r\n");
    };
    line(&format!("--{boundary}"));
    line("Content-Type: application/http");
    if let Some(id) = content_id {
        line(&format!("Content-ID: <response-{}", id.strip_prefix('<').unwrap_or(id)));
    }
    line("");
    let reason = head.status.canonical_reason().unwrap_or("Unknown");
    line(&format!("HTTP/1.1 {} {reason}", head.status.as_u16()));
    for (name, value) in &head.headers {
        line(&format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())));
    }
    if !head.headers.contains_key(header::CONTENT_LENGTH) {
        line(&format!("content-length: {}", body.len()));
    }
    line("");
    text.extend_from_slice(&body);
    text.extend_from_slice(b"\r\n");
    Ok(())
}

/// The parts of a batch, each with the headers of the whole that it does not have itself.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Part>, Refusal> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let boundary = kind.and_then(boundary).ok_or_else(|| unreadable("Missing boundary", body))?;
    let texts = split(body, &boundary);
    if texts.is_empty() {
        return Err(unreadable("0 items", body));
    }
    if texts.len() > MOST_PARTS {
        let message =
            format!("The number of calls in the batch request exceeds the limit of {MOST_PARTS}.");
        return Err(Refusal::bad("badRequest", &message));
    }
    let mut parts = Vec::with_capacity(texts.len());
    for (place, text) in texts.into_iter().enumerate() {
        let part = part(text, headers);
        parts.push(part.ok_or_else(|| unreadable(&format!("item {}", place + 1), body))?);
    }
    Ok(parts)
}

/// As Google words it; it does not show the body either.
fn unreadable(what: &str, body: &[u8]) -> Refusal {
    let message = format!(
        "Failed to parse batch request, error: {what}. Received batch body: ({}) bytes redacted",
        body.len()
    );
    Refusal::bad("badRequest", &message)
}

fn boundary(kind: &str) -> Option<String> {
    let mut fields = kind.split(';').map(str::trim);
    if !fields.next()?.eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    fields.find_map(|field| {
        let (name, value) = field.split_once('=')?;
        let value = value.trim_matches('"');
        (name.eq_ignore_ascii_case("boundary") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// What stands between the lines `--boundary`, up to the one that ends the batch. Lines may end as
/// on the wire or, as Google's Python client writes them, with a line feed alone.
fn split<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let mut texts = Vec::new();
    let mut begun = None;
    let mut place = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let start = place;
        place += line.len();
        let Some(rest) = line.trim_ascii_end().strip_prefix(delimiter.as_bytes()) else { continue };
        if !rest.is_empty() && rest != b"--" {
            continue;
        }
        if let Some(begun) = begun {
            let text: &[u8] = &body[begun..start];
            let text = text.strip_suffix(b"\n").unwrap_or(text);
            texts.push(text.strip_suffix(b"\r").unwrap_or(text));
        }
        begun = Some(place);
        if rest == b"--" {
            break;
        }
    }
    texts
}

/// One part: its own headers, an empty line, and a request as it would be on the wire.
fn part(text: &[u8], of_the_whole: &HeaderMap) -> Option<Part> {
    let mut space = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let httparse::Status::Complete((length, fields)) =
        httparse::parse_headers(text, &mut space).ok()?
    else {
        return None;
    };
    let field = |name: &str| {
        let found = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        found.and_then(|field| std::str::from_utf8(field.value).ok())
    };
    if !field("content-type")?.starts_with("application/http") {
        return None;
    }
    let content_id = field("content-id").map(str::to_owned);
    Some(Part { content_id, request: request(&text[length..], of_the_whole)? })
}

/// A request as it would be on the wire, though `HTTP/1.1` may be missing and, with no headers, the
/// empty line behind them: so they are in Google's own examples.
fn request(text: &[u8], of_the_whole: &HeaderMap) -> Option<Request<Body>> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|byte| *byte == b'\n').map_or(text.len(), |place| place + 1);
    let mut line = std::str::from_utf8(&text[..end]).ok()?.split_ascii_whitespace();
    let method = Method::from_bytes(line.next()?.as_bytes()).ok()?;
    let uri: Uri = line.next()?.parse().ok()?;
    let head = [&text[end..], b"\r\n\r\n"].concat();
    let mut space = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let httparse::Status::Complete((length, fields)) =
        httparse::parse_headers(&head, &mut space).ok()?
    else {
        return None;
    };
    let mut headers = HeaderMap::new();
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        headers.append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    // The whole answer is compressed or not, and clients do not look for it in the parts. Where the
    // body ends is told by the boundary.
    headers.remove(header::ACCEPT_ENCODING);
    headers.remove(header::CONTENT_LENGTH);
    let body = Bytes::copy_from_slice(text.get(end + length..).unwrap_or_default());
    for (name, value) in of_the_whole {
        let of_content = name.as_str().starts_with("content-");
        if !of_content && !OF_THE_WHOLE.contains(name) && !headers.contains_key(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    let mut request = Request::new(Body::from(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri.path_and_query()?.as_str().parse().ok()?;
    *request.headers_mut() = headers;
    Some(request)
}
