//! `calbridge incident`: what to do when something went wrong, one command each.

use clap::Subcommand;
use hyper::Method;

use super::client::Desk;
use super::{Failed, client, vault};
use crate::config::Loaded;
use crate::http::incident::{FreezeBody, FreezeWish, RenewedBody, RevokedBody};

#[derive(Subcommand)]
pub enum IncidentVerb {
    /// Refuse writes from now on, and write nothing to Google, until `thaw`; restarts change nothing
    Freeze {
        /// Why, for the audit
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
    },
    /// Take writes again, and go on with what waits
    Thaw,
    /// Take back every API key, session, code and link, and disconnect every account
    RevokeAll,
    /// Exchange every secret: a new API key for each that works, no session, a fresh setup code, a new
    /// master key with everything sealed under it
    RotateAll,
}

pub async fn run(loaded: Loaded, verb: IncidentVerb) -> Result<(), Failed> {
    match verb {
        IncidentVerb::Freeze { reason } => {
            let wish = FreezeWish { reason };
            let frozen: FreezeBody =
                client::ask(loaded, Method::POST, "/incident/freeze", Some(&wish)).await?;
            println!(
                "Writes are frozen since {}. `calbridge incident thaw` takes them again.",
                frozen.since.unwrap_or_default()
            );
        }
        IncidentVerb::Thaw => {
            let _: FreezeBody =
                client::ask(loaded, Method::POST, "/incident/thaw", None::<&()>).await?;
            println!("Writes are taken again.");
        }
        IncidentVerb::RevokeAll => {
            let done: RevokedBody =
                client::ask(loaded, Method::POST, "/incident/revoke-all", None::<&()>).await?;
            println!(
                "Taken back: {} API keys, {} sessions, codes and links, {} linked accounts. The grants are given back \
                 to Google by the daemon, as soon as Google listens.",
                done.keys, done.tickets, done.connections
            );
        }
        IncidentVerb::RotateAll => rotate_all(loaded).await?,
    }
    Ok(())
}

/// What opens doors first, since the vault may take its time.
async fn rotate_all(loaded: Loaded) -> Result<(), Failed> {
    let desk = client::reach(&loaded).await?;
    let done = exchange(&desk).await;
    desk.leave().await?;
    done
}

/// Shows each new key this once.
async fn exchange(desk: &Desk) -> Result<(), Failed> {
    let done: RenewedBody = desk.ask(Method::POST, "/incident/renew-all", None::<&()>).await?;
    for key in &done.keys {
        println!("{}  {}  in place of {}", key.key, key.name, key.old);
    }
    println!("{}  a fresh setup code", done.setup_code);
    eprintln!(
        "The old keys no longer work, and {} sessions, codes and links are void. Hand the new keys out; they are \
         shown this once.",
        done.tickets
    );
    let resealed = vault::rotate_and_rewrap(desk).await?;
    eprintln!(
        "The vault has a new master key, and {resealed} records were sealed anew with it. Keep a copy of the key \
         file, apart from the data. A linked account's own grant is changed by connecting it again."
    );
    Ok(())
}
