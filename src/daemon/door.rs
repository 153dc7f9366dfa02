//! How the door is hung, from the settings.

use std::sync::Arc;

use axum::http::HeaderValue;
use url::Url;

use crate::config::{Config, ForwardedHeader};
use crate::http::{Crews, Header, Proxies, Rate, Rates, Settings};

/// What the settings say of the door that people reach at `public_url`.
pub fn settings(config: &Config, public_url: Url, crews: Crews) -> Settings {
    let header = match config.proxies.header {
        ForwardedHeader::XForwarded => Header::XForwarded,
        ForwardedHeader::Forwarded => Header::Forwarded,
    };
    let proxies = Arc::new(Proxies::new(config.proxies.trusted.clone(), header));
    let origins = config.cors.origins.iter();
    let origins = origins.map(|origin| HeaderValue::from_str(origin).expect("an origin is ASCII"));
    Settings { public_url, rates: rates(config), proxies, origins: origins.collect(), crews }
}

fn rates(config: &Config) -> Rates {
    let limits = &config.limits;
    let rate = |requests| Rate { requests, window: limits.window };
    Rates {
        open: rate(limits.open),
        pages: rate(limits.pages),
        sign_in: rate(limits.sign_in),
        classic: Rate { requests: config.classic.requests, window: config.classic.window },
        reads: rate(limits.reads),
        writes: rate(limits.writes),
        batches: rate(limits.batches),
        manage: rate(limits.manage),
        refusals: rate(limits.refusals),
    }
}
