//! Which events a caller wants to be listed, as it writes it.

use serde::Deserialize;
use utoipa::IntoParams;
use utoipa::openapi::schema::Object;

use crate::app::events::State;
use crate::app::events::list::{EventFilter, Listing, SourceKind};
use crate::http::openapi::{Id, text, word};
use crate::model::invalid::Invalid;
use crate::model::owner::Owner;
use crate::model::when::read_instant;

/// Nothing longer is searched for, in characters.
const LONGEST_TEXT: usize = 200;
/// No `external_id` is longer, in characters.
const LONGEST_NAME: usize = 256;

/// Which events are to be listed.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wish {
    /// Those that are not over by then: RFC 3339, of the years 1970 to 2099.
    #[param(format = DateTime)]
    from: Option<String>,
    /// Those that begin before: RFC 3339, of the years 1970 to 2099.
    #[param(format = DateTime)]
    to: Option<String>,
    /// This user's, by the application's own id; the caller's own if none is named.
    #[param(min_length = 1, max_length = 128, pattern = "^[!-~]+$")]
    pub user: Option<String>,
    /// Everybody's; not for users.
    pub everyone: Option<bool>,
    /// Those that stand so, or so: `pending`, `confirmed`, `cancelled`, `removed_in_google`, `failed` or
    /// `stopped`, or several of them with commas between.
    #[param(schema_with = states)]
    state: Option<String>,
    /// Those that were made for this: `api`, `task` or `reminder`.
    #[param(schema_with = source)]
    source: Option<String>,
    /// Those that are filed under this.
    #[param(value_type = Option<Id>)]
    category: Option<String>,
    /// The one that the caller named so.
    #[param(min_length = 1, max_length = 256)]
    external_id: Option<String>,
    /// Those that say this, in whatever case. Needs `from` and `to`, and reads 5,000 events at most.
    #[param(min_length = 1, max_length = 200)]
    q: Option<String>,
    /// How long a page is; 100 if it is not said.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// The `next` of the page before.
    pub cursor: Option<String>,
}

fn states() -> Object {
    let state = format!("({})", State::ALL.map(State::as_str).join("|"));
    let mut states = text();
    states.pattern = Some(format!("^{state}(,{state})*$"));
    states
}

fn source() -> Object {
    word(SourceKind::ALL.map(SourceKind::as_str))
}

impl Wish {
    /// What decides what is on the list, and so whose cursors are its own.
    pub fn list(&self, owner: Option<&Owner>) -> Vec<String> {
        let whose = match owner {
            None => "everyone".to_owned(),
            Some(Owner::Application) => "application".to_owned(),
            Some(Owner::User(user)) => format!("user:{}", user.as_str()),
        };
        let filters = [
            &self.from,
            &self.to,
            &self.state,
            &self.source,
            &self.category,
            &self.external_id,
            &self.q,
        ];
        let filters = filters.into_iter().map(|filter| filter.clone().unwrap_or_default());
        [super::CREATE.to_owned(), whose].into_iter().chain(filters).collect()
    }

    /// What is to be listed, with every fault of it.
    pub fn listing(&self, owner: Option<Owner>) -> Result<Listing, Vec<Invalid>> {
        let moment = |name, raw: Option<&str>| raw.map(|raw| read_instant(name, raw)).transpose();
        let from = moment("from", self.from.as_deref());
        let to = moment("to", self.to.as_deref());
        let states = self.state.iter().flat_map(|states| states.split(','));
        let states: Result<Vec<_>, _> = states.map(str::parse).collect();
        let source = self.source.as_deref().map(str::parse::<SourceKind>).transpose();
        let category = self.category.as_deref().map(|id| {
            id.parse().map_err(|invalid| Invalid { field: "category".into(), ..invalid })
        });
        let text = within("q", self.q.as_deref(), LONGEST_TEXT);
        let own_name = within("external_id", self.external_id.as_deref(), LONGEST_NAME);
        let texts = match (text, own_name) {
            (Ok(text), Ok(own_name)) => Ok((text, own_name)),
            (text, own_name) => Err(text.err().into_iter().chain(own_name.err())),
        };
        match (from, to, states, source, category.transpose(), texts) {
            (Ok(from), Ok(to), Ok(states), Ok(source), Ok(category), Ok((text, external_id))) => {
                if from.zip(to).is_some_and(|(from, to)| from >= to) {
                    return Err(vec![Invalid::new("to", "lies after `from`")]);
                }
                let filter = EventFilter { owner, from, to, source, category };
                Ok(Listing { filter, states, external_id, text })
            }
            (from, to, states, source, category, texts) => {
                let times = from.err().into_iter().chain(to.err());
                let names = states.err().into_iter().chain(source.err()).chain(category.err());
                Err(times.chain(names).chain(texts.err().into_iter().flatten()).collect())
            }
        }
    }
}

/// A text of one character at least, and `most` at most.
fn within(
    name: &'static str,
    written: Option<&str>,
    most: usize,
) -> Result<Option<String>, Invalid> {
    match written {
        Some(text) if text.is_empty() || text.chars().count() > most => {
            Err(Invalid::new(name, format!("1 to {most} characters")))
        }
        text => Ok(text.map(str::to_owned)),
    }
}
