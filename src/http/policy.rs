//! The policy table: every route there is, who may call it, how often, what keeps other sites out,
//! and what is audited. What stands here is what is enforced, by `admission`; a handler sees only
//! who got through.
//!
//! A new route is a row here. `tests/it/policy.rs` walks the table.

pub mod row;
pub mod table;

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::response::Redirect;

use super::{
    admin, api_keys, audit, availability, batch, categories, classic, connections, delegation,
    docs, events, health, incident, jobs, mail, metrics, oauth_client, recurrence, reminders,
    setup, status, tasks, vault,
};
use crate::model::audit::Action::{
    ApiKeyCreated, ApiKeyRevoked, AuditAccepted, AuditExported, ClientRotated,
    ConnectionCalendarChosen, ConnectionDisconnected, ConnectionLinked, EverythingRevoked,
    EverythingRotated, ExportMade, LinkCreated, LinkUsed, SessionClosed, SessionOpened,
    SetupCodeCreated, VaultRetired, VaultRewrapped, VaultRotated, WritesFrozen, WritesThawed,
};
use crate::model::key::Scope::{
    Admin, AdminRead, ConnectionsAdmin, ConnectionsRead, EventsRead, EventsWrite, TasksRead,
    TasksWrite,
};
use row::Audit::{As, Nothing};
use row::Class::{Bulk, Free, Manage, Open, Page, Read, SignIn, Write};
use row::Forgery::{ChangesNothing, Form, NoCookie, Origin, State};
use row::Pass::{Administrator, Anybody, Console, Key, User};
use row::{Class, Face, Pass};
use table::{Table, delete, get, patch, post, put};

/// Whatever a key may read.
const ANY_KEY: &[Pass] = &[Key(EventsRead), Key(TasksRead), Key(ConnectionsRead), Key(AdminRead)];

/// Every route of the public door.
pub fn public() -> Table {
    open()
        .and(classic())
        .and(pages())
        .and(accounts())
        .and(events_and_jobs())
        .and(tasks_and_categories())
        .and(reminders_and_deliveries())
        .and(keys())
        .and(watching())
}

/// What tells nothing that is anybody's. A Google outage is not ours: no probe fails for it.
#[rustfmt::skip]
fn open() -> Table {
    Table::of(Face::Api)
        .row(get("/"), &[Anybody], Open, ChangesNothing, Nothing, || async { Redirect::to(setup::HOME) })
        .row(get("/livez"), &[Anybody], Free, ChangesNothing, Nothing, health::live)
        .row(get("/readyz"), &[Anybody], Free, ChangesNothing, Nothing, health::ready)
        .row(get("/health"), &[Anybody], Free, ChangesNothing, Nothing, health::healthy)
        .row(get("/api/livez"), &[Anybody], Free, ChangesNothing, Nothing, health::live)
        .row(get("/api/readyz"), &[Anybody], Free, ChangesNothing, Nothing, health::ready)
        .row(get("/api/health"), &[Anybody], Free, ChangesNothing, Nothing, health::healthy)
        .row(get("/api/openapi.json"), &[Anybody], Open, ChangesNothing, Nothing, docs::document)
        .row(get("/google-calendar-setup/style.css"), &[Anybody], Free, ChangesNothing, Nothing, setup::style)
}

/// The routes of the fifth seed: shapes frozen, additions allowed.
#[rustfmt::skip]
fn classic() -> Table {
    Table::of(Face::Classic)
        .row(get("/api/calendar-status"), &[Anybody], Open, ChangesNothing, Nothing, classic::status)
        .row(post("/api/create-calendar-event"), &[Key(EventsWrite), User], Class::Classic, NoCookie, Nothing, classic::create)
}

/// The administrator's pages, and where Google sends people back to.
#[rustfmt::skip]
fn pages() -> Table {
    Table::of(Face::Page)
        .row(get("/google-calendar-setup"), &[Anybody, Administrator], Page, ChangesNothing, Nothing, setup::home::show)
        .row(post("/google-calendar-setup/session"), &[Anybody], SignIn, Origin, As(SessionOpened), setup::sign_in::open)
        .row(post("/google-calendar-setup/logout"), &[Administrator], Page, Form, As(SessionClosed), setup::sign_in::close)
        .row(post("/google-calendar-setup/logout-everywhere"), &[Administrator], Page, Form, As(SessionClosed), setup::sign_in::close_all)
        .row(post("/google-calendar-setup/connect"), &[Administrator], Page, Form, Nothing, setup::connect::begin)
        .row(get("/api/docs"), &[Anybody], Page, ChangesNothing, Nothing, docs::page)
        .row(get("/google-calendar-setup/calendars"), &[Anybody, Administrator], Page, ChangesNothing, Nothing, setup::calendars::show)
        .row(post("/google-calendar-setup/calendars"), &[Administrator], Page, Form, As(ConnectionCalendarChosen), setup::calendars::choose)
        .row(get(setup::link::PATH), &[Anybody], Page, ChangesNothing, Nothing, setup::link::ask)
        .row(post(setup::link::PATH), &[Anybody], Page, Origin, As(LinkUsed), setup::link::follow)
        .row(get("/oauth2callback"), &[Anybody], Page, State, As(ConnectionLinked), setup::connect::callback)
        .row(post("/google-calendar-setup/oauth-client"), &[Administrator], Page, Form, As(ClientRotated), setup::client::exchange)
        .row(get("/google-calendar-setup/test-event"), &[Anybody, Administrator], Page, ChangesNothing, Nothing, setup::test_event::show)
        .row(post("/google-calendar-setup/test-event"), &[Administrator], Page, Form, Nothing, setup::test_event::create)
        .row(post("/google-calendar-setup/test-event/remove"), &[Administrator], Page, Form, Nothing, setup::test_event::remove)
        .row(get("/google-calendar-revoke"), &[Anybody, Administrator, Key(Admin)], Page, NoCookie, As(ConnectionDisconnected), setup::revoke::ask)
        .row(post("/google-calendar-revoke"), &[Administrator, Key(Admin)], Page, Form, As(ConnectionDisconnected), setup::revoke::submit)
        .row(get("/google-calendar-setup/revoke"), &[Anybody, Administrator, Key(Admin)], Page, NoCookie, As(ConnectionDisconnected), setup::revoke::ask)
        .row(post("/google-calendar-setup/revoke"), &[Administrator, Key(Admin)], Page, Form, As(ConnectionDisconnected), setup::revoke::submit)
}

/// Linked accounts, and the links by which users connect theirs.
#[rustfmt::skip]
fn accounts() -> Table {
    Table::of(Face::Api)
        .row(get("/api/v1/connections"), &[Key(ConnectionsRead), User], Read, ChangesNothing, Nothing, connections::list)
        .row(post("/api/v1/connections/links"), &[Key(ConnectionsAdmin), User], Write, NoCookie, As(LinkCreated), connections::links::create)
        .row(post("/api/v1/connections/codes"), &[Key(ConnectionsAdmin), User], Write, NoCookie, Nothing, connections::links::redeem)
        .row(get("/api/v1/connections/{id}"), &[Key(ConnectionsRead), User], Read, ChangesNothing, Nothing, connections::show)
        .row(patch("/api/v1/connections/{id}"), &[Key(ConnectionsAdmin), User], Write, NoCookie, As(ConnectionCalendarChosen), connections::edit)
        .row(delete("/api/v1/connections/{id}"), &[Key(ConnectionsAdmin), User], Write, NoCookie, As(ConnectionDisconnected), connections::delete)
        .row(get("/api/v1/connections/{id}/calendars"), &[Key(ConnectionsRead), User], Read, ChangesNothing, Nothing, connections::calendars)
        .row(post("/api/v1/connections/{id}/disconnect"), &[Key(ConnectionsAdmin), User], Write, NoCookie, As(ConnectionDisconnected), connections::disconnect)
        .row(post("/api/v1/connections/{id}/reconnect"), &[Key(ConnectionsAdmin), User], Write, NoCookie, As(LinkCreated), connections::links::reconnect)
}

/// Events, and the jobs that bring them to Google.
#[rustfmt::skip]
fn events_and_jobs() -> Table {
    Table::of(Face::Api)
        .row(post("/api/v1/events"), &[Key(EventsWrite), User], Write, NoCookie, Nothing, events::create)
        .row(get("/api/v1/events"), &[Key(EventsRead), User], Read, ChangesNothing, Nothing, events::list::list)
        .row(get("/api/v1/events/{id}"), &[Key(EventsRead), User], Read, ChangesNothing, Nothing, events::show)
        .row(get("/api/v1/events/{id}/history"), &[Key(EventsRead), User], Read, ChangesNothing, Nothing, events::history::show)
        .row(patch("/api/v1/events/{id}"), &[Key(EventsWrite), User], Write, NoCookie, Nothing, events::edit)
        .row(delete("/api/v1/events/{id}"), &[Key(EventsWrite), User], Write, NoCookie, Nothing, events::cancel)
        .row(post("/api/v1/events/batch"), &[Key(EventsWrite), User], Bulk, NoCookie, Nothing, events::batch::create.layer(DefaultBodyLimit::max(batch::MOST_BYTES)))
        .row(post("/api/v1/availability"), &[Key(EventsRead), User], Read, NoCookie, Nothing, availability::ask)
        .row(post("/api/v1/recurrence/expand"), &[Key(EventsRead), User], Read, NoCookie, Nothing, recurrence::expand)
        .row(get("/api/v1/jobs"), &[Key(AdminRead)], Manage, ChangesNothing, Nothing, jobs::list)
        .row(get("/api/v1/jobs/{id}"), &[Key(EventsRead), User], Read, ChangesNothing, Nothing, jobs::show)
        .row(post("/api/v1/jobs/{id}/cancel"), &[Key(Admin)], Manage, NoCookie, Nothing, jobs::cancel)
        .row(post("/api/v1/jobs/{id}/retry"), &[Key(Admin)], Manage, NoCookie, Nothing, jobs::retry)
        .row(post("/api/v1/jobs/{id}/snooze"), &[Key(Admin)], Manage, NoCookie, Nothing, jobs::snooze)
}

/// Tasks, and what they and events have in common.
#[rustfmt::skip]
fn tasks_and_categories() -> Table {
    Table::of(Face::Api)
        .row(get("/api/v1/categories"), &[Key(EventsRead), Key(TasksRead), User], Read, ChangesNothing, Nothing, categories::list)
        .row(post("/api/v1/categories"), &[Key(EventsWrite), Key(TasksWrite), User], Write, NoCookie, Nothing, categories::create)
        .row(get("/api/v1/categories/{id}"), &[Key(EventsRead), Key(TasksRead), User], Read, ChangesNothing, Nothing, categories::show)
        .row(patch("/api/v1/categories/{id}"), &[Key(EventsWrite), Key(TasksWrite), User], Write, NoCookie, Nothing, categories::edit)
        .row(delete("/api/v1/categories/{id}"), &[Key(EventsWrite), Key(TasksWrite), User], Write, NoCookie, Nothing, categories::delete)
        .row(get("/api/v1/tasks"), &[Key(TasksRead), User], Read, ChangesNothing, Nothing, tasks::list)
        .row(post("/api/v1/tasks"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, tasks::create)
        .row(post("/api/v1/tasks/batch"), &[Key(TasksWrite), User], Bulk, NoCookie, Nothing, tasks::batch::create.layer(DefaultBodyLimit::max(batch::MOST_BYTES)))
        .row(get("/api/v1/tasks/{id}"), &[Key(TasksRead), User], Read, ChangesNothing, Nothing, tasks::show)
        .row(patch("/api/v1/tasks/{id}"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, tasks::edit)
        .row(delete("/api/v1/tasks/{id}"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, tasks::delete)
        .row(post("/api/v1/tasks/{id}/complete"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, tasks::complete)
        .row(post("/api/v1/tasks/{id}/reopen"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, tasks::reopen)
}

/// Reminders.
#[rustfmt::skip]
fn reminders_and_deliveries() -> Table {
    Table::of(Face::Api)
        .row(get("/api/v1/reminders"), &[Key(TasksRead), User], Read, ChangesNothing, Nothing, reminders::list)
        .row(post("/api/v1/reminders"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, reminders::create)
        .row(post("/api/v1/reminders/batch"), &[Key(TasksWrite), User], Bulk, NoCookie, Nothing, reminders::batch::create.layer(DefaultBodyLimit::max(batch::MOST_BYTES)))
        .row(get("/api/v1/reminders/{id}"), &[Key(TasksRead), User], Read, ChangesNothing, Nothing, reminders::show)
        .row(patch("/api/v1/reminders/{id}"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, reminders::edit)
        .row(delete("/api/v1/reminders/{id}"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, reminders::delete)
        .row(post("/api/v1/reminders/{id}/snooze"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, reminders::snooze)
        .row(post("/api/v1/reminders/{id}/dismiss"), &[Key(TasksWrite), User], Write, NoCookie, Nothing, reminders::dismiss)
        .row(get("/api/v1/reminders/{id}/deliveries"), &[Key(TasksRead), User], Read, ChangesNothing, Nothing, reminders::deliveries)
}

/// API keys.
#[rustfmt::skip]
fn keys() -> Table {
    Table::of(Face::Api)
        .row(get("/api/v1/api-keys"), &[Key(AdminRead)], Manage, ChangesNothing, Nothing, api_keys::list)
        .row(post("/api/v1/api-keys"), &[Key(Admin)], Manage, NoCookie, As(ApiKeyCreated), api_keys::create)
        .row(get("/api/v1/api-keys/{id}"), &[Key(AdminRead)], Manage, ChangesNothing, Nothing, api_keys::show)
        .row(delete("/api/v1/api-keys/{id}"), &[Key(Admin)], Manage, NoCookie, As(ApiKeyRevoked), api_keys::revoke)
}

/// How the bridge fares, and what it speaks to Google with.
#[rustfmt::skip]
fn watching() -> Table {
    Table::of(Face::Api)
        .row(get("/api/v1/oauth-client"), &[Key(AdminRead)], Manage, ChangesNothing, Nothing, oauth_client::show)
        .row(put("/api/v1/oauth-client"), &[Key(Admin)], Manage, NoCookie, As(ClientRotated), oauth_client::replace)
        .row(post("/api/v1/connections"), &[Key(ConnectionsAdmin)], Manage, NoCookie, As(ConnectionLinked), delegation::link)
        .row(get("/api/v1/status"), ANY_KEY, Read, ChangesNothing, Nothing, status::show)
        .row(post("/api/v1/mail/test"), &[Key(Admin)], Manage, NoCookie, Nothing, mail::test)
        .row(get("/api/v1/audit"), &[Key(AdminRead)], Manage, ChangesNothing, Nothing, audit::list)
        .row(get("/metrics"), ANY_KEY, Read, ChangesNothing, Nothing, metrics::show)
}

/// Everything the command line asks of a running daemon, over the administrator's socket.
#[rustfmt::skip]
pub fn console() -> Table {
    Table::of(Face::Console)
        .row(post("/setup-code"), &[Console], Free, NoCookie, As(SetupCodeCreated), admin::setup_code)
        .row(get("/api-keys"), &[Console], Free, ChangesNothing, Nothing, api_keys::list)
        .row(post("/api-keys"), &[Console], Free, NoCookie, As(ApiKeyCreated), api_keys::create)
        .row(delete("/api-keys/{id}"), &[Console], Free, NoCookie, As(ApiKeyRevoked), api_keys::revoke)
        .row(post("/export"), &[Console], Free, NoCookie, As(ExportMade), admin::export)
        .row(get("/audit"), &[Console], Free, ChangesNothing, Nothing, audit::list)
        .row(post("/audit/verify"), &[Console], Free, NoCookie, Nothing, audit::verify)
        .row(post("/audit/accept"), &[Console], Free, NoCookie, As(AuditAccepted), audit::accept)
        .row(post("/audit/export"), &[Console], Free, NoCookie, As(AuditExported), audit::export)
        .row(post("/incident/freeze"), &[Console], Free, NoCookie, As(WritesFrozen), incident::freeze)
        .row(post("/incident/thaw"), &[Console], Free, NoCookie, As(WritesThawed), incident::thaw)
        .row(post("/incident/revoke-all"), &[Console], Free, NoCookie, As(EverythingRevoked), incident::revoke_all)
        .row(post("/incident/renew-all"), &[Console], Free, NoCookie, As(EverythingRotated), incident::renew_all)
        .row(get("/vault"), &[Console], Free, ChangesNothing, Nothing, vault::census)
        .row(post("/vault/rotate"), &[Console], Free, NoCookie, As(VaultRotated), vault::rotate)
        .row(post("/vault/rewrap"), &[Console], Free, NoCookie, As(VaultRewrapped), vault::rewrap)
        .row(post("/vault/retire"), &[Console], Free, NoCookie, As(VaultRetired), vault::retire)
}
