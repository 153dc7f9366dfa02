//! The command line: one verb, one file.

mod api_keys;
mod audit;
mod client;
mod demo;
mod export;
mod healthcheck;
mod import;
mod incident;
mod openapi;
mod serve;
mod setup_code;
mod simulator;
mod vault;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{self, Loaded};

/// A Google Calendar bridge: what it accepts becomes exactly one event, with its Meet link.
#[derive(Parser)]
#[command(
    version,
    after_help = "Exit codes: 0 done · 1 failed · 2 wrong usage · 3 `audit verify` found something · 69 the daemon or the database does not answer · 73 the data cannot \
                  be used · 74 the store failed and must be opened anew · 75 another process holds the data · \
                  78 wrong settings"
)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

/// Where settings come from, last word first: these flags, the environment, the file, the defaults.
#[derive(Args)]
struct SettingsArguments {
    /// The settings file
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The address to listen on, instead of `listen`
    #[arg(long, global = true, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where everything is kept, instead of `data_dir`
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<String>,
    /// Any other setting, by its key; may be given several times
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
}

#[derive(Subcommand)]
enum Verb {
    /// Run the bridge
    Serve(SettingsArguments),
    /// Show the whole way on this machine alone: a simulated Google, an account, an event with its Meet link
    Demo(demo::DemoArguments),
    /// Run the simulated Google alone
    Simulator(simulator::SimulatorArguments),
    /// Print a fresh setup code for the setup page; earlier ones become void
    SetupCode(SettingsArguments),
    /// Make, list and revoke the keys that backends call with
    ApiKeys {
        #[command(flatten)]
        settings: SettingsArguments,
        #[command(subcommand)]
        verb: api_keys::KeysVerb,
    },
    /// Show who did what, and find what was changed behind the bridge's back
    Audit {
        #[command(flatten)]
        settings: SettingsArguments,
        #[command(subcommand)]
        verb: audit::AuditVerb,
    },
    /// What to do when something went wrong
    Incident {
        #[command(flatten)]
        settings: SettingsArguments,
        #[command(subcommand)]
        verb: incident::IncidentVerb,
    },
    /// Look after the master keys: which key sealed how much, a new one, everything under it
    Vault {
        #[command(flatten)]
        settings: SettingsArguments,
        #[command(subcommand)]
        verb: vault::VaultVerb,
    },
    /// Write the whole store to a file: a backup, and the way to another kind of store
    Export(export::ExportArguments),
    /// Read an export into a store that was never used
    Import(import::ImportArguments),
    /// Print the document of the API (OpenAPI 3.1)
    Openapi,
    /// Ask the running daemon whether it is alive; for container health checks
    Healthcheck(SettingsArguments),
}

/// Why a verb did not do what it was asked, and what the process ends with.
#[derive(Debug)]
struct Failed {
    code: u8,
    text: String,
}

impl Failed {
    fn new(code: u8, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }
}

/// Does what the arguments say. Returns what the process shall end with.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("calbridge: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(obey(arguments));
    // Whatever still runs has had its time; a hung file or socket shall not keep the process.
    runtime.shutdown_background();
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            eprintln!("calbridge: {}", failed.text);
            ExitCode::from(failed.code)
        }
    }
}

async fn obey(arguments: Arguments) -> Result<(), Failed> {
    match arguments.verb {
        Verb::Serve(settings) => Box::pin(serve::run(load(&settings)?)).await,
        Verb::Demo(demo) => Box::pin(demo::run(&demo)).await,
        Verb::Simulator(simulator) => simulator::run(&simulator).await,
        Verb::SetupCode(settings) => setup_code::run(load(&settings)?).await,
        Verb::ApiKeys { settings, verb } => api_keys::run(load(&settings)?, verb).await,
        Verb::Audit { settings, verb } => audit::run(load(&settings)?, verb).await,
        Verb::Incident { settings, verb } => incident::run(load(&settings)?, verb).await,
        Verb::Vault { settings, verb } => vault::run(load(&settings)?, verb).await,
        Verb::Export(arguments) => export::run(load(&arguments.settings)?, &arguments).await,
        Verb::Import(arguments) => import::run(load(&arguments.settings)?, &arguments).await,
        Verb::Openapi => openapi::run(),
        Verb::Healthcheck(settings) => healthcheck::run(&load(&settings)?).await,
    }
}

fn load(arguments: &SettingsArguments) -> Result<Loaded, Failed> {
    let mut flags: Vec<(String, String)> = Vec::new();
    flags.extend(arguments.listen.iter().map(|listen| ("listen".into(), listen.clone())));
    flags.extend(arguments.data_dir.iter().map(|dir| ("data_dir".into(), dir.clone())));
    for pair in &arguments.set {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            Failed::new(2, format!("--set {pair}: write it as KEY=VALUE, such as log.level=debug"))
        })?;
        flags.push((key.to_owned(), value.to_owned()));
    }
    config::load(arguments.config.as_deref(), config::environment(), flags)
        .map_err(|faults| Failed::new(78, faults.to_string()))
}
