//! Everything sealed anew under another key, while the bridge runs.
#![expect(clippy::unwrap_used, reason = "a test ends where it goes wrong")]

use calbridge::app::rewrap::{self, PAGE};
use calbridge::app::{audit::By, keyring};
use calbridge::store::{Record, Spot};
use calbridge::vault::{KeyName, KeyState, key_of};
use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use crate::bridge::{ANA, Bridge, tea, with};
use crate::process::{Home, Process, Simulated};

mod killed;
mod swapped;

/// Rewraps to the end. Returns how many envelopes were sealed anew, and which do not open.
async fn rewrap_all(bridge: &Bridge) -> (usize, Vec<Spot>) {
    let (mut resealed, mut unreadable, mut after) = (0, Vec::new(), None);
    loop {
        let step = rewrap::step(&bridge.tied.app, By::Console, after).await.unwrap();
        assert!(step.seen <= PAGE, "a step is bounded");
        resealed += step.resealed;
        unreadable.extend(step.unreadable);
        after = step.next;
        if after.is_none() {
            return (resealed, unreadable);
        }
    }
}

/// Whether anything that an export holds was sealed with this key, whatever the store says of it.
async fn is_exported(bridge: &Bridge, key: KeyName) -> bool {
    let mut begins = vec![1];
    begins.extend(HEXLOWER.decode(key.to_string().as_bytes()).unwrap());
    let (into, mut records) = tokio::sync::mpsc::channel::<Record>(8);
    let looking = async {
        let mut found = false;
        while let Some(record) = records.recv().await {
            found |= record.encode().windows(begins.len()).any(|bytes| bytes == begins);
        }
        found
    };
    let (exported, found) = tokio::join!(bridge.tied.app.store.export(into), looking);
    exported.unwrap();
    found
}

#[tokio::test]
async fn after_a_rewrap_nothing_is_left_on_the_old_key_and_everything_goes_on() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    let made = bridge.post(&tea(), &[]).await.json();
    let old = app.vault.ring().active_name();
    let new = keyring::rotate(app, By::Console).await.unwrap();
    let coffee = bridge.post(&with(tea(), &json!({ "summary": "Coffee" })), &[]).await.json();
    let before = keyring::census(app).await.unwrap();
    assert!(before.old() > 0 && before.records() > before.old(), "{before:?}");
    assert!(is_exported(&bridge, old).await && is_exported(&bridge, new).await);

    let (resealed, unreadable) = rewrap_all(&bridge).await;
    assert_eq!(unreadable, []);
    assert_eq!(u64::try_from(resealed).unwrap(), before.old());
    let after = keyring::census(app).await.unwrap();
    assert_eq!((after.old(), after.records()), (0, before.records()));
    assert!(!is_exported(&bridge, old).await);
    assert_eq!(rewrap_all(&bridge).await, (0, Vec::new()), "again, there is nothing to do");

    assert_eq!(keyring::retire(app, By::Console).await.unwrap(), [old]);
    let states: Vec<_> = app.vault.ring().keys().collect();
    assert_eq!(states, [(new, KeyState::Active), (old, KeyState::Retired)]);
    for (event, title) in [(&made, "Tea"), (&coffee, "Coffee")] {
        let shown = bridge.event(&event["id"]).await;
        assert_eq!(shown["summary"], title, "{shown}");
    }
    // The refresh token too, though it was sealed before.
    bridge.pass(chrono::TimeDelta::hours(2));
    let milk = bridge.post(&with(tea(), &json!({ "summary": "Milk" })), &[]).await;
    assert_eq!(milk.status, 200, "{}", milk.text);
    assert_eq!(bridge.titles(ANA), ["Tea", "Coffee", "Milk"]);
    let told = app.store.audit(0, 99).await.unwrap();
    let told: Vec<_> = told.iter().map(|entry| entry.act.action.as_str()).collect();
    for action in ["vault.rotated", "vault.rewrapped", "vault.retired"] {
        assert!(told.contains(&action), "{action} is not in {told:?}");
    }
}

#[tokio::test]
async fn a_key_that_a_record_needs_is_not_retired() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    keyring::rotate(app, By::Console).await.unwrap();
    assert_eq!(keyring::retire(app, By::Console).await.unwrap(), []);
    let states: Vec<_> = app.vault.ring().keys().map(|(_, state)| state).collect();
    assert_eq!(states, [KeyState::Active, KeyState::DecryptOnly]);
}

#[tokio::test]
async fn a_record_that_does_not_open_stays_as_it_is_and_is_named() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    bridge.post(&tea(), &[]).await;
    let all = app.store.envelopes(None, 99).await.unwrap();
    let token = all.iter().find(|envelope| matches!(envelope.spot, Spot::Token(_))).unwrap();
    let content = all.iter().find(|envelope| matches!(envelope.spot, Spot::Content(_))).unwrap();
    swapped::put(app, content, &token.sealed).await;
    keyring::rotate(app, By::Console).await.unwrap();
    let (resealed, unreadable) = rewrap_all(&bridge).await;
    assert_eq!(unreadable, [content.spot]);
    assert_eq!(resealed, all.len() - 1);
    let left = app.store.envelopes(None, 99).await.unwrap();
    let left = left.iter().find(|envelope| envelope.spot == content.spot).unwrap();
    assert_eq!(left.sealed, token.sealed);
    assert_eq!(keyring::retire(app, By::Console).await.unwrap(), [], "its key is still needed");
}

#[tokio::test]
async fn the_verbs_work_with_a_daemon_and_without() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    process.connect(ANA).await;
    let states = |census: &Value| -> Vec<String> {
        let keys = census["keys"].as_array().unwrap().iter();
        keys.map(|key| key["state"].as_str().unwrap().to_owned()).collect()
    };
    for running in [true, false] {
        if !running {
            process.stop().await;
        }
        let home = &process.home;
        let json = async |verb: &[&str]| -> Value {
            let told = home.told(&[&["vault"], verb, &["--json"]].concat()).await;
            serde_json::from_str(&told).unwrap()
        };
        let before = json(&["status"]).await;
        assert_eq!(states(&before)[0], "active");
        assert_eq!(before["old"], 0);
        let rotated = json(&["rotate"]).await;
        let census = json(&["status"]).await;
        assert_eq!(census["keys"][0]["key"], rotated["keys"][0]);
        assert_eq!(states(&census)[..2], ["active", "decrypt-only"]);
        assert!(census["old"].as_u64().unwrap() > 0, "{census}");
        let rewrapped = json(&["rewrap"]).await;
        assert_eq!((&rewrapped["old"], &rewrapped["unreadable"]), (&json!(0), &json!([])));
        let retired = json(&["retire"]).await;
        assert_eq!(retired["keys"], json!([before["keys"][0]["key"]]));
        assert_eq!(json(&["retire"]).await["keys"], json!([]), "each once");
        assert_eq!(states(&json(&["status"]).await)[..2], ["active", "retired"]);
    }
    let shown = process.home.told(&["vault", "status"]).await;
    assert!(shown.contains("active") && shown.contains("retired"), "{shown}");
    process.restart().await;
}

#[tokio::test]
async fn a_daemon_refuses_a_key_file_that_is_not_the_last_and_says_the_way_out() {
    let google = Simulated::start();
    let home = Home::new(&google, "");
    home.told(&["setup-code"]).await;
    let before = std::fs::read(home.key_file()).unwrap();
    let key = home.told(&["vault", "rotate"]).await;
    let after = std::fs::read(home.key_file()).unwrap();
    let refused = async |bytes: &[u8], words: &[&str]| {
        std::fs::write(home.key_file(), bytes).unwrap();
        let output = home.cli(&["serve"]).await;
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(73), "{told}");
        for word in words {
            assert!(told.contains(word), "\"{word}\" is not in: {told}");
        }
    };
    refused(&before, &[&key, "lacks the newer key", "Restore the key file"]).await;
    let text = String::from_utf8(after.clone()).unwrap();
    // The key that the store hangs on is marked as retired, and the old one as active.
    let retired = text.replace(":active:", ":retired:").replace(":decrypt-only:", ":active:");
    refused(retired.as_bytes(), &[&key, "mark it `decrypt-only`", "vault rewrap"]).await;
    // A key the store knows nothing of yet is none to refuse.
    std::fs::write(home.key_file(), after).unwrap();
    let next = home.place.path().join("next.key");
    home.told(&["vault", "rotate", "--output", &next.to_string_lossy()]).await;
    std::fs::rename(&next, home.key_file()).unwrap();
    let census = home.told(&["vault", "status", "--json"]).await;
    let census: Value = serde_json::from_str(&census).unwrap();
    assert_eq!(census["keys"].as_array().unwrap().len(), 3, "{census}");
    assert_eq!(census["keys"][0]["records"], 2, "what opens the vault is on the new key at once");
}

#[tokio::test]
async fn a_daemon_whose_key_file_cannot_be_replaced_goes_on_and_takes_another_that_is_put_there() {
    let bridge = Bridge::connected().await;
    let app = &bridge.tied.app;
    let file = bridge.place.path().join("data.key");
    // What the next ring would be written to cannot be.
    std::fs::create_dir(bridge.place.path().join("data.key.new")).unwrap();
    let refused = keyring::rotate(app, By::Console).await.unwrap_err().to_string();
    assert!(refused.contains("vault rotate --output"), "{refused}");
    assert_eq!(bridge.post(&tea(), &[]).await.status, 200);

    let next = bridge.place.path().join("next.key");
    let random = calbridge::random::OsRandom;
    let ring = calbridge::vault::keyfile::rotate_into(&file, &next, &random).unwrap();
    std::fs::rename(&next, &file).unwrap();
    assert!(keyring::reload(app).await.unwrap());
    assert_eq!(app.vault.ring().active_name(), ring.active_name());
    let keystone = app.store.keystone().await.unwrap().unwrap();
    assert_eq!(key_of(&keystone.canary), Some(ring.active_name()));
    assert_eq!(keyring::census(app).await.unwrap().keys.len(), 2);
}
