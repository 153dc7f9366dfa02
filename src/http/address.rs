//! Where a request comes from: the other end of the connection or, behind a proxy that the operator
//! trusts, whom that proxy names.
//!
//! A forwarded header is a claim of whoever sent it. It is read from its right end, where the nearest
//! proxy wrote; as soon as a hop is not trusted, that hop is the client, and what it claims further
//! to the left is nothing. One header alone is believed, since a proxy that writes one passes the
//! other on as its client forged it. Schemes are never taken from a header: links and cookies follow
//! `public_url`.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

use super::Door;

static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The other end of the connection that a request came over.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Who sent a request, as far as can be told.
#[derive(Clone, Copy, Debug)]
pub struct Client(pub IpAddr);

/// The name under which a request asks for this server.
#[derive(Clone, Debug)]
pub struct Asked(pub String);

/// Which header the proxies write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// `X-Forwarded-For`, and `X-Forwarded-Host` beside it.
    XForwarded,
    /// `Forwarded` of RFC 7239.
    Forwarded,
}

/// The proxies that are believed.
#[derive(Debug)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    header: Header,
    /// Whether the log has said that one is there which is not believed.
    noticed: AtomicBool,
}

/// Finds out for every request where it comes from.
pub async fn know(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let peer = request.extensions().get().map_or(loopback, |Peer(peer)| peer.to_canonical());
    door.proxies.notice(peer, request.headers());
    let client = door.proxies.client(peer, request.headers());
    let asked = door.proxies.host(peer, request.headers());
    request.extensions_mut().insert(Client(client));
    request.extensions_mut().insert(Asked(asked));
    next.run(request).await
}

impl Proxies {
    /// Those in these networks, which write this.
    pub fn new(trusted: Vec<IpNet>, header: Header) -> Self {
        Self { trusted, header, noticed: AtomicBool::new(false) }
    }

    /// Says once that something on this machine or network looks like a proxy and is not believed.
    fn notice(&self, peer: IpAddr, headers: &HeaderMap) {
        let near = match peer {
            IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
            IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
        };
        let forwards =
            [&X_FORWARDED_FOR, &header::FORWARDED].map(|name| headers.contains_key(name));
        if near && forwards.contains(&true) && !self.trusts(peer) {
            let told = self.noticed.swap(true, Ordering::Relaxed);
            if !told {
                tracing::warn!(
                    %peer,
                    "a proxy forwards requests and is not in trusted_proxies: all its clients share \
                     the limits of one address"
                );
            }
        }
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(&address))
    }

    /// The client's address: that of the rightmost hop that is not trusted.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let hops = match self.header {
            Header::XForwarded => elements(headers, &X_FORWARDED_FOR),
            Header::Forwarded => elements(headers, &header::FORWARDED)
                .into_iter()
                .map(|element| member(element, "for").unwrap_or_default())
                .collect(),
        };
        let mut client = peer;
        for hop in hops.into_iter().rev() {
            match hop_address(hop) {
                Some(hop) if self.trusts(client) => client = hop,
                _ => break,
            }
        }
        client
    }

    /// The host that was asked for: `Host`, unless a trusted proxy says that it was another.
    fn host(&self, peer: IpAddr, headers: &HeaderMap) -> String {
        let forwarded = match self.header {
            _ if !self.trusts(peer) => None,
            Header::XForwarded => elements(headers, &X_FORWARDED_HOST).pop(),
            Header::Forwarded => elements(headers, &header::FORWARDED)
                .pop()
                .and_then(|element| member(element, "host")),
        };
        let shown = forwarded.or_else(|| headers.get(header::HOST)?.to_str().ok());
        shown.unwrap_or_default().to_ascii_lowercase()
    }
}

/// What a list header says, over all its lines. A line that is not text is one empty element.
fn elements<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let lines = headers.get_all(name).into_iter();
    lines.flat_map(|line| split(line.to_str().unwrap_or_default(), ',')).collect()
}

/// The parts between separators that do not stand in quotes, without the white space around them.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    let parts = text.split(|letter| {
        quoted ^= letter == '"';
        letter == separator && !quoted
    });
    parts.map(str::trim).collect()
}

/// A member of an element of `Forwarded`, such as `for=192.0.2.60;proto=http`.
fn member<'a>(element: &'a str, wanted: &str) -> Option<&'a str> {
    split(element, ';').into_iter().find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"'))
    })
}

/// An address, perhaps with a port; none of a name that hides one.
fn hop_address(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().ok();
    let address = address.or_else(|| hop.parse().map(|socket: SocketAddr| socket.ip()).ok());
    address.map(|address| address.to_canonical())
}
