//! The order of a start. What the other commands do stands in `commands`.

mod commands;

use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;

use circlet::base::failpoint;
use circlet::config::{Config, Environment};
use circlet::shard::{Node, Trouble};
use circlet::telemetry::logs;
use commands::Exit;
use commands::arguments::{Arguments, Command};

#[global_allocator]
static MEMORY: circlet::rt::preflight::Memory = circlet::rt::preflight::Memory;

fn main() -> ExitCode {
    // A wrong command line ends in here, with code 2.
    let arguments = Arguments::parse();
    let environment = Environment::of_process();
    match arguments.command {
        Command::Run { file, accept_ring_change } => {
            commands::with_config(&file.config, &environment, |config| {
                logs::start(std::env::var("RUST_LOG").ok().as_deref());
                match gateway(config.clone(), accept_ring_change) {
                    Ok(()) => Exit::Done,
                    Err(trouble) => commands::of_trouble(&trouble),
                }
            })
        }
        other => commands::dispatch(other, &environment),
    }
    .into()
}

/// The life of a gateway.
fn gateway(config: Config, accept_ring_change: bool) -> Result<(), Trouble> {
    failpoint::arm();
    // 1. The machine allows io_uring and enough locked memory; limits are raised.
    Node::preflight()?;
    // 2. The data directory is ours alone; the rings are those of the last start.
    let config = Arc::new(config);
    let mut node = Node::open(config.clone(), accept_ring_change)?;
    // 3. A shard on each core reads the logs that it owns.
    node.launch()?;
    // 4. What all logs owe is known: cursors are rewound, cells are on the board.
    node.recover()?;
    // 5. Only now connections are accepted and lines are sent.
    node.serve()?;
    tracing::info!(listen = %config.listen, shards = config.shards, "Circlet serves");
    // 6. Until somebody asks to stop.
    node.watch()?;
    tracing::info!("stopping: answers under way are finished");
    // 7. Answers are finished, logs synced, cursors written.
    let is_clean = node.end()?;
    tracing::info!(is_clean, "stopped; what is still owed stays in the log");
    Ok(())
}
