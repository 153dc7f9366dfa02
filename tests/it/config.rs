//! Settings: layers, faults told all at once, and the files that come with calbridge.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use calbridge::config::{self, Config, Faults, Loaded, LogFormat, Notify, StoreKind};
use secrecy::ExposeSecret;

const DEFAULTS: &str = include_str!("../../config/default.toml");

/// Loads from a file, variables and flags.
fn layered(
    file: Option<&Path>,
    environment: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Loaded, Faults> {
    let variable = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    let flag = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    config::load(file, environment.iter().map(variable), flags.iter().map(flag))
}

fn load(environment: &[(&str, &str)]) -> Loaded {
    layered(None, environment, &[]).expect("these settings are right")
}

/// Each fault as a line.
fn lines(faults: &Faults) -> Vec<String> {
    faults.0.iter().map(ToString::to_string).collect()
}

fn faults_of(text: &str) -> Vec<String> {
    lines(&Config::from_toml(text).expect_err("these settings are wrong"))
}

/// A file of its own for one test.
fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let path = directory.path().join("calbridge.toml");
    std::fs::write(&path, text).expect("the directory is ours");
    (directory, path)
}

#[test]
fn the_defaults_hold_and_are_silent() {
    let Loaded { config, notes } = Config::from_toml("").expect("the defaults are right");
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(config.listen, "127.0.0.1:3001".parse().unwrap());
    assert_eq!(config.data_dir, Path::new("./calbridge-data"));
    assert_eq!(config.vault.key_file, Path::new("./calbridge-data.key"));
    assert_eq!(config.store.kind, StoreKind::Sled);
    assert_eq!(config.store.min_free, 200_000_000);
    assert_eq!(config.classic.notify, Notify::None);
    assert_eq!(config.classic.requests.get(), 100);
    assert_eq!(config.google.deadline, Duration::from_secs(30));
    assert_eq!(config.google.scopes.len(), 5);
    assert_eq!(config.google.api_url.as_str(), "https://www.googleapis.com/");
    assert_eq!(config.log.format, LogFormat::Text);
    assert_eq!(config.log.dir, None);
}

/// Every key of a table, and of those in it.
fn keys_of(before: &str, table: &toml::Table) -> Vec<String> {
    let keys = table.iter().map(|(key, value)| match value {
        toml::Value::Table(section) => keys_of(&format!("{before}{key}."), section),
        _ => vec![format!("{before}{key}")],
    });
    keys.flatten().collect()
}

#[test]
fn every_key_of_the_defaults_is_read_and_has_a_type() {
    let defaults: toml::Table = DEFAULTS.parse().unwrap();
    let keys = keys_of("", &defaults);
    assert!(keys.len() > 30, "{keys:?}");
    for key in keys {
        let faults = faults_of(&format!("{key} = []"));
        assert!(
            faults
                .iter()
                .any(|fault| fault.starts_with(&format!("{key} (settings, line 1): must be"))),
            "{faults:?}"
        );
    }
}

#[test]
fn every_default_has_its_meaning_above_it() {
    let mut commented = false;
    for line in DEFAULTS.lines() {
        match line {
            "" => commented = false,
            _ if line.starts_with('#') => commented = true,
            _ if line.starts_with('[') => {}
            _ => assert!(commented, "nothing is said of `{line}`"),
        }
    }
}

#[test]
fn the_example_works_as_it_is() {
    let example = include_str!("../../config/example.toml");
    let Loaded { config, notes } = Config::from_toml(example).expect("the example is right");
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(config.public_url(&[]).as_str(), "https://your-domain.com/");
}

#[test]
fn later_layers_win_key_by_key() {
    let (_directory, path) = file(
        "listen = '127.0.0.1:1'\nnamespace = 'file'\n[classic]\nwait_secs = 1\nrequests = 1\n",
    );
    let environment = [("CALBRIDGE_LISTEN", "127.0.0.1:2"), ("CALBRIDGE_CLASSIC__WAIT_SECS", "2")];
    let flags = [("listen", "[::1]:3")];
    let config = layered(Some(&path), &environment, &flags).unwrap().config;
    assert_eq!(config.listen, "[::1]:3".parse().unwrap(), "the flag");
    assert_eq!(config.classic.wait, Duration::from_secs(2), "the environment");
    assert_eq!(config.classic.requests.get(), 1, "the file");
    assert_eq!(config.namespace(&[]), "file");
    assert_eq!(config.classic.window, Duration::from_mins(15), "the defaults");
}

#[test]
fn every_fault_of_every_layer_is_told_at_once_with_its_place() {
    let (_directory, path) = file(
        "listen = 5\ndata_dri = '/x'\n\n[google]\ndeadline_secs = 0\nscope = 'full'\n[store]\nkind = 'redis'\n",
    );
    let environment = [
        ("CALBRIDGE_QUEUE__WORKERS", "many"),
        ("CALBRIDGE_LOG__LEVL", "info"),
        ("CALBRIDGE_INSECURE_HTTP", "yes"),
        ("PATH", "/bin"),
    ];
    let flags = [("log.format", "xml"), ("public_ulr", "https://example.com")];
    let faults = layered(Some(&path), &environment, &flags).unwrap_err();
    let path = path.display();
    assert_eq!(
        lines(&faults),
        [
            "CALBRIDGE_LOG__LEVL (variable CALBRIDGE_LOG__LEVL): is not a setting; did you mean `CALBRIDGE_LOG__LEVEL`?".to_owned(),
            format!("data_dri ({path}, line 2): is not a setting; did you mean `data_dir`?"),
            format!("google.deadline_secs ({path}, line 5): must be a whole number from 1 to 600"),
            format!("google.scope ({path}, line 6): is not a setting; did you mean `google.scopes`?"),
            "insecure_http (variable CALBRIDGE_INSECURE_HTTP): must be true or false".to_owned(),
            format!("listen ({path}, line 1): must be text, in quotes"),
            "log.format (command line): must be one of `text`, `json`".to_owned(),
            "public_ulr (command line): is not a setting; did you mean `public_url`?".to_owned(),
            "queue.workers (variable CALBRIDGE_QUEUE__WORKERS): must be a whole number from 1 to 1024".to_owned(),
            format!("store.kind ({path}, line 8): must be one of `sled`, `postgres`, `memory`"),
        ]
    );
    assert!(
        faults.to_string().starts_with("there are 10 faults in the settings:\n  CALBRIDGE_LOG")
    );
}

#[test]
fn a_key_that_is_none_gets_the_nearest_one() {
    let cases = [
        ("credentials_file = 'x'", "did you mean `google.credentials_file`?"),
        ("[gogle]\napi_url = 'x'", "did you mean `google.api_url`?"),
        ("[gogle]", "did you mean `google`?"),
        ("log = 'debug'", "is a section: write its settings under [log]"),
        ("[listen]\nport = 1", "is not a setting"),
        ("colour = 'red'", "config/default.toml has all there are"),
    ];
    for (text, words) in cases {
        let faults = faults_of(text);
        assert!(faults.len() == 1 && faults[0].contains(words), "{text}: {faults:?}");
    }
    let single = [("CALBRIDGE_GOOGLE_API_URL", "https://x.googleapis.com/")];
    let faults = layered(None, &single, &[]).unwrap_err();
    assert!(lines(&faults)[0].ends_with("did you mean `CALBRIDGE_GOOGLE__API_URL`?"), "{faults}");
    assert!(Config::from_toml("[google]\n[log]").is_ok(), "a section may be empty");
}

#[test]
fn what_is_no_toml_is_told_by_line_and_a_missing_file_by_name() {
    let faults = faults_of(
        "listen = '127.0.0.1:1'\nnamespace == 'x'\ndata_dir = \"abc\n[stop]\ndrain_secs = 0\n",
    );
    let starts = [
        "TOML (settings, line 2): ",
        "TOML (settings, line 3): ",
        "stop.drain_secs (settings, line 5): ",
    ];
    assert_eq!(faults.len(), starts.len(), "{faults:?}");
    for (fault, start) in faults.iter().zip(starts) {
        assert!(fault.starts_with(start), "{faults:?}");
    }
    let missing = Path::new("/nowhere/calbridge.toml");
    let faults = layered(Some(missing), &[], &[]).unwrap_err();
    assert!(
        faults.to_string().contains("--config (/nowhere/calbridge.toml): cannot be read"),
        "{faults}"
    );
}

#[test]
fn no_fault_repeats_the_value() {
    let marker = "hunter2-marker";
    let environment = [
        ("CALBRIDGE_PUBLIC_URL", "https://me:hunter2-marker@example.com"),
        ("CALBRIDGE_LISTEN", marker),
        ("CALBRIDGE_TOKEN", marker),
        ("PORT", marker),
        ("CALBRIDGE_GOOGLE__TOKEN_URL", marker),
        ("CALBRIDGE_LOG__LEVEL", marker),
        ("CALBRIDGE_STORE__KIND", marker),
    ];
    let faults = layered(None, &environment, &[]).unwrap_err();
    assert_eq!(faults.0.len(), environment.len(), "{faults}");
    assert!(!faults.to_string().contains("hunter2"), "{faults}");
    let mail = [("SMTP_HOST", "mail.test"), ("SMTP_USER", "a@mail.test"), ("SMTP_PASS", marker)];
    let mail = load(&mail);
    assert!(mail.config.mail.as_ref().is_some_and(|mail| mail.login.is_some()));
    assert!(!format!("{mail:?}").contains("hunter2"));
}

#[test]
fn the_seeds_variables_work_or_are_named_as_ignored() {
    let loaded = load(&[
        ("PORT", "8080"),
        ("GOOGLE_REDIRECT_URI", "https://your-domain.com/oauth2callback"),
        ("NODE_ENV", "production"),
    ]);
    assert_eq!(loaded.config.listen, "127.0.0.1:8080".parse().unwrap());
    assert_eq!(loaded.config.redirect_uri(&[]), "https://your-domain.com/oauth2callback");
    assert_eq!(loaded.config.public_url(&[]).as_str(), "https://your-domain.com/");
    assert_eq!(loaded.notes, ["NODE_ENV is ignored: nothing depends on it"]);
}

#[test]
fn port_keeps_the_address_and_yields_to_a_flag() {
    let listen =
        |environment, flags| layered(None, environment, flags).unwrap().config.listen.to_string();
    let both = [("CALBRIDGE_LISTEN", "0.0.0.0:3001"), ("PORT", "8080")];
    assert_eq!(listen(&both, &[]), "0.0.0.0:8080");
    assert_eq!(listen(&both, &[("listen", "127.0.0.1:9")]), "127.0.0.1:9");
    assert_eq!(listen(&[("CALBRIDGE_LISTEN", "[::]:3001"), ("PORT", "8080")], &[]), "[::]:8080");
    assert_eq!(listen(&[("PORT", "")], &[]), "127.0.0.1:3001");
    let faults = layered(None, &[("PORT", "70000")], &[]).unwrap_err();
    assert_eq!(lines(&faults), ["PORT (variable PORT): must be a port, 0 to 65535"]);
}

#[test]
fn our_own_names_win_over_those_that_others_use() {
    let config = load(&[
        ("CALBRIDGE_GOOGLE__REDIRECT_URI", "https://ours.example/oauth2callback"),
        ("GOOGLE_REDIRECT_URI", "https://theirs.example/oauth2callback"),
        ("CALBRIDGE_LOG__LEVEL", "warn"),
        ("RUST_LOG", "trace"),
    ])
    .config;
    assert_eq!(config.redirect_uri(&[]), "https://ours.example/oauth2callback");
    assert_eq!(config.log.level, "warn");
    assert_eq!(
        load(&[("RUST_LOG", "info,calbridge::queue=debug")]).config.log.level,
        "info,calbridge::queue=debug"
    );
}

#[test]
fn systemd_names_directories_where_nobody_else_did() {
    let credentials = tempfile::tempdir().unwrap();
    let directory = credentials.path().to_str().unwrap();
    let environment = [
        ("STATE_DIRECTORY", "/var/lib/calbridge:/var/lib/calbridge-key"),
        ("CREDENTIALS_DIRECTORY", directory),
    ];
    let config = load(&environment).config;
    assert_eq!(config.data_dir, Path::new("/var/lib/calbridge"));
    assert_eq!(
        config.vault.key_file,
        Path::new("/var/lib/calbridge.key"),
        "there is no such credential"
    );

    let key = credentials.path().join("calbridge-key");
    std::fs::write(&key, "key").unwrap();
    assert_eq!(load(&environment).config.vault.key_file, key);

    let own = [("CALBRIDGE_DATA_DIR", "/srv/a"), ("CALBRIDGE_VAULT__KEY_FILE", "/srv/b")];
    let config = load(&[environment, own].concat()).config;
    assert_eq!((config.data_dir, config.vault.key_file), ("/srv/a".into(), "/srv/b".into()));

    let (_directory, path) = file("data_dir = '/srv/c'\nvault.key_file = '/srv/d'\n");
    let config = layered(Some(&path), &environment, &[]).unwrap().config;
    assert_eq!((config.data_dir, config.vault.key_file), ("/srv/c".into(), "/srv/d".into()));
}

#[cfg(unix)]
#[test]
fn promise_7_a_key_file_inside_the_data_directory_is_refused_unless_it_is_allowed() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path().to_str().unwrap();
    std::fs::create_dir(format!("{root}/data")).unwrap();
    std::os::unix::fs::symlink(format!("{root}/data"), format!("{root}/link")).unwrap();
    for inside in ["data/key", "data/sub/key", "data/../data/key", "link/key", "data", "./data/key"]
    {
        let text = format!("data_dir = '{root}/data'\nvault.key_file = '{root}/{inside}'\n");
        let faults = faults_of(&text);
        assert!(
            faults.len() == 1
                && faults[0].starts_with("vault.key_file (settings, line 2): lies inside data_dir"),
            "{inside}: {faults:?}"
        );
        let allowed = Config::from_toml(&format!("insecure_key_location = true\n{text}")).unwrap();
        assert!(allowed.notes[0].contains("inside data_dir"), "{:?}", allowed.notes);
    }
    for outside in ["data.key", "data-key/key", "key", "data/../key"] {
        let text = format!("data_dir = '{root}/data/'\nvault.key_file = '{root}/{outside}'\n");
        assert!(Config::from_toml(&text).is_ok(), "{outside}");
    }
    let beside = Config::from_toml(&format!("data_dir = '{root}/data/'")).unwrap().config;
    assert_eq!(beside.vault.key_file, PathBuf::from(format!("{root}/data.key")));
    assert_eq!(
        faults_of("data_dir = 'x'\nvault.key_file = 'x/key'").len(),
        1,
        "relative paths too"
    );
    assert_eq!(faults_of("data_dir = ''"), ["data_dir (settings, line 1): must be a path"]);
}

#[test]
fn a_public_url_is_an_origin_and_plain_http_stays_on_this_machine() {
    for right in [
        "https://calendar.example.com",
        "https://calendar.example.com/",
        "https://calendar.example.com:8443",
        "http://localhost:3001",
        "http://127.0.0.1",
        "http://[::1]:80",
        "http://bridge.localhost",
    ] {
        assert!(Config::from_toml(&format!("public_url = '{right}'")).is_ok(), "{right}");
    }
    for wrong in [
        "calendar.example.com",
        "ftp://example.com",
        "https://example.com/path",
        "https://example.com/?a=b",
        "https://example.com/#a",
        "https://me@example.com",
        "https://",
        "localhost:3001",
        "/",
    ] {
        let faults = faults_of(&format!("public_url = '{wrong}'"));
        assert!(
            faults[0].contains("public_url (settings, line 1): must be http or https"),
            "{wrong}: {faults:?}"
        );
    }
    let plain = "public_url = 'http://calendar.example.com'";
    assert!(faults_of(plain)[0].contains("insecure_http = true"));
    assert!(
        faults_of("google.redirect_uri = 'http://10.0.0.1/oauth2callback'")[0]
            .contains("insecure_http = true")
    );
    let allowed = Config::from_toml(&format!("insecure_http = true\n{plain}")).unwrap();
    assert!(allowed.notes[0].contains("insecure_http"), "{:?}", allowed.notes);
}

#[test]
fn where_people_reach_us_is_found_in_the_order_that_is_promised() {
    let listed = |uris: &[&str]| uris.iter().map(|uri| (*uri).to_owned()).collect::<Vec<_>>();
    let one = listed(&["https://listed.example/oauth2callback"]);
    let two =
        listed(&["https://listed.example/oauth2callback", "http://localhost:3001/oauth2callback"]);
    let of = |text: &str, redirects: &[String]| {
        let config = Config::from_toml(text).unwrap().config;
        (
            config.public_url(redirects).to_string(),
            config.redirect_uri(redirects),
            config.namespace(redirects),
        )
    };
    let expected = |origin: &str| {
        (format!("{origin}/"), format!("{origin}/oauth2callback"), origin.to_owned())
    };
    let set = "public_url = 'https://set.example:8443'\n";
    let redirect = "google.redirect_uri = 'https://redirect.example/oauth2callback'\n";
    assert_eq!(of(set, &one), expected("https://set.example:8443"));
    assert_eq!(of(redirect, &one), expected("https://redirect.example"));
    assert_eq!(of("", &one), expected("https://listed.example"));
    assert_eq!(of("", &two), expected("http://localhost:3001"));
    assert_eq!(of("listen = '0.0.0.0:99'", &[]), expected("http://localhost:99"));
    assert_eq!(of("namespace = 'staging'", &one).2, "staging");
    // Letter for letter: Google compares it so.
    let odd = "google.redirect_uri = 'https://Redirect.example:443/oauth2callback'";
    assert_eq!(of(odd, &[]).1, "https://Redirect.example:443/oauth2callback");

    // What the credentials file says is no reason to serve unsafely.
    let plain = listed(&["http://listed.example/oauth2callback"]);
    assert_eq!(of("", &plain), expected("http://localhost:3001"));
    assert_eq!(of("insecure_http = true", &plain), expected("http://listed.example"));
    assert_eq!(of("", &listed(&["urn:ietf:wg:oauth:2.0:oob"])), expected("http://localhost:3001"));
}

#[test]
fn addresses_other_than_googles_are_named_and_must_be_safe() {
    let Loaded { config, notes } =
        Config::from_toml("[google]\napi_url = 'http://127.0.0.1:4100/google'\ntoken_url = 'https://oauth2.googleapis.com/token'").unwrap();
    assert_eq!(config.google.api_url.as_str(), "http://127.0.0.1:4100/google/");
    assert_eq!(notes, ["google.api_url is not Google's: 127.0.0.1"]);
    let faults = faults_of("google.token_url = 'http://10.0.0.1/token'");
    assert!(faults[0].contains("must be https"), "{faults:?}");
    let notes =
        Config::from_toml("google.token_url = 'https://oauth2.googleapis.com.evil.example/token'")
            .unwrap()
            .notes;
    assert_eq!(notes, ["google.token_url is not Google's: oauth2.googleapis.com.evil.example"]);
}

#[test]
fn rules_between_settings_and_ranges_hold() {
    let cases = [
        (
            "google.deadline_secs = 120",
            "queue.lease_secs (built in): must be longer than google.deadline_secs",
        ),
        ("classic.requests = 0", "must be a whole number from 1 to 1000000"),
        ("classic.requests = -1", "must be a whole number"),
        ("classic.requests = 99999999999999999999", "must be a whole number"),
        ("classic.requests = '100'", "must be a whole number"),
        ("classic.notify = 'everybody'", "must be one of `none`, `external`, `all`"),
        ("log.level = 'inof'", "must be `off`"),
        ("log.level = 'info,calbridge=loud'", "must be `off`"),
        ("log.level = ''", "must be `off`"),
        ("namespace = 'two words'", "printable ASCII"),
        ("namespace = true", "must be text"),
        ("insecure_http = 'true'", "must be true or false"),
    ];
    for (text, words) in cases {
        let faults = faults_of(text);
        assert!(faults.len() == 1 && faults[0].contains(words), "{text}: {faults:?}");
    }
    let memory = Config::from_toml("store.kind = 'memory'").unwrap();
    assert_eq!(memory.notes, ["store.kind is memory: everything is forgotten at exit"]);
}

#[test]
fn both_scope_lists_tell_whose_account_it_is() {
    for text in ["", "google.scopes = 'full'"] {
        let scopes = Config::from_toml(text).unwrap().config.google.scopes;
        assert_eq!(scopes[..2], ["openid", "email"]);
        assert!(
            scopes.iter().any(|scope| scope == "https://www.googleapis.com/auth/calendar.events")
        );
    }
    let full = Config::from_toml("google.scopes = 'full'").unwrap().config.google.scopes;
    assert_eq!(full[2], "https://www.googleapis.com/auth/calendar");
}

#[test]
fn the_environment_is_that_of_this_process() {
    assert!(config::environment().iter().any(|(name, _)| name == "PATH"));
}

#[test]
fn two_bursts_must_fit_beside_what_is_aimed_at() {
    Config::from_toml("[google]\nuser_burst = 30\nproject_burst = 500").expect("they just fit");
    let faults = faults_of("[google]\nuser_burst = 31\nproject_burst = 501");
    assert!(faults[0].contains("google.project_burst") && faults[0].contains("at most 500"));
    assert!(faults[1].contains("google.user_burst") && faults[1].contains("at most 30"));
    let faults = faults_of("[google]\nuser_calls_per_minute = 10");
    assert!(faults[0].starts_with("google.user_calls_per_minute"), "{faults:?}");
}

#[test]
fn a_database_needs_an_address() {
    let faults = Config::from_toml("store.kind = 'postgres'").unwrap_err();
    let told = faults.to_string();
    assert!(told.contains("store.postgres_url (built in): is needed"), "{told}");
    let url = "postgres://calbridge:tr0ub4dor@db.example.com/calbridge";
    let text = format!("store.kind = 'postgres'\nstore.postgres_url = '{url}'");
    let config = Config::from_toml(&text).unwrap().config;
    assert_eq!(config.store.postgres.url.expose_secret(), url);
    assert!(!format!("{config:?}").contains("tr0ub4dor"), "a password is never shown");
}

#[test]
fn a_databases_address_may_lie_in_a_file() {
    let (_directory, path) = file("postgres://calbridge:tr0ub4dor@db/calbridge\n");
    let text = format!("store.kind = 'postgres'\nstore.postgres_url_file = '{}'", path.display());
    let config = Config::from_toml(&text).unwrap().config;
    assert_eq!(
        config.store.postgres.url.expose_secret(),
        "postgres://calbridge:tr0ub4dor@db/calbridge"
    );
    let twice = format!("{text}\nstore.postgres_url = 'postgres://other'");
    let told = Config::from_toml(&twice).unwrap_err().to_string();
    assert!(told.contains("write one of them"), "{told}");
    let none = text.replace(".toml", ".gone");
    let told = Config::from_toml(&none).unwrap_err().to_string();
    assert!(told.contains("store.postgres_url_file (settings, line 2): cannot be read"), "{told}");
}
