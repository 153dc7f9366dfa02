//! The calendars an account sees.

use super::Google;
use super::charge::{CALL, QUOTA_USER};
use super::client::Witness;
use super::error::Failure;
use super::oauth::AccessToken;

impl Google {
    /// The id of the account's own calendar: `primary` means another calendar to another account,
    /// so the id it stands for is what is kept.
    pub async fn primary(&self, access: &AccessToken) -> Result<String, Failure> {
        let asked = Box::pin(async {
            let hub = self.hub(access);
            let mut witness = Witness::of("calendarList.get");
            let call = hub.calendar_list().get("primary").delegate(&mut witness);
            let call = match &access.quota_user {
                Some(name) => call.param(QUOTA_USER, name),
                None => call,
            };
            let outcome = self.within(call.doit()).await;
            witness.settle(outcome)
        });
        let (response, entry) = self.charged(access, CALL, asked).await?;
        entry.id.ok_or_else(|| Failure::unknown(Some(response.status().as_u16())))
    }
}
