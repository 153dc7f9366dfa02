//! `calbridge audit`: who did what, and whether it is still what was written.

use std::path::PathBuf;

use clap::Subcommand;
use hyper::Method;
use serde::Serialize;

use super::export::Output;
use super::{Failed, client};
use crate::config::Loaded;
use crate::http::admin::ExportBody;
use crate::http::audit::{EntriesBody, EntryBody, ExportWish, VerdictBody};

/// What the process ends with if something was changed behind the bridge's back.
const TAMPERED: u8 = 3;

#[derive(Subcommand)]
pub enum AuditVerb {
    /// Show what was done last
    List {
        /// So many entries, 500 at most
        #[arg(long, value_name = "N", default_value_t = 50)]
        last: usize,
        /// Those after the entry of this number, in place of the last
        #[arg(long, value_name = "NUMBER")]
        after: Option<u64>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Find what was changed behind the bridge's back; ends with 3 if anything was
    Verify {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Take what `verify` finds as it is: after a backup was put back on purpose, say
    Accept {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write every entry to a file, a JSON object a line
    Export {
        /// The file to write, which must not be there yet; standard output without it
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Write out what is personal too, such as e-mail addresses
        #[arg(long)]
        personal: bool,
    },
}

pub async fn run(loaded: Loaded, verb: AuditVerb) -> Result<(), Failed> {
    match verb {
        AuditVerb::List { last, after, json } => list(loaded, last, after, json).await,
        AuditVerb::Verify { json } => verify(loaded, json).await,
        AuditVerb::Accept { json } => accept(loaded, json).await,
        AuditVerb::Export { output, personal } => export(loaded, output, personal).await,
    }
}

async fn list(loaded: Loaded, last: usize, after: Option<u64>, json: bool) -> Result<(), Failed> {
    let path = match after {
        Some(after) => format!("/audit?after={after}&limit={last}"),
        None => format!("/audit?last={last}"),
    };
    let page: EntriesBody = client::ask(loaded, Method::GET, &path, None::<&()>).await?;
    if json {
        return print(&page);
    }
    for EntryBody { seq, at, actor, action, subject, detail, digest: _ } in page.data {
        print!("{seq:>6}  {at}  {action:<26} {actor}");
        if let Some(subject) = subject {
            print!("  {subject}");
        }
        for (name, text) in detail.iter().filter(|(name, _)| *name != "user") {
            print!("  {name}={text:?}");
        }
        println!();
    }
    Ok(())
}

async fn verify(loaded: Loaded, json: bool) -> Result<(), Failed> {
    let verdict: VerdictBody =
        client::ask(loaded, Method::POST, "/audit/verify", None::<&()>).await?;
    let found = verdict.findings.len();
    show(&verdict, json)?;
    if found == 0 {
        return Ok(());
    }
    Err(Failed::new(TAMPERED, format!("{found} things are not as calbridge left them")))
}

async fn accept(loaded: Loaded, json: bool) -> Result<(), Failed> {
    let verdict: VerdictBody =
        client::ask(loaded, Method::POST, "/audit/accept", None::<&()>).await?;
    show(&verdict, json)?;
    if !json {
        println!(
            "What concerns rows and the head file is taken as it is from now on, and an entry says so."
        );
    }
    Ok(())
}

fn show(verdict: &VerdictBody, json: bool) -> Result<(), Failed> {
    if json {
        return print(verdict);
    }
    for finding in &verdict.findings {
        println!("{}: {}.\n    What to do: {}.", finding.code, finding.text, finding.advice);
    }
    if verdict.findings.is_empty() {
        println!("{} entries, and all is as calbridge left it.", verdict.entries);
    }
    Ok(())
}

async fn export(loaded: Loaded, output: Option<PathBuf>, personal: bool) -> Result<(), Failed> {
    let mut output = Output::of_text(output.as_deref())?;
    let wish = ExportWish { personal };
    let made: ExportBody = client::ask(loaded, Method::POST, "/audit/export", Some(&wish)).await?;
    output.take_file(&made.file)?;
    eprintln!("{} entries were written.", made.records);
    Ok(())
}

fn print(body: &impl Serialize) -> Result<(), Failed> {
    let text = serde_json::to_string_pretty(body)
        .map_err(|error| Failed::new(1, format!("cannot be shown as JSON: {error}")))?;
    println!("{text}");
    Ok(())
}
