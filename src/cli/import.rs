//! `calbridge import`: an export into a store that was never used.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use clap::Args;

use super::{Failed, SettingsArguments};
use crate::config::Loaded;
use crate::daemon::{self, Imported, Start};

#[derive(Args)]
pub struct ImportArguments {
    #[command(flatten)]
    pub settings: SettingsArguments,
    /// The export; standard input without it
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Go on at once where the export was made: take writes, write to Google and send mail as soon as
    /// it is served. For a move, when the store it came from is stopped for good
    #[arg(long)]
    live: bool,
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
    let start = if arguments.live { Start::Live } else { Start::Frozen };
    let imported = Box::pin(daemon::import(&loaded.config, export.map_err(unreadable)?, start));
    let imported = imported.await;
    let Imported { records, is_frozen } =
        imported.map_err(|error| Failed::new(error.exit_code(), error.to_string()))?;
    eprintln!(
        "{records} records were imported. The store they came from must not be served any more: two \
         bridges with the same records would both write to the same calendars."
    );
    if is_frozen {
        eprintln!(
            "Its writes are frozen: until `calbridge incident thaw` it shows what it has, refuses changes, writes \
             nothing to Google and sends no mail."
        );
    }
    Ok(())
}
