//! `calendar.acl`: who may do what with a calendar.

use axum::Router;
use axum::extract::{Path, State as Shared};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Map, Value, json};

use super::Simulator;
use super::answer::{Answer, Refusal};
use super::calendar::{Role, Rule};
use super::call::{Asked, Call, Desk, Routes};
use super::channel::Watched;
use super::listing::{Listing, Manner};
use super::scopes::{READ_RULES, WRITE_RULES};

const MANNER: Manner = Manner {
    page: 100,
    largest_page: 250,
    not_with_sync: &[],
    without_sync: &[],
    same_with_sync: &[],
    not_false_with_sync: &["showDeleted"],
};

pub(super) fn routes() -> Routes {
    let item = get(read).patch(amend).put(replace).delete(delete);
    Router::new()
        .route("/calendar/v3/calendars/{calendar}/acl", get(list).post(insert))
        .route("/calendar/v3/calendars/{calendar}/acl/{rule}", item)
}

/// A rule's id is told to its work as the call's event.
fn call(method: &'static str, calendar: String, rule: Option<String>) -> Call {
    Call { method, calendar: Some(calendar), event: rule, ..Call::default() }
}

async fn list(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.acl.list", calendar, None);
    simulator.calendar_call(asked, call, READ_RULES, do_list).await
}

async fn insert(
    Shared(simulator): Shared<Simulator>,
    Path(calendar): Path<String>,
    asked: Asked,
) -> Response {
    let call = call("calendar.acl.insert", calendar, None);
    simulator.calendar_call(asked, call, WRITE_RULES, do_insert).await
}

async fn read(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.acl.get", place.0, Some(place.1));
    simulator.calendar_call(asked, call, READ_RULES, do_get).await
}

async fn amend(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.acl.patch", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_RULES, change).await
}

async fn replace(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.acl.update", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_RULES, change).await
}

async fn delete(
    Shared(simulator): Shared<Simulator>,
    Path(place): Path<(String, String)>,
    asked: Asked,
) -> Response {
    let call = call("calendar.acl.delete", place.0, Some(place.1));
    simulator.calendar_call(asked, call, WRITE_RULES, do_delete).await
}

impl Rule {
    fn etag(self) -> String {
        format!("\"{:020}\"", self.version * 2)
    }

    /// The `AclRule` resource.
    fn shown(self, id: &str) -> Value {
        let (kind, value) = id.split_once(':').unwrap_or((id, ""));
        let mut scope = json!({"type": kind});
        if !value.is_empty() {
            scope["value"] = value.into();
        }
        json!({
            "kind": "calendar#aclRule", "etag": self.etag(), "id": id, "scope": scope, "role": self.role.name(),
        })
    }
}

impl Desk<'_> {
    fn rule_id(&self) -> &str {
        self.call.event.as_deref().unwrap_or_default()
    }

    /// The rule asked for, unless it was removed. Only owners see the list.
    fn rule(&self) -> Result<Rule, Refusal> {
        let calendar = self.calendar_as(Role::Owner)?;
        let rule = calendar.rules.get(self.rule_id()).copied();
        rule.filter(|rule| rule.role != Role::None).ok_or_else(Refusal::not_found)
    }

    /// Sets the role of the rule asked for. Sync tokens of the calendar's events are dead after it.
    fn put_rule(&mut self, role: Role) -> Result<(), Refusal> {
        let calendar = self.calendar_as(Role::Owner)?;
        let owner = format!("user:{}", calendar.owner);
        let (id, name) = (calendar.id.clone(), self.rule_id().to_owned());
        if name == owner && role != Role::Owner {
            let message = "Cannot change the access of the data owner.";
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                "calendar",
                "cannotChangeOwnAcl",
                message,
            ));
        }
        let version = self.state.next_version(self.now);
        let fresh = self.state.number();
        let calendar = self.state.calendars.get_mut(&id).ok_or_else(Refusal::not_found)?;
        let number = calendar.rules.get(&name).map_or(fresh, |rule| rule.number);
        calendar.rules.insert(name, Rule { role, number, version });
        calendar.rules_version = version;
        self.state.changed(&Watched::Acl(id), self.now);
        self.committed = true;
        Ok(())
    }
}

fn do_list(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let calendar = desk.calendar_as(Role::Owner)?;
    let listing = Listing::read(desk, &format!("acl {}", calendar.id), 0, &MANNER)?;
    let deleted =
        listing.since.is_some() || desk.asked.parameters.get("showDeleted") == Some("true");
    let rules = calendar.rules.iter().filter(|(_, rule)| {
        (deleted || rule.role != Role::None) && listing.since.is_none_or(|seen| rule.version > seen)
    });
    let items = rules.map(|(id, rule)| ((0, rule.number), rule.shown(id))).collect();
    let (items, more) = listing.page_of(items);
    let etag = format!("\"{}\"", calendar.rules_version * 2);
    let mut page = json!({"kind": "calendar#acl", "etag": etag, "items": items});
    listing.close(&mut page, more, desk.now);
    Ok(Answer::json(StatusCode::OK, &page))
}

fn do_get(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let rule = desk.rule()?;
    Ok(desk.told(&rule.etag(), &rule.shown(desk.rule_id())))
}

fn do_insert(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    desk.calendar_as(Role::Owner)?;
    let kind = body.get("scope").and_then(|scope| scope["type"].as_str());
    let value = body.get("scope").and_then(|scope| scope["value"].as_str()).unwrap_or_default();
    let id = match kind {
        Some("default") => "default".to_owned(),
        Some(kind @ ("user" | "group" | "domain")) if !value.is_empty() => {
            format!("{kind}:{value}")
        }
        Some("user" | "group" | "domain") => {
            return Err(Refusal::bad("required", "Missing scope value."));
        }
        Some(_) => return Err(Refusal::bad("invalid", "Invalid scope type.")),
        None => return Err(Refusal::bad("required", "Missing scope.")),
    };
    desk.call.event = Some(id);
    desk.put_rule(wanted_role(&body)?)?;
    do_get(desk)
}

/// A patch and an update alike: the role is all that can change.
fn change(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let body = desk.json()?;
    let rule = desk.rule()?;
    desk.expect(&rule.etag())?;
    let wanted = wanted_role(&body)?;
    if wanted != rule.role {
        desk.put_rule(wanted)?;
    }
    do_get(desk)
}

fn wanted_role(body: &Map<String, Value>) -> Result<Role, Refusal> {
    let name = body.get("role").and_then(Value::as_str);
    let name = name.ok_or_else(|| Refusal::bad("required", "Missing role."))?;
    Role::read(name)
        .filter(|role| *role != Role::None)
        .ok_or_else(|| Refusal::bad("invalid", "Invalid role."))
}

fn do_delete(desk: &mut Desk<'_>) -> Result<Answer, Refusal> {
    let rule = desk.rule()?;
    desk.expect(&rule.etag())?;
    desk.put_rule(Role::None)?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
