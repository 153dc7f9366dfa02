//! `calbridge import`: an export into a store that was never used.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use clap::Args;

use super::{Failed, SettingsArguments};
use crate::config::Loaded;
use crate::daemon;

#[derive(Args)]
pub struct ImportArguments {
    #[command(flatten)]
    pub settings: SettingsArguments,
    /// The export; standard input without it
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Takes the export in. Nothing is changed before it was read through and found whole.
pub async fn run(loaded: Loaded, arguments: &ImportArguments) -> Result<(), Failed> {
    let unreadable = |error: io::Error| Failed::new(1, format!("cannot read the export: {error}"));
    let export = match &arguments.file {
        Some(file) => File::open(file),
        // Read twice, so it has to lie somewhere.
        None => tempfile::tempfile().and_then(|mut spooled| {
            io::copy(&mut io::stdin().lock(), &mut spooled)?;
            io::Seek::rewind(&mut spooled)?;
            Ok(spooled)
        }),
    };
    let imported = Box::pin(daemon::import(&loaded.config, export.map_err(unreadable)?)).await;
    let records = imported.map_err(|error| Failed::new(error.exit_code(), error.to_string()))?;
    eprintln!(
        "{records} records were imported. The store they came from must not be served any more: two \
         bridges with the same records would both write to the same calendars."
    );
    Ok(())
}
