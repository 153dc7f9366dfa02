//! `calbridge setup-code`: a fresh code for the setup page.

use hyper::Method;

use super::{Failed, client};
use crate::config::Loaded;
use crate::http::admin::SetupCode;

pub async fn run(loaded: Loaded) -> Result<(), Failed> {
    let made: SetupCode = client::ask(loaded, Method::POST, "/setup-code", None::<&()>).await?;
    println!("{}", made.code);
    eprintln!(
        "Type it in at {} within a day. It works once, and earlier codes no longer do.",
        made.url
    );
    Ok(())
}
