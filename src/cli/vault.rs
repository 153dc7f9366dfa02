//! `calbridge vault`: the master keys, and what is sealed with them.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use hyper::Method;
use serde::Serialize;

use super::client::Desk;
use super::{Failed, client};
use crate::config::Loaded;
use crate::http::vault::{CensusBody, KeysBody, RewrapBody, StepBody};
use crate::random::OsRandom;
use crate::vault::keyfile;

#[derive(Subcommand)]
pub enum VaultVerb {
    /// Count the records that each key sealed
    Status {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a new active key; the one before only opens what it sealed
    Rotate {
        /// Write the new key ring to this file and use it nowhere: for a key file that something else
        /// hands in, such as systemd
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Seal everything anew with the active key; may be broken off, and begun again, at any time
    Rewrap {
        /// Print the result as JSON
        #[arg(long)]
        json: bool,
    },
    /// Retire the keys that sealed nothing which is still there; an export of before needs them still
    Retire {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// What a rewrap came to.
#[derive(Default, Serialize)]
struct Rewrapped {
    /// How many records were put under the active key.
    resealed: usize,
    /// Which do not open, and stay as they are.
    unreadable: Vec<String>,
    /// How many are left on other keys.
    old: u64,
}

/// A record that was changed while it was resealed may have to be looked at again: so often.
const MOST_PASSES: usize = 5;

pub async fn run(loaded: Loaded, verb: VaultVerb) -> Result<(), Failed> {
    match verb {
        VaultVerb::Status { json } => {
            let census: CensusBody =
                client::ask(loaded, Method::GET, "/vault", None::<&()>).await?;
            if json { print_json(&census) } else { print(&census) }
        }
        VaultVerb::Rotate { output: Some(output), json } => {
            rotate_into(&loaded.config.vault.key_file, &output, json)?;
        }
        VaultVerb::Rotate { output: None, json } => {
            let made: KeysBody =
                client::ask(loaded, Method::POST, "/vault/rotate", None::<&()>).await?;
            if json {
                print_json(&made);
            } else {
                made.keys.iter().for_each(|key| println!("{key}"));
                eprintln!(
                    "It seals from now on. Keep a copy of the key file, apart from the data; then run `calbridge \
                     vault rewrap`. Other processes on the same database need the new key file first, and SIGHUP."
                );
            }
        }
        VaultVerb::Rewrap { json } => {
            let desk = client::reach(&loaded).await?;
            let rewrapped = rewrap(&desk).await;
            desk.leave().await?;
            let rewrapped = rewrapped?;
            if json {
                print_json(&rewrapped);
            } else {
                println!("{} records were sealed anew", rewrapped.resealed);
            }
            rewrapped.must_be_whole()?;
        }
        VaultVerb::Retire { json } => {
            let retired: KeysBody =
                client::ask(loaded, Method::POST, "/vault/retire", None::<&()>).await?;
            if json {
                print_json(&retired);
            } else if retired.keys.is_empty() {
                eprintln!("No key can be retired: see `calbridge vault status`.");
            } else {
                retired.keys.iter().for_each(|key| println!("{key} is retired"));
            }
        }
    }
    Ok(())
}

/// A new active key, and everything sealed with it. Tells how many records were.
pub async fn rotate_and_rewrap(desk: &Desk) -> Result<usize, Failed> {
    let _: KeysBody = desk.ask(Method::POST, "/vault/rotate", None::<&()>).await?;
    let rewrapped = rewrap(desk).await?;
    rewrapped.must_be_whole()?;
    Ok(rewrapped.resealed)
}

/// The new ring as a file of its own. Needs no daemon, and sends no key anywhere.
fn rotate_into(key_file: &Path, output: &Path, json: bool) -> Result<(), Failed> {
    let ring = keyfile::rotate_into(key_file, output, &OsRandom)
        .map_err(|error| Failed::new(1, error.to_string()))?;
    let key = ring.active_name().to_string();
    if json {
        print_json(&KeysBody { keys: vec![key] });
    } else {
        println!("{key}");
        eprintln!(
            "Nothing uses it yet: put {} in the place of {}, and have calbridge read it (SIGHUP, or a restart \
             where systemd hands it in).",
            output.display(),
            key_file.display()
        );
    }
    Ok(())
}

/// Steps until nothing is left on another key, and tells how far it has come.
async fn rewrap(desk: &Desk) -> Result<Rewrapped, Failed> {
    let mut done = Rewrapped { old: count_old(desk).await?, ..Rewrapped::default() };
    let wanted = done.old;
    for _ in 0..MOST_PASSES {
        let mut after = None;
        done.unreadable.clear();
        loop {
            let body = RewrapBody { after };
            let step: StepBody = desk.ask(Method::POST, "/vault/rewrap", Some(&body)).await?;
            show(done.resealed, done.resealed + step.resealed, wanted);
            done.resealed += step.resealed;
            done.unreadable.extend(step.unreadable);
            after = step.next;
            if after.is_none() {
                break;
            }
        }
        done.old = count_old(desk).await?;
        if done.old <= done.unreadable.len() as u64 {
            break;
        }
    }
    if io::stderr().is_terminal() {
        eprintln!();
    }
    Ok(done)
}

async fn count_old(desk: &Desk) -> Result<u64, Failed> {
    let census: CensusBody = desk.ask(Method::GET, "/vault", None::<&()>).await?;
    Ok(census.old)
}

/// One line that goes on, where somebody looks; a line for each tenth, where lines are kept.
fn show(before: usize, resealed: usize, wanted: u64) {
    let tenth = |resealed: usize| (resealed as u64 * 10).checked_div(wanted);
    let mut out = io::stderr().lock();
    // Nobody to tell is no reason to stop.
    let _ = if out.is_terminal() {
        write!(out, "\r{resealed} of {wanted} records")
    } else if tenth(before) == tenth(resealed) {
        Ok(())
    } else {
        writeln!(out, "{resealed} of {wanted} records")
    };
}

impl Rewrapped {
    fn must_be_whole(&self) -> Result<(), Failed> {
        if let Some(first) = self.unreadable.first() {
            let text = format!(
                "{} records do not open and stay as they are, the first of them {first}; the log says why",
                self.unreadable.len()
            );
            return Err(Failed::new(1, text));
        }
        if self.old > 0 {
            let text = format!(
                "{} records are on other keys still: another process on this database seals with one. Give it the \
                 new key file, and SIGHUP; then run this again",
                self.old
            );
            return Err(Failed::new(1, text));
        }
        Ok(())
    }
}

fn print(census: &CensusBody) {
    for load in &census.keys {
        println!("{}  {:<12}  {} records", load.key, load.state, load.records);
    }
    if census.damaged > 0 {
        println!("{} records are damaged", census.damaged);
    }
}

fn print_json(shown: &impl Serialize) {
    println!("{}", serde_json::to_string_pretty(shown).expect("plain structs can be written"));
}
