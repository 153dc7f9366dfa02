//! `calbridge openapi`: the document of the API, as the daemon serves it. `docs/openapi.json` is what
//! this prints.

use std::io::Write;

use super::Failed;
use crate::http::openapi;

pub fn run() -> Result<(), Failed> {
    let printed = std::io::stdout().write_all(openapi::written().as_bytes());
    printed.map_err(|error| Failed::new(1, format!("the document cannot be printed: {error}")))
}
