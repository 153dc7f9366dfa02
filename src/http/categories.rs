//! Categories on `/api/v1`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use super::body::{Body, unreadable_query};
use super::etag::ETag;
use super::events::members::{Faults, Member, ReminderBody, read_reminders};
use super::events::{read_aim, utc};
use super::openapi::{Calendar, Id, User, words};
use super::problem::{Code, FieldError, Problem};
use super::{Door, cursor, etag, idempotency};
use crate::app::access::Caller;
use crate::app::categories::{self, CategoryEdit, CategoryView};
use crate::app::events::Said;
use crate::model::category::{Category, Completion};
use crate::model::event::{Color, Notify, Visibility};
use crate::model::id::ItemId;
use crate::model::invalid::Invalid;
use crate::model::owner::{Owner, UserId};

/// The route's name in what a repeated request is known by, and in its cursors.
const ROUTE: &str = "/api/v1/categories";
/// No page of a list is longer.
const LONGEST_PAGE: usize = 500;
/// So long is a page if the caller does not say.
const USUAL_PAGE: usize = 100;

/// A category to be made.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "name": "Errands", "color": "sage", "completion": "remove" })))]
pub struct NewCategory {
    /// What people call it.
    #[validate(
        required(message = "is required: what people call it"),
        length(min = 1, max = 100, message = "1 to 100 characters")
    )]
    #[schema(required, value_type = String, min_length = 1, max_length = 100)]
    name: Option<String>,
    #[schema(schema_with = words::color)]
    color: Option<String>,
    #[schema(value_type = Option<Calendar>)]
    calendar: Option<String>,
    #[schema(schema_with = words::visibility)]
    visibility: Option<String>,
    #[schema(max_items = 5)]
    reminders: Option<Vec<ReminderBody>>,
    #[schema(schema_with = words::notify)]
    notify: Option<String>,
    meet: Option<bool>,
    #[schema(schema_with = words::completion)]
    completion: Option<String>,
    #[schema(value_type = Option<User>)]
    user: Option<String>,
}

/// What may be changed of a category. Null takes away what it need not have.
#[derive(Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(examples(json!({ "name": "Errands in town", "color": null })))]
pub struct CategoryChange {
    #[validate(length(min = 1, max = 100, message = "1 to 100 characters"))]
    #[schema(min_length = 1, max_length = 100)]
    name: Option<String>,
    #[serde(default)]
    #[schema(schema_with = words::color)]
    color: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<Calendar>)]
    calendar: Member<String>,
    #[serde(default)]
    #[schema(schema_with = words::visibility)]
    visibility: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<Vec<ReminderBody>>, max_items = 5)]
    reminders: Member<Vec<ReminderBody>>,
    #[serde(default)]
    #[schema(schema_with = words::notify)]
    notify: Member<String>,
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    meet: Member<bool>,
    #[serde(default)]
    #[schema(schema_with = words::completion)]
    completion: Member<String>,
}

/// A category, as shown. What is null is left to whatever else decides.
#[derive(Serialize, ToSchema)]
pub struct CategoryBody {
    object: &'static str,
    id: String,
    /// What it is known by as it stands: what to send as `If-Match`.
    #[schema(value_type = String)]
    etag: ETag,
    version: u32,
    created: String,
    name: String,
    #[schema(schema_with = words::color)]
    color: Option<&'static str>,
    calendar: Option<String>,
    #[schema(schema_with = words::visibility)]
    visibility: Option<&'static str>,
    reminders: Option<Vec<ReminderBody>>,
    #[schema(schema_with = words::notify)]
    notify: Option<&'static str>,
    meet: Option<bool>,
    #[schema(schema_with = words::completion)]
    completion: Option<&'static str>,
    /// Whose it is, if a user's.
    user: Option<String>,
}

/// A page of categories, as shown.
#[derive(Serialize, ToSchema)]
pub struct CategoriesBody {
    object: &'static str,
    data: Vec<CategoryBody>,
    /// What to send as `cursor` for the next page, which may be empty; null at the end.
    next: Option<String>,
}

/// Which categories are to be listed.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Whose; the caller's own if it is left out.
    #[param(value_type = Option<User>)]
    user: Option<String>,
    /// The `next` of the page before.
    cursor: Option<String>,
    /// How many at most, 1 to 500; 100 if it is left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
}

/// `POST /api/v1/categories`: makes a category.
#[utoipa::path(
    post,
    path = "/api/v1/categories",
    operation_id = "create_category",
    tag = "Categories",
    params(idempotency::IdempotencyKey),
    request_body = NewCategory,
    responses(
        (status = 200, description = "Known already, by its key.", body = CategoryBody, headers(("Location" = String, description = "Where it is shown."))),
        (status = 201, description = "Made.", body = CategoryBody, headers(("Location" = String, description = "Where it is shown.")))
    ),
    extensions(("x-codes" = json!([Code::TooLarge])))
)]
pub async fn create(
    State(door): State<Door>,
    caller: Caller,
    headers: HeaderMap,
    body: Body<NewCategory>,
) -> Result<Response, Problem> {
    let identity = idempotency::identity(&headers, ROUTE, body.digest)?;
    let (category, user) = read(body.value)?;
    let owner = user.map_or_else(|| caller.owner.clone(), Owner::User);
    let (view, repeated) =
        categories::create(&door.app, &caller, owner, category, identity).await?;
    Ok(made(ROUTE, &view.item.id.to_string(), CategoryBody::from(&view), repeated))
}

/// The answer to whoever made something.
pub(super) fn made(route: &str, id: &str, body: impl Serialize, repeated: bool) -> Response {
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    let mut response = (status, Json(body)).into_response();
    let location = HeaderValue::from_str(&format!("{route}/{id}"));
    response.headers_mut().extend(location.ok().map(|location| (header::LOCATION, location)));
    if repeated { idempotency::replayed(response) } else { response }
}

/// `GET /api/v1/categories`: lists an owner's categories, those made first first.
#[utoipa::path(
    get,
    path = "/api/v1/categories",
    operation_id = "list_categories",
    tag = "Categories",
    params(Listing),
    responses((status = 200, description = "A page of them.", body = CategoriesBody))
)]
pub async fn list(
    State(door): State<Door>,
    caller: Caller,
    listing: Result<Query<Listing>, QueryRejection>,
) -> Result<Json<CategoriesBody>, Problem> {
    let Query(listing) = listing.map_err(|error| unreadable_query(&error))?;
    let owner = owner_of(&caller, listing.user).map_err(refused)?;
    let most = length_of(listing.limit).map_err(refused)?;
    let named = String::from_utf8_lossy(&owner.to_bytes()).into_owned();
    let list: [&str; 2] = [ROUTE, &named];
    let after = listing.cursor.map(|cursor| cursor::read(&list, &cursor)).transpose();
    let page = categories::list(&door.app, &caller, owner, after.map_err(refused)?, most).await?;
    Ok(Json(CategoriesBody {
        object: "list",
        data: page.items.iter().map(CategoryBody::from).collect(),
        next: page.next.map(|(created, id)| cursor::after(&list, created, id)),
    }))
}

/// `GET /api/v1/categories/{id}`: shows a category.
#[utoipa::path(
    get,
    path = "/api/v1/categories/{id}",
    operation_id = "show_category",
    tag = "Categories",
    params(("id" = Id, Path), etag::IfNoneMatch),
    responses(
        (status = 200, description = "The category.", body = CategoryBody),
        (status = 304, description = "It is as the caller knows it.")
    )
)]
pub async fn show(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = categories::get(&door.app, &caller, item_id("category", &id)?).await?;
    let body = CategoryBody::from(&view);
    if body.etag.is_known(&headers) {
        return Ok((StatusCode::NOT_MODIFIED, [body.etag.header()]).into_response());
    }
    Ok(([body.etag.header()], Json(body)).into_response())
}

/// `PATCH /api/v1/categories/{id}`: changes the members given. Nothing moves to another calendar.
#[utoipa::path(
    patch,
    path = "/api/v1/categories/{id}",
    operation_id = "change_category",
    tag = "Categories",
    params(("id" = Id, Path), etag::IfMatch),
    request_body = CategoryChange,
    responses((status = 200, description = "Changed.", body = CategoryBody)),
    extensions(("x-codes" = json!([Code::Overtaken, Code::TooLarge])))
)]
pub async fn edit(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Body<CategoryChange>,
) -> Result<Response, Problem> {
    let change = read_change(body.value)?;
    let id = item_id("category", &id)?;
    let seen = seen(&door, &caller, id, &headers).await?;
    let view = categories::edit(&door.app, &caller, id, seen, &change).await?;
    let body = CategoryBody::from(&view);
    Ok(([body.etag.header()], Json(body)).into_response())
}

/// `DELETE /api/v1/categories/{id}`: deletes a category. What was made in it keeps what it took.
#[utoipa::path(
    delete,
    path = "/api/v1/categories/{id}",
    operation_id = "delete_category",
    tag = "Categories",
    params(("id" = Id, Path), etag::IfMatch),
    responses((status = 204, description = "Deleted.")),
    extensions(("x-codes" = json!([Code::Overtaken])))
)]
pub async fn delete(
    State(door): State<Door>,
    caller: Caller,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    let id = item_id("category", &id)?;
    let seen = seen(&door, &caller, id, &headers).await?;
    categories::delete(&door.app, &caller, id, seen).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The version that may be changed, if the caller says by `If-Match` which it has seen.
async fn seen(
    door: &Door,
    caller: &Caller,
    id: ItemId,
    headers: &HeaderMap,
) -> Result<Option<u32>, Problem> {
    if !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    let view = categories::get(&door.app, caller, id).await?;
    if CategoryBody::from(&view).etag.lets_change(headers) {
        return Ok(Some(view.item.version));
    }
    Err(crate::app::Error::Unseen("category").into())
}

/// Ids that cannot be are told as those that are not.
pub(super) fn item_id(noun: &'static str, id: &str) -> Result<ItemId, Problem> {
    id.parse().map_err(|_| crate::app::Error::NotFound(noun).into())
}

/// Whose list is asked for.
pub(super) fn owner_of(caller: &Caller, user: Option<String>) -> Result<Owner, Invalid> {
    let user = user.map(UserId::try_from).transpose();
    let user = user.map_err(|fault| Invalid { field: "user".into(), ..fault })?;
    Ok(user.map_or_else(|| caller.owner.clone(), Owner::User))
}

/// How long a page is asked for.
pub(super) fn length_of(limit: Option<usize>) -> Result<usize, Invalid> {
    let most = limit.unwrap_or(USUAL_PAGE);
    if (1..=LONGEST_PAGE).contains(&most) {
        return Ok(most);
    }
    Err(Invalid::new("limit", "1 to 500"))
}

/// What is wrong with a member of a query.
#[expect(clippy::needless_pass_by_value, reason = "made for map_err")]
pub(super) fn refused(fault: Invalid) -> Problem {
    Problem::fields(vec![FieldError::from(&fault)])
}

fn read(body: NewCategory) -> Result<(Category, Option<UserId>), Problem> {
    let mut faults = Faults::default();
    let color = faults.keep(body.color.map(|name| name.parse()).transpose());
    let aim = faults.keep_all(read_aim(body.user, None, body.calendar));
    let visibility = faults.keep(body.visibility.map(|name| name.parse()).transpose());
    let alerts = faults.keep_all(body.reminders.map(read_reminders).transpose());
    let notify = faults.keep(body.notify.map(|name| name.parse()).transpose());
    let completion = faults.keep(body.completion.map(|name| name.parse()).transpose());
    let (Some(aim), true) = (aim, faults.is_empty()) else { return Err(faults.problem()) };
    let category = Category {
        name: body.name.unwrap_or_default(),
        color: color.flatten(),
        calendar: aim.calendar,
        visibility: visibility.flatten(),
        alerts: alerts.flatten(),
        notify: notify.flatten(),
        meet: body.meet,
        completion: completion.flatten(),
    };
    Ok((category, aim.user))
}

fn read_change(body: CategoryChange) -> Result<CategoryEdit, Problem> {
    let mut faults = Faults::default();
    let color = faults.keep(body.color.read(|name| name.parse()));
    let named = |calendar| read_aim(None, None, Some(calendar)).map(|aim| aim.calendar);
    let calendar = faults.keep_all(body.calendar.read(named));
    let visibility = faults.keep(body.visibility.read(|name| name.parse()));
    let alerts = faults.keep_all(body.reminders.read(read_reminders));
    let notify = faults.keep(body.notify.read(|name| name.parse()));
    let completion = faults.keep(body.completion.read(|name| name.parse()));
    if !faults.is_empty() {
        return Err(faults.problem());
    }
    Ok(CategoryEdit {
        name: body.name,
        color: color.map_or(Said::Nothing, Said::from),
        calendar: match calendar {
            Some(Member::Value(Some(calendar))) => Said::To(calendar),
            Some(Member::Null) => Said::Clear,
            _ => Said::Nothing,
        },
        visibility: visibility.map_or(Said::Nothing, Said::from),
        alerts: alerts.map_or(Said::Nothing, Said::from),
        notify: notify.map_or(Said::Nothing, Said::from),
        meet: body.meet.into(),
        completion: completion.map_or(Said::Nothing, Said::from),
    })
}

impl From<&CategoryView> for CategoryBody {
    fn from(view: &CategoryView) -> Self {
        let CategoryView { item, category } = view;
        let reminders = |alerts: &Vec<_>| alerts.iter().map(ReminderBody::from).collect();
        let body = Self {
            object: "category",
            id: item.id.to_string(),
            etag: ETag::default(),
            version: item.version,
            created: utc(item.created),
            name: category.name.clone(),
            color: category.color.map(Color::as_str),
            calendar: category.calendar.clone(),
            visibility: category.visibility.map(Visibility::as_str),
            reminders: category.alerts.as_ref().map(reminders),
            notify: category.notify.map(Notify::as_str),
            meet: category.meet,
            completion: category.completion.map(Completion::as_str),
            user: user_of(&item.owner),
        };
        Self { etag: ETag::of(item.version, 0, &body), ..body }
    }
}

/// The application's word for a user.
pub(super) fn user_of(owner: &Owner) -> Option<String> {
    match owner {
        Owner::Application => None,
        Owner::User(user) => Some(user.as_str().to_owned()),
    }
}
