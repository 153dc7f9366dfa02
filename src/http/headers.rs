//! The headers that every answer carries, whatever it answers: they keep our pages out of other sites'
//! hands, and other sites' things out of our pages.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;

use super::Door;

/// What only the path decides is the same everywhere.
const EVERYWHERE: [(HeaderName, &str); 6] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    // A handler that says something else knows that its answer is nobody's secret.
    (header::CACHE_CONTROL, "no-store"),
];
/// Of what is no page, nothing runs, loads or is framed.
const NO_PAGE: &str = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'";
/// For a year, and this host alone: others under the same name are not ours.
const ONLY_HTTPS: &str = "max-age=31536000";

/// Adds them.
pub async fn secure(State(door): State<Door>, mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in EVERYWHERE {
        usual(headers, name, HeaderValue::from_static(value));
    }
    let is_page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    // With `no-referrer`, browsers would send the forms of our own pages with `Origin: null`.
    let (policy, referrer) = if is_page {
        (page_policy(&door), "same-origin")
    } else {
        (HeaderValue::from_static(NO_PAGE), "no-referrer")
    };
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    usual(headers, header::REFERRER_POLICY, HeaderValue::from_static(referrer));
    if door.public_url.scheme() == "https" {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(ONLY_HTTPS));
    }
    response
}

fn usual(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    headers.entry(name).or_insert(value);
}

/// Browsers hold the redirect that answers a form to `form-action` too, and Connect ends at Google.
fn page_policy(door: &Door) -> HeaderValue {
    let google = door.app.google.endpoints().consent.origin().ascii_serialization();
    let policy = format!(
        "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self' {google}; \
         base-uri 'none'; frame-ancestors 'none'"
    );
    HeaderValue::try_from(policy).expect("an origin is printable ASCII")
}
