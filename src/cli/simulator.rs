//! `calbridge simulator`: the small Google alone.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
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
    let refused = |error: std::io::Error| {
        Failed::new(69, format!("cannot listen on {}: {error}", arguments.address))
    };
    let listener = TcpListener::bind(&arguments.address).await.map_err(refused)?;
    let base = format!("http://{}", listener.local_addr().map_err(refused)?);
    let simulator = Simulator::new(settings, Arc::new(SystemClock));
    simulator.set_base_address(&base);
    let stop = CancellationToken::new();
    println!("{base}");
    let serving = simulator.serve(listener, stop.clone());
    let stopping = async {
        shutdown::requested().await;
        stop.cancel();
    };
    tokio::join!(serving, stopping);
    Ok(())
}
