//! The calendars an account sees.

use google_calendar3::api::CalendarListEntry;

use super::Google;
use super::charge::{CALL, QUOTA_USER};
use super::client::Witness;
use super::error::{Failure, Verdict};
use super::oauth::AccessToken;

/// Google gives at most so many entries of a list at once.
const PAGE: i32 = 250;
/// No account's list is read further: ten times what Google lets a person make.
const MOST_PAGES: usize = 40;

/// A calendar, as an account sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Google's id of it.
    pub id: String,
    /// What the account's holder calls it.
    pub name: String,
    /// Whether it is the account's own.
    pub primary: bool,
    /// What the account may do with it: `owner`, `writer`, `reader` or `freeBusyReader`.
    pub role: String,
    /// Its time zone.
    pub time_zone: Option<String>,
}

impl Calendar {
    /// Whether the account may put events into it.
    pub fn is_writable(&self) -> bool {
        matches!(self.role.as_str(), "owner" | "writer")
    }
}

impl Google {
    /// The id of the account's own calendar: `primary` means another calendar to another account,
    /// so the id it stands for is what is kept.
    pub async fn primary(&self, access: &AccessToken) -> Result<String, Failure> {
        self.calendar(access, "primary").await.map(|calendar| calendar.id)
    }

    /// The calendar, if the account has it in its list and may write to it.
    pub async fn writable(
        &self,
        access: &AccessToken,
        id: &str,
    ) -> Result<Option<Calendar>, Failure> {
        match self.calendar(access, id).await {
            Ok(calendar) => Ok(Some(calendar).filter(Calendar::is_writable)),
            Err(failure) if failure.verdict == Verdict::NotFound => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn calendar(&self, access: &AccessToken, id: &str) -> Result<Calendar, Failure> {
        let asked = Box::pin(async {
            let hub = self.hub(access);
            let mut witness = Witness::of("calendarList.get");
            let call = hub.calendar_list().get(id).delegate(&mut witness);
            let call = match &access.quota_user {
                Some(name) => call.param(QUOTA_USER, name),
                None => call,
            };
            let outcome = self.within(call.doit()).await;
            witness.settle(outcome)
        });
        let (response, entry) = self.charged(access, CALL, asked).await?;
        Calendar::read(entry).ok_or_else(|| Failure::unknown(Some(response.status().as_u16())))
    }

    /// Every calendar in the account's list, in Google's order.
    pub async fn calendars(&self, access: &AccessToken) -> Result<Vec<Calendar>, Failure> {
        let mut calendars = Vec::new();
        let mut next: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let asked = Box::pin(async {
                let hub = self.hub(access);
                let mut witness = Witness::of("calendarList.list");
                let mut call = hub.calendar_list().list().max_results(PAGE);
                if let Some(token) = &next {
                    call = call.page_token(token);
                }
                if let Some(name) = &access.quota_user {
                    call = call.param(QUOTA_USER, name);
                }
                let outcome = self.within(call.delegate(&mut witness).doit()).await;
                witness.settle(outcome)
            });
            let (_, list) = self.charged(access, CALL, asked).await?;
            calendars.extend(list.items.unwrap_or_default().into_iter().filter_map(Calendar::read));
            next = list.next_page_token;
            if next.is_none() {
                break;
            }
        }
        Ok(calendars)
    }
}

impl Calendar {
    fn read(entry: CalendarListEntry) -> Option<Self> {
        let id = entry.id?;
        Some(Self {
            name: entry.summary_override.or(entry.summary).unwrap_or_else(|| id.clone()),
            primary: entry.primary.unwrap_or(false),
            role: entry.access_role.unwrap_or_default(),
            time_zone: entry.time_zone,
            id,
        })
    }
}
