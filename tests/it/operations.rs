//! What operators meet: a second process, a stop, a full disk, damage, wrong settings.

use crate::bridge::{ANA, tea};
use crate::process::{Process, Simulated};

#[tokio::test]
async fn an_account_is_connected_and_an_event_made_through_the_real_process() {
    let google = Simulated::start();
    let mut process = Process::start(&google, "").await;
    let browser = process.connect(ANA).await;
    let key = process.new_key().await;
    let answer = browser.create(&process.home.base, &key, &tea(), &[]).await.expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(google.google.events(ANA).len(), 1);
    assert_eq!(process.stop().await.code(), Some(0));
}
