//! Who did what, on `/api/v1` and for the command line; and what an operator does when something went
//! wrong.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Door;
use super::admin::ExportBody;
use super::body::unreadable_query;
use super::events::utc;
use super::problem::Problem;
use crate::app::access::Caller;
use crate::app::audit::export::Personal;
use crate::app::audit::{self, Detail, Finding, Verdict};
use crate::app::{App, Error};
use crate::model::audit::{Actor, Entry, Subject};
use crate::model::invalid::Invalid;

/// No page of a list is longer.
const LONGEST_PAGE: usize = 500;
/// So long is a page if the caller does not say.
const USUAL_PAGE: usize = 100;

/// An entry, as shown.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct EntryBody {
    /// Its number.
    pub seq: u64,
    /// When.
    #[schema(format = DateTime)]
    pub at: String,
    /// By whom, such as `administrator` or `key:` and its public half.
    pub actor: String,
    /// What, such as `api_key.created`.
    pub action: String,
    /// To what, such as `connection:` and its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What more is known of it.
    #[serde(default, skip_serializing_if = "Detail::is_empty")]
    #[schema(value_type = HashMap<String, String>)]
    pub detail: Detail,
    /// SHA-256 of the entry and the one before it.
    pub digest: String,
}

/// A page of entries, as shown.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct EntriesBody {
    /// `list`.
    pub object: String,
    /// The entries, in the order in which things were done.
    pub data: Vec<EntryBody>,
    /// What to send as `after` for the next page; none at the end.
    pub next: Option<u64>,
}

/// What a look through the chain came to, as shown.
#[derive(Serialize, Deserialize)]
pub struct VerdictBody {
    /// How many entries there are.
    pub entries: u64,
    /// What is wrong.
    pub findings: Vec<FindingBody>,
}

/// Something that is not as it was left, as shown.
#[derive(Serialize, Deserialize)]
pub struct FindingBody {
    /// Stable.
    pub code: String,
    /// The first entry that it concerns.
    pub seq: Option<u64>,
    /// The row that it concerns.
    pub subject: Option<String>,
    /// What is wrong.
    pub text: String,
    /// What to do about it.
    pub advice: String,
}

/// Which entries are to be listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// The `next` of the page before.
    after: Option<u64>,
    /// So many on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<usize>,
    /// So many, of the last.
    #[param(minimum = 1, maximum = 500)]
    last: Option<usize>,
}

/// What an export shall tell.
#[derive(Serialize, Deserialize)]
pub struct ExportWish {
    /// Whether what is personal is written out.
    pub personal: bool,
}

/// `GET /api/v1/audit`: shows what was done, in its order.
///
/// From the first on, or those after the entry numbered `after`; or the `last` so many.
#[utoipa::path(
    get,
    path = "/api/v1/audit",
    operation_id = "list_audit",
    tag = "Operations",
    params(Listing),
    responses((status = 200, description = "A page of entries.", body = EntriesBody))
)]
pub async fn list(
    State(door): State<Door>,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<EntriesBody>, Problem> {
    let Query(listing) = listing.map_err(|error| unreadable_query(&error))?;
    let most = listing.last.or(listing.limit).unwrap_or(USUAL_PAGE);
    if !(1..=LONGEST_PAGE).contains(&most) {
        let name = if listing.last.is_some() { "last" } else { "limit" };
        return Err(Error::from(Invalid::new(name, "1 to 500")).into());
    }
    if listing.after.is_some_and(|after| i64::try_from(after).is_err()) {
        return Err(Error::from(Invalid::new("after", "the `next` of the page before")).into());
    }
    let App { store, .. } = &door.app;
    let end = store.audit_head().await.map_err(Error::from)?.seq;
    let after = match listing.last {
        Some(last) => end.saturating_sub(last as u64),
        None => listing.after.unwrap_or(0),
    };
    let entries = store.audit(after, most).await.map_err(Error::from)?;
    let next = entries.last().map(|entry| entry.seq).filter(|last| *last < end);
    let data: Result<_, Error> = entries.iter().map(|entry| shown(&door.app, entry)).collect();
    Ok(Json(EntriesBody { object: "list".into(), data: data?, next }))
}

/// `POST /audit/verify`: finds what was changed behind the bridge's back.
pub async fn verify(State(door): State<Door>) -> Result<Json<VerdictBody>, Problem> {
    Ok(Json(audit::verify(&door.app).await?.into()))
}

/// `POST /audit/accept`: takes what is found wrong as it is.
pub async fn accept(
    State(door): State<Door>,
    caller: Caller,
) -> Result<Json<VerdictBody>, Problem> {
    Ok(Json(audit::accept(&door.app, &caller).await?.into()))
}

/// `POST /audit/export`: writes the chain to a file.
pub async fn export(
    State(door): State<Door>,
    caller: Caller,
    Json(wish): Json<ExportWish>,
) -> Result<Json<ExportBody>, Problem> {
    let personal = if wish.personal { Personal::Open } else { Personal::Sealed };
    let (file, records) = audit::export::export(&door.app, &caller, personal).await?;
    Ok(Json(ExportBody { file, records }))
}

fn shown(app: &App, entry: &Entry) -> Result<EntryBody, Error> {
    // One that was tampered with is shown too, without what does not open.
    let detail = match app.detail(entry) {
        Err(Error::Vault(_)) => Detail::new(),
        detail => detail?,
    };
    let actor = match entry.act.actor {
        Actor::User(tag) => match detail.get("user") {
            Some(user) => format!("user:{user}"),
            None => format!("user:{}", HEXLOWER.encode(&tag)),
        },
        Actor::Key(id) => format!("key:{id}"),
        other => other.to_parts().0.to_owned(),
    };
    Ok(EntryBody {
        seq: entry.seq,
        at: utc(entry.act.at),
        actor,
        action: entry.act.action.as_str().to_owned(),
        subject: entry.act.subject.map(named),
        detail,
        digest: HEXLOWER.encode(&entry.digest),
    })
}

fn named(subject: Subject) -> String {
    match subject {
        Subject::Key(id) => format!("api_key:{id}"),
        Subject::Connection(id) => format!("connection:{id}"),
    }
}

impl From<Verdict> for VerdictBody {
    fn from(Verdict { entries, findings }: Verdict) -> Self {
        Self { entries, findings: findings.into_iter().map(FindingBody::from).collect() }
    }
}

impl From<Finding> for FindingBody {
    fn from(Finding { code, seq, subject, text, advice }: Finding) -> Self {
        let subject = subject.map(named);
        Self { code: code.to_owned(), seq, subject, text, advice: advice.to_owned() }
    }
}
