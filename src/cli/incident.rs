//! `calbridge incident`: what to do when something went wrong, one command each.

use clap::Subcommand;
use hyper::Method;

use super::{Failed, client};
use crate::config::Loaded;
use crate::http::incident::{FreezeBody, FreezeWish};

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
    }
    Ok(())
}
