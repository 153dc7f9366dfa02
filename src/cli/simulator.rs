//! `calbridge simulator`: the small Google alone.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use tempfile::NamedTempFile;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Failed;
use crate::clock::SystemClock;
use crate::shutdown;
use crate::simulator::{Settings, Simulator};

#[derive(Args)]
pub struct SimulatorArguments {
    /// The address to listen on; port 0 takes any free port
    #[arg(long = "listen", default_value = "127.0.0.1:4100", value_name = "ADDRESS")]
    address: String,
    /// Users, OAuth clients and limits; see docs/simulator.md
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// Where to keep what it remembers from one run to the next: read at the start if it is there,
    /// written at the end
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
}

pub async fn run(arguments: &SimulatorArguments) -> Result<(), Failed> {
    let settings = match &arguments.seed {
        Some(file) => {
            let text = tokio::fs::read_to_string(file).await;
            let text = text.map_err(|error| {
                Failed::new(78, format!("cannot read {}: {error}", file.display()))
            })?;
            Settings::from_toml(&text)
                .map_err(|fault| Failed::new(78, format!("{}: {fault}", file.display())))?
        }
        None => Settings::default(),
    };
    let simulator = Simulator::new(settings, Arc::new(SystemClock));
    if let Some(file) = &arguments.state {
        restore(&simulator, file)?;
    }
    let refused = |error: io::Error| {
        Failed::new(69, format!("cannot listen on {}: {error}", arguments.address))
    };
    let listener = TcpListener::bind(&arguments.address).await.map_err(refused)?;
    let base = format!("http://{}", listener.local_addr().map_err(refused)?);
    simulator.set_base_address(&base);
    let stop = CancellationToken::new();
    // Who reads the address may stop the simulator at once.
    let told_to_stop = shutdown::requested();
    println!("{base}");
    let serving = simulator.clone().serve(listener, stop.clone());
    let stopping = async {
        told_to_stop.await;
        stop.cancel();
    };
    tokio::join!(serving, stopping);
    match &arguments.state {
        Some(file) => keep(&simulator, file),
        None => Ok(()),
    }
}

/// Puts back what an earlier run left in `file`. If there was none, the file is made.
fn restore(simulator: &Simulator, file: &Path) -> Result<(), Failed> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        // A place that cannot be written to is better told of now than at the end.
        Err(error) if error.kind() == ErrorKind::NotFound => return keep(simulator, file),
        Err(error) => {
            return Err(Failed::new(78, format!("cannot read {}: {error}", file.display())));
        }
    };
    simulator.restore(&text).map_err(|fault| {
        Failed::new(78, format!("{}: cannot be put back: {fault}", file.display()))
    })
}

/// Leaves what the simulator remembers in `file`, for the next run. What is in it, if anything, stays
/// until all of the new is on disk.
fn keep(simulator: &Simulator, file: &Path) -> Result<(), Failed> {
    write(file, simulator.snapshot().as_bytes())
        .map_err(|error| Failed::new(74, format!("cannot write {}: {error}", file.display())))
}

fn write(file: &Path, text: &[u8]) -> io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut fresh = NamedTempFile::new_in(directory)?;
    fresh.write_all(text)?;
    fresh.as_file().sync_all()?;
    fresh.persist(file).map_err(|failed| failed.error)?;
    File::open(directory)?.sync_all()
}
