//! `calbridge export`: the whole store as one file.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use hyper::Method;

use super::{Failed, SettingsArguments, client};
use crate::config::Loaded;
use crate::http::admin::ExportBody;

#[derive(Args)]
pub struct ExportArguments {
    #[command(flatten)]
    pub settings: SettingsArguments,
    /// The file to write, which must not be there yet; standard output without it
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Has the export made, by the running daemon if there is one, and hands it on.
pub async fn run(loaded: Loaded, arguments: &ExportArguments) -> Result<(), Failed> {
    let mut output = Output::of(arguments.output.as_deref())?;
    let made: ExportBody = client::ask(loaded, Method::POST, "/export", None::<&()>).await?;
    output.take_file(&made.file)?;
    eprintln!(
        "{} records were exported. Keep the master key too, and apart from it.",
        made.records
    );
    Ok(())
}

/// Where an export goes.
pub enum Output {
    Standard,
    File(File),
}

impl Output {
    fn of(file: Option<&Path>) -> Result<Self, Failed> {
        let Some(file) = file else {
            if io::stdout().is_terminal() {
                let text = "an export is not for reading: name a file with --output, or pipe it into \
                            `calbridge import`";
                return Err(Failed::new(2, text));
            }
            return Ok(Self::Standard);
        };
        Self::of_file(file)
    }

    /// The same, of what people can read.
    pub fn of_text(file: Option<&Path>) -> Result<Self, Failed> {
        file.map_or(Ok(Self::Standard), Self::of_file)
    }

    fn of_file(file: &Path) -> Result<Self, Failed> {
        let refused =
            |error| Failed::new(1, format!("cannot make the file {}: {error}", file.display()));
        File::create_new(file).map(Self::File).map_err(refused)
    }

    /// Takes in what the daemon wrote to `made`, which is gone afterwards.
    pub fn take_file(&mut self, made: &Path) -> Result<(), Failed> {
        let copied = File::open(made).and_then(|mut export| self.take(&mut export));
        // It was made for this one reader; a daemon's next start removes what stays behind.
        let _ = std::fs::remove_file(made);
        copied.map_err(|error| Failed::new(1, format!("cannot write the export: {error}")))
    }

    fn take(&mut self, export: &mut File) -> io::Result<()> {
        match self {
            Self::Standard => {
                let mut out = io::stdout().lock();
                io::copy(export, &mut out)?;
                out.flush()
            }
            Self::File(file) => {
                io::copy(export, file)?;
                file.sync_all()
            }
        }
    }
}
