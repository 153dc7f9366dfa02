//! The OAuth client as Google's console hands it out. Any other file it hands out is refused by
//! name: a person has one download too many in their folder, not a wrong idea.

use secrecy::SecretString;
use serde_json::Value;
use yup_oauth2::ConsoleApplicationSecret;

/// An OAuth client of the type "Web application".
#[derive(Clone, Debug)]
pub struct OauthClient {
    /// Its public name at Google.
    pub id: String,
    /// What proves that we are it.
    pub secret: SecretString,
    /// Where Google may send people back to, as registered when the file was downloaded.
    pub redirect_uris: Vec<String>,
    /// What is odd about the file, for the start-up log.
    pub notes: Vec<String>,
}

/// Why a credentials file is refused. Holds nothing of the file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// A desktop client, which cannot be sent back to a web address.
    #[error(
        "this is the OAuth client of a desktop application (`installed`); in the Google Cloud \
         console create an OAuth client ID of the type Web application and download its JSON"
    )]
    Installed,
    /// A service account's key.
    #[error(
        "this is a service account's key; to connect a person's account, in the Google Cloud \
         console create an OAuth client ID of the type Web application and download its JSON"
    )]
    ServiceAccount,
    /// What `gcloud` keeps for a person who is logged in.
    #[error(
        "this is a login of the gcloud tool (`authorized_user`), made for another application; in \
         the Google Cloud console create an OAuth client ID of the type Web application and \
         download its JSON"
    )]
    AuthorizedUser,
    /// An API key, which opens nobody's calendar.
    #[error(
        "this is an API key, which cannot write to anybody's calendar; in the Google Cloud \
         console create an OAuth client ID of the type Web application and download its JSON"
    )]
    ApiKey,
    /// Not JSON at all.
    #[error(
        "this is not JSON, or only a part of it; download the OAuth client's JSON from the Google \
         Cloud console again and leave it as it is"
    )]
    NotJson,
    /// JSON, but nothing known.
    #[error(
        "this is JSON but no OAuth client: it has no `web` member; in the Google Cloud console \
         create an OAuth client ID of the type Web application and download its JSON"
    )]
    UnknownKind,
    /// A member is missing or has the wrong shape.
    #[error(
        "`web.{0}` is missing, empty or of the wrong kind; download the OAuth client's JSON from \
         the Google Cloud console again and leave it as it is"
    )]
    Member(&'static str),
    /// No redirect URI was registered when the file was downloaded.
    #[error(
        "`web.redirect_uris` names no redirect URI; in the Google Cloud console add one to the \
         OAuth client (such as http://localhost:3001/oauth2callback), then download its JSON again"
    )]
    NoRedirectUris,
}

/// Google's addresses as its files have named them over the years.
const USUAL_URIS: [(&str, &[&str]); 2] = [
    (
        "auth_uri",
        &[
            "https://accounts.google.com/o/oauth2/auth",
            "https://accounts.google.com/o/oauth2/v2/auth",
        ],
    ),
    (
        "token_uri",
        &[
            "https://oauth2.googleapis.com/token",
            "https://accounts.google.com/o/oauth2/token",
            "https://www.googleapis.com/oauth2/v3/token",
            "https://www.googleapis.com/oauth2/v4/token",
        ],
    ),
];

impl OauthClient {
    /// Reads the JSON of an OAuth client of the type "Web application", and of nothing else.
    pub fn read(json: &str) -> Result<Self, CredentialsError> {
        let json = json.trim_start_matches('\u{feff}').trim();
        let Ok(file) = serde_json::from_str::<Value>(json) else {
            return Err(if is_api_key(json) {
                CredentialsError::ApiKey
            } else {
                CredentialsError::NotJson
            });
        };
        check_kind(&file)?;
        check_members(&file["web"])?;
        let notes = notes_on(&file["web"]);
        let read: ConsoleApplicationSecret =
            serde_json::from_value(file).map_err(|_| CredentialsError::UnknownKind)?;
        let web = read.web.ok_or(CredentialsError::UnknownKind)?;
        Ok(Self {
            id: web.client_id,
            secret: web.client_secret.into(),
            redirect_uris: web.redirect_uris,
            notes,
        })
    }
}

/// Refuses every kind of file but a web client's.
fn check_kind(file: &Value) -> Result<(), CredentialsError> {
    let api_key = |value: &Value| value.as_str().is_some_and(is_api_key);
    if file["web"].is_object() {
        return Ok(());
    }
    Err(match file["type"].as_str() {
        Some("service_account") => CredentialsError::ServiceAccount,
        Some("authorized_user") => CredentialsError::AuthorizedUser,
        _ if file.get("installed").is_some() => CredentialsError::Installed,
        _ if api_key(file) || file.as_object().is_some_and(|file| file.values().any(api_key)) => {
            CredentialsError::ApiKey
        }
        _ => CredentialsError::UnknownKind,
    })
}

/// Names the first member that is not as Google writes it.
fn check_members(web: &Value) -> Result<(), CredentialsError> {
    for name in ["client_id", "client_secret", "auth_uri", "token_uri"] {
        if web[name].as_str().is_none_or(|value| value.trim().is_empty()) {
            return Err(CredentialsError::Member(name));
        }
    }
    match &web["redirect_uris"] {
        Value::Null => Err(CredentialsError::NoRedirectUris),
        Value::Array(uris) if uris.is_empty() => Err(CredentialsError::NoRedirectUris),
        Value::Array(uris) if uris.iter().all(Value::is_string) => Ok(()),
        _ => Err(CredentialsError::Member("redirect_uris")),
    }
}

/// What is odd, but no reason to refuse.
fn notes_on(web: &Value) -> Vec<String> {
    USUAL_URIS
        .iter()
        .filter(|(name, usual)| web[*name].as_str().is_none_or(|uri| !usual.contains(&uri)))
        .map(|(name, _)| {
            format!(
                "`web.{name}` in the credentials file is not Google's usual address; it is not \
                 followed: addresses come from the configuration alone"
            )
        })
        .collect()
}

/// Whether `text` has the form of Google's API keys.
fn is_api_key(text: &str) -> bool {
    text.starts_with("AIza") && text.bytes().all(|byte| byte.is_ascii_graphic())
}
