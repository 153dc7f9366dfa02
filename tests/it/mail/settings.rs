//! The section `mail` of the settings, and the variables of the seeds.

use std::ffi::OsString;
use std::time::Duration;

use calbridge::config::{self, Config, Loaded, MailConfig, MailSecurity, MailboxConfig};
use secrecy::ExposeSecret;

fn from_environment(variables: &[(&str, &str)]) -> Result<Loaded, Vec<String>> {
    let variable = |(name, value): &(&str, &str)| (OsString::from(name), OsString::from(value));
    let loaded = config::load(None, variables.iter().map(variable), []);
    loaded.map_err(|faults| faults.0.iter().map(ToString::to_string).collect())
}

fn mail(settings: &str) -> MailConfig {
    let loaded = Config::from_toml(&format!("[mail]\n{settings}")).expect("sound settings");
    loaded.config.mail.expect("a server that takes mail")
}

fn fault(settings: &str) -> String {
    let text = format!("[mail]\nhost = \"smtp.mail.test\"\n{settings}");
    let faults = Config::from_toml(&text).expect_err("settings with a fault");
    let [fault] = faults.0.try_into().expect("one fault");
    fault.to_string()
}

#[test]
fn without_a_host_there_is_no_mail() {
    let loaded = Config::from_toml("").expect("the defaults");
    assert!(loaded.config.mail.is_none());
    let half = Config::from_toml("[mail]\nfrom = \"ana@mail.test\"").expect("sound settings");
    assert!(half.config.mail.is_none());
    assert!(
        half.notes.iter().any(|note| note.starts_with("mail.host is empty")),
        "{:?}",
        half.notes
    );
}

#[test]
fn the_variables_of_the_fifth_seed_set_mail_up() {
    let loaded = from_environment(&[
        ("SMTP_HOST", "smtp.gmail.com"),
        ("SMTP_PORT", "587"),
        ("SMTP_USER", "your-email@gmail.com"),
        ("SMTP_PASS", "your-app-password"),
    ]);
    let loaded = loaded.expect("sound settings");
    let mail = loaded.config.mail.expect("a server");
    assert_eq!((&*mail.host, mail.port), ("smtp.gmail.com", 587));
    assert_eq!(mail.security, MailSecurity::StartTls);
    let (username, password) = mail.login.expect("a login");
    assert_eq!(username, "your-email@gmail.com");
    assert_eq!(password.expose_secret(), "your-app-password");
    let from = MailboxConfig { name: None, address: "your-email@gmail.com".to_owned() };
    assert_eq!(mail.from, from, "the user is the sender where nobody else is");
    assert_eq!((mail.per_minute.get(), mail.timeout), (60, Duration::from_secs(30)));
    let notes = loaded.notes.join("\n");
    assert!(
        notes.contains("mail.password_file") && !notes.contains("your-app-password"),
        "{notes}"
    );
}

#[test]
fn the_variables_of_the_first_seed_set_mail_up_too() {
    let variables = [
        ("MAIL_SERVER", "smtp.gmail.com"),
        ("MAIL_PORT", "465"),
        ("MAIL_USE_TLS", "True"),
        ("MAIL_USERNAME", "your-email@example.com"),
        ("MAIL_PASSWORD", "app-password"),
        ("MAIL_DEFAULT_SENDER", "Tasks <tasks@example.com>"),
    ];
    let mail = from_environment(&variables).expect("sound settings").config.mail.expect("a server");
    assert_eq!(
        (mail.port, mail.security),
        (465, MailSecurity::Tls),
        "TLS is spoken at 465 at once"
    );
    let from =
        MailboxConfig { name: Some("Tasks".to_owned()), address: "tasks@example.com".to_owned() };
    assert_eq!(mail.from, from);
    let mut open = variables;
    open[2].1 = "false";
    let faults = from_environment(&open).unwrap_err().join("\n");
    assert!(faults.starts_with("mail.security (variable MAIL_USE_TLS): is none, and"), "{faults}");
    open[2].1 = "perhaps";
    let faults = from_environment(&open).unwrap_err();
    assert_eq!(faults, ["MAIL_USE_TLS (variable MAIL_USE_TLS): must be true or false"]);
}

#[test]
fn what_is_ours_by_name_wins_over_the_seeds_variables() {
    let variables = [
        ("SMTP_HOST", "theirs.mail.test"),
        ("CALBRIDGE_MAIL__HOST", "ours.mail.test"),
        ("CALBRIDGE_MAIL__FROM", "ana@mail.test"),
    ];
    let mail = from_environment(&variables).expect("sound settings").config.mail;
    assert_eq!(mail.expect("a server").host, "ours.mail.test");
}

#[test]
fn nothing_but_this_machine_is_spoken_to_in_the_clear() {
    let open = "security = \"none\"\nfrom = \"ana@mail.test\"\nhost = ";
    for host in ["localhost", "127.0.0.1", "::1"] {
        assert_eq!(mail(&format!("{open}\"{host}\"")).security, MailSecurity::None, "{host}");
    }
    let refused = fault("security = \"none\"\nfrom = \"ana@mail.test\"");
    assert!(
        refused.contains("mail.security") && refused.contains("`starttls` or `tls`"),
        "{refused}"
    );
}

#[test]
fn a_sender_is_an_address_and_perhaps_a_name() {
    for (written, name, address) in [
        ("ana@mail.test", None, "ana@mail.test"),
        ("Ana <ana@mail.test>", Some("Ana"), "ana@mail.test"),
        ("\\\"Ana, Ünal\\\" <ana@mail.test>", Some("Ana, Ünal"), "ana@mail.test"),
        ("<ana@mail.test>", None, "ana@mail.test"),
    ] {
        let sound = mail(&format!("host = \"smtp.mail.test\"\nfrom = \"{written}\""));
        assert_eq!(
            (sound.from.name.as_deref(), &*sound.from.address),
            (name, address),
            "{written}"
        );
    }
    let strange =
        ["ana", "ana@", "a b@mail.test", "Ana ana@mail.test>", "Ana\\nBcc: x <ana@mail.test>"];
    for written in strange {
        let fault = fault(&format!("from = \"{written}\""));
        assert!(fault.starts_with("mail.from ") && fault.contains("must be an address"), "{fault}");
    }
}

#[test]
fn what_is_missing_or_stands_alone_is_named() {
    let from = "from = \"ana@mail.test\"\n";
    for (settings, key) in [
        ("", "mail.from "),
        ("username = \"ana\"\npassword = \"x\"", "mail.from "),
        (&*format!("{from}username = \"ana\""), "mail.username "),
        (&*format!("{from}password = \"x\""), "mail.password "),
        (&*format!("{from}port = 0"), "mail.port "),
        (&*format!("{from}per_minute = 0"), "mail.per_minute "),
        (&*format!("{from}security = \"ssl\""), "mail.security "),
        (&*format!("{from}password_file = \"/nowhere/at/all\""), "mail.password_file "),
        (&*format!("{from}reply_to = \"ana\""), "mail.reply_to "),
    ] {
        let fault = fault(settings);
        assert!(fault.starts_with(key), "{settings}: {fault}");
        assert!(!fault.contains("/nowhere"), "{fault}");
    }
    let told = Config::from_toml("[mail]\nhost = \"smtp://mail.test\"\nfrom = \"ana@mail.test\"");
    assert!(told.unwrap_err().to_string().contains("mail.host"), "an address is no host");
}
