//! `calbridge api-keys`: the keys that backends call with.

use clap::Subcommand;
use hyper::Method;

use super::{Failed, client};
use crate::config::Loaded;
use crate::http::api_keys::{KeyBody, KeysBody, NewKeyBody};

#[derive(Subcommand)]
pub enum KeysVerb {
    /// Make a key and print it; it cannot be shown again
    Create {
        /// What you call it, such as the backend that will hold it
        #[arg(long)]
        name: String,
        /// What it may do, such as `events:read`, `events:write`, `connections:admin` or `admin`; may
        /// be given several times
        #[arg(long = "scope", default_value = "events:write")]
        scopes: Vec<String>,
        /// Keeps this backend's events apart from those of keys with another source
        #[arg(long, default_value = "")]
        source: String,
        /// From when on it opens nothing, such as 2027-01-31T00:00:00Z; never, if this is not given
        #[arg(long)]
        expires: Option<String>,
        /// Print everything, as JSON
        #[arg(long)]
        json: bool,
    },
    /// List every key, without its secret
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Take a key back: it opens nothing from then on
    Revoke {
        /// The key's id, as `list` shows it
        id: String,
    },
}

pub async fn run(loaded: Loaded, verb: KeysVerb) -> Result<(), Failed> {
    match verb {
        KeysVerb::Create { name, scopes, source, expires, json } => {
            let wanted = NewKeyBody { name, scopes, source, expires };
            let made: KeyBody =
                client::ask(loaded, Method::POST, "/api-keys", Some(&wanted)).await?;
            if json {
                println!(
                    "{}",
                    serde_json::to_string_pretty(&made).expect("plain structs can be written")
                );
            } else {
                println!("{}", made.key.unwrap_or_default());
                eprintln!(
                    "Keep it safe: it is shown this once. `calbridge api-keys revoke {}` takes it back.",
                    made.id
                );
            }
        }
        KeysVerb::List { json } => {
            let KeysBody { data: keys, .. } =
                client::ask(loaded, Method::GET, "/api-keys", None::<&()>).await?;
            if json {
                println!(
                    "{}",
                    serde_json::to_string_pretty(&keys).expect("plain structs can be written")
                );
            } else {
                keys.iter().for_each(print);
            }
        }
        KeysVerb::Revoke { id } => {
            let path = format!("/api-keys/{id}");
            let key: KeyBody = client::ask(loaded, Method::DELETE, &path, None::<&()>).await?;
            println!("{} ({}) is revoked", key.id, key.name);
        }
    }
    Ok(())
}

fn print(key: &KeyBody) {
    let state = match (&key.revoked, &key.expires) {
        (Some(at), _) => format!("revoked {at}"),
        (None, Some(at)) => format!("until {at}"),
        (None, None) => "without end".to_owned(),
    };
    let used =
        key.last_used.as_ref().map_or_else(|| "never used".into(), |at| format!("used {at}"));
    let scopes = key.scopes.join(",");
    println!("{}  {}  {scopes}  made {}  {state}  {used}", key.id, key.name, key.created);
}
