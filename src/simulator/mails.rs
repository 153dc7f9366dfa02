//! The mails that would go out about a change.

use super::call::Desk;
use super::event::Event;
use super::ledger::Mail;

impl Desk<'_> {
    /// Writes down the mails about a change: the organizer's go to the guests, a guest's answer goes to
    /// the organizer.
    pub(super) fn mail_change(&mut self, stored: &Event, event: &Event) {
        if self.call.calendar.as_ref() != Some(&event.organizer) {
            if stored.attendees() != event.attendees() || stored.cancelled != event.cancelled {
                self.mail(event, [event.organizer.clone()], "response");
            }
            return;
        }
        let (had, has) = (stored.guests(), event.guests());
        let (kept, gone): (Vec<_>, Vec<_>) =
            had.iter().cloned().partition(|guest| has.contains(guest) && !event.cancelled);
        self.mail(event, gone, "cancellation");
        if !event.cancelled {
            self.mail(event, kept, "update");
            let new = has.into_iter().filter(|guest| !had.contains(guest));
            self.mail(event, new, "invitation");
        }
    }

    /// Writes down the mails to the guests, as far as `sendUpdates` asks for them.
    pub(super) fn mail(
        &mut self,
        event: &Event,
        guests: impl IntoIterator<Item = String>,
        kind: &'static str,
    ) {
        let everybody = self.parameter_is("sendUpdates", "all")
            || self.parameter_is("sendNotifications", "true");
        if !(everybody || self.parameter_is("sendUpdates", "externalOnly")) {
            return;
        }
        let calendar = self.call.calendar.clone().unwrap_or_default();
        for to in guests {
            let is_owner = to == calendar;
            let has_account = self.state.user(&to).is_some();
            if !is_owner && (everybody || !has_account) {
                let event = event.id.clone();
                self.state.mail(Mail {
                    time: self.now,
                    to,
                    kind,
                    calendar: calendar.clone(),
                    event,
                });
            }
        }
    }
}
