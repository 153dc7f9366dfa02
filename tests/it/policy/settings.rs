//! The settings of the door: which proxies are believed, which sites may call, how often.

use std::ffi::OsString;

use calbridge::config::{Config, ForwardedHeader, Loaded, load};

fn faults(text: &str) -> Vec<String> {
    Config::from_toml(text).expect_err("faults").0.iter().map(ToString::to_string).collect()
}

fn with_frontend(url: &str) -> Loaded {
    let variable = (OsString::from("FRONTEND_URL"), OsString::from(url));
    load(None, [variable], []).expect("valid settings")
}

#[test]
fn nobody_is_believed_and_no_site_named_unless_it_is_said() {
    let config = Config::from_toml("").expect("valid settings").config;
    assert!(config.proxies.trusted.is_empty() && config.cors.origins.is_empty());
    assert_eq!(config.proxies.header, ForwardedHeader::XForwarded);
    assert_eq!((config.limits.reads.get(), config.limits.refusals.get()), (6000, 60));
}

#[test]
fn proxies_are_addresses_and_networks() {
    let text =
        "trusted_proxies = \" 127.0.0.1,10.0.0.0/8 , fd00::/8,\"\nforwarded_header = \"forwarded\"";
    let proxies = Config::from_toml(text).expect("valid settings").config.proxies;
    let told: Vec<String> = proxies.trusted.iter().map(ToString::to_string).collect();
    assert_eq!(told, ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]);
    assert_eq!(proxies.header, ForwardedHeader::Forwarded);
    for wrong in ["localhost", "10.0.0.0/33", "10.0.0.0/8 fd00::1", "10.0.0", "*"] {
        let told = faults(&format!("trusted_proxies = \"{wrong}\""));
        assert!(told[0].contains("must be addresses or networks"), "{wrong}: {told:?}");
    }
    assert!(faults("forwarded_header = \"x-real-ip\"")[0].contains("must be one of"));
}

#[test]
fn sites_are_named_exactly_and_by_the_name_that_others_use_too() {
    let text = "cors.origins = \"https://APP.example.com:443/, http://localhost:5173\"";
    let loaded = Config::from_toml(text).expect("valid settings");
    assert_eq!(loaded.config.cors.origins, ["https://app.example.com", "http://localhost:5173"]);
    assert!(loaded.notes.is_empty(), "{:?}", loaded.notes);
    let loaded = with_frontend("http://shop.example.com/start");
    assert_eq!(loaded.config.cors.origins, ["http://shop.example.com"]);
    assert!(loaded.notes[0].contains("over plain http shows its tokens"), "{:?}", loaded.notes);
    for wrong in ["*", "https://*.example.com", "app.example.com", "null", "ftp://example.com"] {
        let told = faults(&format!("cors.origins = \"{wrong}\""));
        assert!(told[0].contains("must be addresses of sites"), "{wrong}: {told:?}");
    }
}
