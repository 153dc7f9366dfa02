//! How much of a series a request is about, as callers write it.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::app::events::series::Reach;
use crate::http::body::unreadable_query;
use crate::http::openapi;
use crate::http::problem::{FieldError, Problem};
use crate::model::invalid::Invalid;

/// Which part of a series is meant, and whether anything shall change.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Part {
    /// The original start of an instance: as `start` is written, or as it is shown.
    instance: Option<String>,
    /// How far a change reaches: `this` instance, which is what is meant if one is named, it and all
    /// that are `following`, or `all`.
    #[param(schema_with = range)]
    range: Option<String>,
    /// `true`: everything is checked and nothing changes; the answer tells what would.
    #[serde(default)]
    pub dry_run: bool,
}

/// Which instance of a series is meant.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// The original start of an instance: as `start` is written, or as it is shown.
    pub instance: Option<String>,
}

fn range() -> utoipa::openapi::Object {
    openapi::word(["this", "following", "all"])
}

impl Part {
    /// What was written.
    pub fn reach(&self) -> Result<Reach<'_>, Problem> {
        let refused = |field: &'static str, rule: &'static str| {
            Err(Problem::fields(vec![FieldError::from(&Invalid::new(field, rule))]))
        };
        match (self.range.as_deref(), self.instance.as_deref()) {
            (None, None) | (Some("all"), _) => Ok(Reach::All),
            (None | Some("this"), Some(start)) => Ok(Reach::This(start)),
            (Some("following"), Some(start)) => Ok(Reach::Following(start)),
            (Some("this" | "following"), None) => {
                refused("instance", "is required with this `range`: the instance's original start")
            }
            (Some(_), _) => refused("range", "`this`, `following` or `all`"),
        }
    }
}

/// A query in its right shape.
pub fn query<T>(read: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    read.map(|Query(query)| query).map_err(|error| unreadable_query(&error))
}
