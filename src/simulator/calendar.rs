//! One calendar, who may do what with it, and how it stands in a user's list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::event_store::EventStore;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Calendar {
    pub(super) id: String,
    /// Who made it: a user or a service account. Google calls it the data owner.
    pub(super) owner: String,
    /// The client that made it for its owner, if it was one.
    pub(super) made_by: Option<String>,
    /// The owner's own calendar, which cannot be deleted. All others are secondary.
    pub(super) primary: bool,
    pub(super) summary: String,
    pub(super) description: String,
    pub(super) location: String,
    pub(super) time_zone: chrono_tz::Tz,
    /// Of the calendar's own members; its `ETag` is made of it.
    pub(super) version: i64,
    /// Of the latest change to its events.
    pub(super) events_version: i64,
    /// Of the latest change to its rules.
    pub(super) rules_version: i64,
    pub(super) events: EventStore,
    /// Its access control list, by rule id.
    pub(super) rules: BTreeMap<String, Rule>,
}

/// What somebody may do with a calendar; each role may what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Role {
    None,
    FreeBusyReader,
    Reader,
    Writer,
    Owner,
}

/// One rule of an access control list. A removed one stays, with the role `none`, for lists that
/// go on from a sync token.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Rule {
    pub(super) role: Role,
    pub(super) number: u64,
    pub(super) version: i64,
}

/// How a calendar stands in a user's list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ListEntry {
    pub(super) number: u64,
    pub(super) version: i64,
    /// Taken out of the list; it stays for lists that go on from a sync token.
    pub(super) removed: bool,
    /// What the user may write: colours, reminders, an own title.
    pub(super) fields: serde_json::Map<String, Value>,
}

impl Role {
    pub(super) fn read(name: &str) -> Option<Self> {
        [Self::None, Self::FreeBusyReader, Self::Reader, Self::Writer, Self::Owner]
            .into_iter()
            .find(|role| role.name() == name)
    }

    /// Its name in the API.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::FreeBusyReader => "freeBusyReader",
            Self::Reader => "reader",
            Self::Writer => "writer",
            Self::Owner => "owner",
        }
    }
}

impl Calendar {
    /// A calendar that only its owner may see.
    pub(super) fn new(id: &str, owner: &str, time_zone: chrono_tz::Tz, version: i64) -> Self {
        let rule = Rule { role: Role::Owner, number: 0, version };
        Self {
            id: id.to_owned(),
            owner: owner.to_owned(),
            made_by: None,
            primary: id == owner,
            summary: id.to_owned(),
            description: String::new(),
            location: String::new(),
            time_zone,
            version,
            events_version: version,
            rules_version: version,
            events: EventStore::default(),
            rules: BTreeMap::from([(format!("user:{owner}"), rule)]),
        }
    }

    /// What `user` may do: the most that any rule grants.
    pub(super) fn role(&self, user: &str) -> Role {
        let domain = user.split_once('@').map_or("", |(_, domain)| domain);
        let names = [format!("user:{user}"), format!("domain:{domain}"), "default".to_owned()];
        let granted = names.iter().filter_map(|name| Some(self.rules.get(name)?.role));
        granted.max().unwrap_or(Role::None)
    }

    /// Whether everybody may read it.
    pub(super) fn is_public(&self) -> bool {
        self.rules.get("default").is_some_and(|rule| rule.role >= Role::Reader)
    }

    pub(super) fn etag(&self) -> String {
        format!("\"{}\"", self.version * 2)
    }

    /// The `Calendar` resource.
    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({
            "kind": "calendar#calendar",
            "etag": self.etag(),
            "id": self.id,
            "summary": self.summary,
            "timeZone": self.time_zone.name(),
            "conferenceProperties": conference_properties(),
        });
        self.show_texts(&mut shown);
        shown
    }

    /// The `CalendarListEntry` resource, as `user` sees it.
    pub(super) fn shown_in_list(&self, entry: &ListEntry, user: &str) -> Value {
        let mut shown = json!({
            "kind": "calendar#calendarListEntry",
            "etag": entry.etag(),
            "id": self.id,
            "summary": self.summary,
            "timeZone": self.time_zone.name(),
            "accessRole": self.role(user).name(),
            "conferenceProperties": conference_properties(),
        });
        for (name, value) in &entry.fields {
            shown[name] = value.clone();
        }
        if self.primary && self.owner == user {
            shown["primary"] = true.into();
        }
        if entry.removed {
            shown["deleted"] = true.into();
        }
        self.show_texts(&mut shown);
        shown
    }

    fn show_texts(&self, shown: &mut Value) {
        for (name, text) in [("description", &self.description), ("location", &self.location)] {
            if !text.is_empty() {
                shown[name] = text.clone().into();
            }
        }
        if !self.primary {
            shown["dataOwner"] = self.owner.clone().into();
        }
    }
}

fn conference_properties() -> Value {
    json!({"allowedConferenceSolutionTypes": ["hangoutsMeet"]})
}

impl ListEntry {
    /// A fresh entry. A user's own calendars are shown at once.
    pub(super) fn new(number: u64, version: i64, primary: bool) -> Self {
        let fields = json!({
            "colorId": "14",
            "backgroundColor": "#9fe1e7",
            "foregroundColor": "#000000",
            "selected": true,
            "defaultReminders": [],
        });
        let mut entry = Self {
            number,
            version,
            removed: false,
            fields: fields.as_object().cloned().unwrap_or_default(),
        };
        if primary {
            let mails = ["eventCreation", "eventChange", "eventCancellation", "eventResponse"];
            let mails: Vec<Value> =
                mails.iter().map(|kind| json!({"method": "email", "type": kind})).collect();
            let own = [
                ("defaultReminders", json!([{"method": "popup", "minutes": 30}])),
                ("notificationSettings", json!({"notifications": mails})),
            ];
            entry.fields.extend(own.map(|(name, value)| (name.to_owned(), value)));
        }
        entry
    }

    pub(super) fn etag(&self) -> String {
        format!("\"{}\"", self.version * 2)
    }

    /// What is told of an entry whose calendar is gone.
    pub(super) fn shown_as_gone(&self, id: &str) -> Value {
        json!({"kind": "calendar#calendarListEntry", "etag": self.etag(), "id": id, "deleted": true})
    }

    pub(super) fn hidden(&self) -> bool {
        self.fields.get("hidden") == Some(&Value::Bool(true))
    }
}
