//! The two cookies: who sits at the browser, and which consent it began.

use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::Cookie;

use super::super::Door;

/// What a cookie is for.
#[derive(Clone, Copy)]
pub enum Use {
    /// Shows an administrator's session.
    Session,
    /// Binds a consent to the browser that began it.
    Consent,
}

/// What the browser shows.
pub fn read(door: &Door, jar: &CookieJar, purpose: Use) -> Option<String> {
    jar.get(name(door, purpose)).map(|cookie| cookie.value().to_owned())
}

/// Gives the browser something to show.
pub fn set(door: &Door, jar: CookieJar, purpose: Use, value: &str) -> CookieJar {
    let mut cookie = blank(door, purpose);
    cookie.set_value(value.to_owned());
    jar.add(cookie)
}

/// Takes it away again.
pub fn clear(door: &Door, jar: CookieJar, purpose: Use) -> CookieJar {
    // With all attributes: browsers ignore a `__Host-` cookie without them even if it only removes.
    jar.remove(blank(door, purpose))
}

/// Lax, not strict: both must come along when Google sends the browser back.
fn blank(door: &Door, purpose: Use) -> Cookie<'static> {
    let life = match purpose {
        Use::Session => "",
        Use::Consent => "; Max-Age=600",
    };
    let secure = if is_https(door) { "; Secure" } else { "" };
    let written = format!("{}=; HttpOnly; SameSite=Lax; Path=/{life}{secure}", name(door, purpose));
    Cookie::parse(written).expect("a cookie with a name is well-formed")
}

/// Over plain http neither `Secure` nor `__Host-` would do: Safari drops such cookies even on
/// loopback.
fn name(door: &Door, purpose: Use) -> &'static str {
    match (purpose, is_https(door)) {
        (Use::Session, true) => "__Host-cb_session",
        (Use::Session, false) => "cb_session",
        (Use::Consent, true) => "__Host-cb_oauth",
        (Use::Consent, false) => "cb_oauth",
    }
}

fn is_https(door: &Door) -> bool {
    door.public_url.scheme() == "https"
}
