//! The section `google`: its addresses, what is asked of it, and how much it allows.

use std::path::PathBuf;

use url::Url;

use super::check::travels_safely;
use super::reader::Reader;
use super::{AllowanceConfig, GoogleConfig};

/// Both begin with what tells whose account it is.
const DEFAULT_SCOPES: &[&str] = &[
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
    "https://www.googleapis.com/auth/calendar.freebusy",
];
const FULL_SCOPES: &[&str] = &[
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar",
    "https://www.googleapis.com/auth/calendar.events",
];

impl Reader {
    /// Google: its addresses, and what is asked of it.
    pub(super) fn google(&mut self, insecure_http: bool) -> GoogleConfig {
        let mut address = |key| self.google_address(key, insecure_http);
        let (consent_url, token_url) = (address("google.consent_url"), address("google.token_url"));
        let (revoke_url, userinfo_url) =
            (address("google.revoke_url"), address("google.userinfo_url"));
        let mut api_url = address("google.api_url");
        if !api_url.path().ends_with('/') {
            api_url.set_path(&format!("{}/", api_url.path()));
        }
        GoogleConfig {
            credentials_file: self.path("google.credentials_file"),
            service_account_file: self.optional("google.service_account_file").map(PathBuf::from),
            redirect_uri: self.redirect_uri(insecure_http),
            scopes: self
                .choice("google.scopes", &[("default", DEFAULT_SCOPES), ("full", FULL_SCOPES)])
                .iter()
                .map(|scope| (*scope).to_owned())
                .collect(),
            require_issuer: self.flag("google.require_issuer"),
            consent_url,
            token_url,
            revoke_url,
            userinfo_url,
            api_url,
            deadline: self.seconds("google.deadline_secs", 1..=600),
            user: self.allowance("google.user_calls_per_minute", "google.user_burst"),
            project: self.allowance("google.project_calls_per_minute", "google.project_burst"),
            daily_warning: self.daily_warning(),
            quota_park: self.seconds("google.quota_park_secs", 60..=604_800),
        }
    }

    /// A limit, and a burst that fits into it: in a minute that begins with one and into which the
    /// clock is set forward, two of them come together with what the minute brings.
    fn allowance(&mut self, limit: &'static str, burst_key: &'static str) -> AllowanceConfig {
        let calls_per_minute = self.count(limit, 1_000_000);
        let aim_percent = self.count("google.aim_percent", 99);
        let burst = self.count(burst_key, 1_000_000);
        let calls = u64::from(calls_per_minute.get());
        let room = calls - calls * u64::from(aim_percent.get()) / 100;
        if room < 2 {
            self.fault(limit, "must leave room for a burst beside google.aim_percent of it");
        } else if u64::from(burst.get()) * 2 > room {
            let most = room / 2;
            let rule = format!(
                "must be at most {most}, or more than {limit} could be spent in a minute; lower \
                 google.aim_percent for more"
            );
            self.fault(burst_key, rule);
        }
        AllowanceConfig { calls_per_minute, aim_percent, burst }
    }

    fn daily_warning(&mut self) -> u64 {
        let calls = self.whole("google.daily_calls_warning", 1..=1_000_000_000);
        let percent = self.whole("google.daily_warning_percent", 1..=100);
        (calls * percent / 100).max(1)
    }

    fn google_address(&mut self, key: &'static str, insecure_http: bool) -> Url {
        let written = self.text(key);
        let url = Url::parse(&written).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.has_host()
        });
        let Some(url) = url else {
            self.fault(key, "must be an absolute http or https address without a query");
            return stand_in();
        };
        if !travels_safely(&url) && !insecure_http {
            self.fault(key, "must be https, since tokens are sent there");
        }
        let host = url.host_str().unwrap_or_default();
        if !(host == "accounts.google.com" || host.ends_with(".googleapis.com")) {
            self.raw.notes.push(format!("{key} is not Google's: {host}"));
        }
        url
    }
}

/// An address for the rest of the check to work on after a fault.
fn stand_in() -> Url {
    Url::parse("https://www.googleapis.com/").expect("it is an address")
}
