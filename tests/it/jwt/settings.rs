//! Settings of tokens: what would let strangers in is refused by name.

use calbridge::config::Config;

use super::application::{SECRET, secret_file};

fn fault_of(settings: &str) -> String {
    Config::from_toml(&format!("[auth.jwt]\n{settings}")).expect_err(settings).to_string()
}

#[test]
fn what_would_let_strangers_in_is_refused_by_name() {
    let place = tempfile::tempdir().expect("a directory");
    let short = secret_file(place.path(), &"x".repeat(31));
    let us = "issuer = \"a\"\naudience = \"b\"";
    let keys = "jwks_file = \"keys.json\"";
    for (settings, key) in [
        ("audience = \"b\"".to_owned(), "auth.jwt.audience"),
        (format!("{keys}\nalgorithm = \"ES256\""), "auth.jwt.jwks_file"),
        (format!("issuer = \"a\"\n{keys}"), "auth.jwt.audience"),
        (us.to_owned(), "auth.jwt.algorithm"),
        (format!("{us}\nalgorithm = \"HS256\""), "auth.jwt.algorithm"),
        (format!("{us}\n{keys}\nalgorithm = \"none\""), "auth.jwt.algorithm"),
        (format!("{us}\n{keys}\nalgorithm = \"HS256\""), "auth.jwt.jwks_file"),
        (format!("{us}\nsecret_file = \"{short}\""), "auth.jwt.secret_file"),
        (format!("{us}\n{keys}\njwks_url = \"https://a.example\""), "auth.jwt.jwks_url"),
        (format!("{us}\njwks_url = \"http://a.example\""), "auth.jwt.jwks_url"),
        (format!("{us}\njwks_url = \"https://me:pw@a.example\""), "auth.jwt.jwks_url"),
        (format!("{us}\njwks_url = \"file:///etc/keys\""), "auth.jwt.jwks_url"),
        (format!("{us}\nalgorithm = \"HS256\"\nsecret_file = \"{short}\""), "auth.jwt.secret_file"),
        (
            format!("{us}\nalgorithm = \"HS256\"\nsecret_file = \"/dev/null\""),
            "auth.jwt.secret_file",
        ),
        (format!("{us}\n{keys}\nleeway_secs = 301"), "auth.jwt.leeway_secs"),
        (format!("{us}\n{keys}\nlongest_life_secs = 59"), "auth.jwt.longest_life_secs"),
        (format!("{us}\n{keys}\nsecret = \"{SECRET}\""), "auth.jwt.secret "),
    ] {
        let told = fault_of(&settings);
        assert!(told.contains(&format!("\n  {key}")), "{settings}\n{told}");
        assert!(!told.contains("me:pw") && !told.contains(SECRET), "{told}");
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let place = tempfile::tempdir().expect("a directory");
    let file = secret_file(place.path(), SECRET);
    let settings = format!(
        "issuer = \"a\"\naudience = \"b\"\nalgorithm = \"HS256\"\nsecret_file = \"{file}\""
    );
    assert!(Config::from_toml(&format!("[auth.jwt]\n{settings}")).is_ok());
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).expect("our file");
    assert!(fault_of(&settings).contains("chmod 600"));
}
