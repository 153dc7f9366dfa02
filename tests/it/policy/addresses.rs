//! Where a request comes from. Two requests come from one address if they share its allowance: of one
//! request in each minute here.

use std::net::IpAddr;

use axum::body::Body;
use calbridge::http::Peer;
use hyper::{Method, Request, header};

use crate::bridge::{Answer, Bridge, Choices};

const PROXY: &str = "10.0.0.1";
const STATUS: &str = "/api/calendar-status";

/// A bridge behind proxies in `10.0.0.0/8`, which write this header.
async fn behind(header: &str) -> Bridge {
    let settings = format!(
        "trusted_proxies = \"10.0.0.0/8, fd00::1\"\nforwarded_header = \"{header}\"\n[limits]\nopen = 1\npages = 1000"
    );
    Bridge::with(Choices { settings, ..Choices::default() }).await
}

async fn ask(bridge: &Bridge, peer: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let peer: IpAddr = peer.parse().expect("an address");
    let mut request = Request::builder().method(Method::GET).uri(path).extension(Peer(peer));
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header(header::HOST, "localhost:3001");
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    bridge.send(request.body(Body::empty()).expect("a request")).await
}

/// A peer, and what comes from it.
type Sent<'a> = (&'a str, &'a [(&'a str, &'a str)]);

/// Whether both come from one address.
async fn same(header: &str, one: Sent<'_>, other: Sent<'_>) -> bool {
    let bridge = behind(header).await;
    assert_eq!(ask(&bridge, one.0, STATUS, one.1).await.status, 200);
    match ask(&bridge, other.0, STATUS, other.1).await.status {
        200 => false,
        429 => true,
        status => panic!("{status}"),
    }
}

#[tokio::test]
async fn a_stranger_cannot_say_that_it_is_somebody_else() {
    let stranger = "203.0.113.9";
    for name in ["x-forwarded-for", "forwarded", "x-real-ip", "client-ip", "true-client-ip"] {
        for value in ["192.0.2.1", "for=192.0.2.1", "10.0.0.1, 192.0.2.1", ""] {
            for header in ["x-forwarded-for", "forwarded"] {
                let forged: &[_] = &[(name, value)];
                assert!(same(header, (stranger, &[]), (stranger, forged)).await, "{name}: {value}");
            }
        }
    }
    assert!(!same("x-forwarded-for", (stranger, &[]), ("203.0.113.10", &[])).await);
}

#[tokio::test]
async fn a_trusted_proxy_names_the_client_with_its_last_word() {
    let x = "x-forwarded-for";
    let lone: Sent = (PROXY, &[(x, "192.0.2.1")]);
    for same_client in [
        (PROXY, &[(x, "198.51.100.7, 192.0.2.1")] as &[_]),
        (PROXY, &[(x, "192.0.2.1:4711")]),
        (PROXY, &[(x, "::ffff:192.0.2.1")]),
        (PROXY, &[(x, "192.0.2.1, 10.1.2.3")]),
        (PROXY, &[(x, "192.0.2.1,10.1.2.3,fd00::1")]),
        (PROXY, &[(x, "198.51.100.7"), (x, "192.0.2.1")]),
        (PROXY, &[(x, "192.0.2.1"), ("forwarded", "for=198.51.100.7")]),
        ("192.0.2.1", &[(x, "198.51.100.7")]),
        ("::ffff:10.0.0.1", &[(x, "192.0.2.1")]),
    ] {
        assert!(same(x, lone, same_client).await, "{same_client:?}");
    }
    for other in [
        (PROXY, &[(x, "192.0.2.1, 198.51.100.7")] as &[_]),
        (PROXY, &[(x, "192.0.2.1, unknown")]),
        (PROXY, &[(x, "192.0.2.1, ")]),
        (PROXY, &[("forwarded", "for=192.0.2.1")]),
        (PROXY, &[]),
    ] {
        assert!(!same(x, lone, other).await, "{other:?}");
    }
}

#[tokio::test]
async fn the_standard_header_is_read_as_the_standard_has_it() {
    let name = "forwarded";
    let lone: Sent = (PROXY, &[(name, "for=\"[2001:db8:1:2::3]\"")]);
    for same_client in [
        (PROXY, &[(name, "For=\"[2001:db8:1:2::3]:4711\";proto=https")] as &[_]),
        (PROXY, &[(name, "by=10.0.0.2; for=\"[2001:db8:1:2::4]\"")]),
        (PROXY, &[(name, "for=198.51.100.7, for=\"[2001:db8:1:2::3]\", for=10.9.9.9")]),
        (
            PROXY,
            &[(name, "for=198.51.100.7;host=\"a,b;for=192.0.2.1\", for=\"[2001:db8:1:2::3]\"")],
        ),
    ] {
        assert!(same(name, lone, same_client).await, "{same_client:?}");
    }
    for other in [
        (PROXY, &[(name, "for=\"[2001:db8:1:3::3]\"")] as &[_]),
        (PROXY, &[(name, "for=\"[2001:db8:1:2::3]\", for=_hidden")]),
        (PROXY, &[(name, "for=\"[2001:db8:1:2::3]\", proto=http")]),
        (PROXY, &[("x-forwarded-for", "2001:db8:1:2::3")]),
    ] {
        assert!(!same(name, lone, other).await, "{other:?}");
    }
}

#[tokio::test]
async fn only_a_trusted_proxy_says_under_which_name_a_page_was_opened() {
    let bridge = behind("x-forwarded-for").await;
    let page = "/google-calendar-setup";
    let told: &[_] = &[("host", "backend:8080"), ("x-forwarded-host", "localhost:3001")];
    assert_eq!(ask(&bridge, PROXY, page, told).await.status, 200);
    assert_eq!(ask(&bridge, "203.0.113.9", page, told).await.status, 307);
    let forged: &[_] = &[("x-forwarded-host", "elsewhere.example, localhost:3001")];
    assert_eq!(ask(&bridge, PROXY, page, forged).await.status, 200);
    let elsewhere: &[_] =
        &[("x-forwarded-host", "elsewhere.example"), ("x-forwarded-proto", "https")];
    let answer = ask(&bridge, PROXY, page, elsewhere).await;
    assert_eq!(
        (answer.status, answer.header("location")),
        (307, "http://localhost:3001/google-calendar-setup")
    );
}
