//! The order of a start. What the other commands do stands in `commands`.

mod commands;

use clap::Parser;
use std::process::ExitCode;
use std::sync::Arc;

use circlet::base::failpoint;
use circlet::config::{Config, Environment};
use circlet::shard::{Node, Source, Trouble};
use circlet::telemetry::logs;
use commands::arguments::{Arguments, Command};
use commands::{Exit, supervisor, welcome};

#[global_allocator]
static MEMORY: circlet::rt::preflight::Memory = circlet::rt::preflight::Memory;

fn main() -> ExitCode {
    // A wrong command line ends in here, with code 2.
    let arguments = Arguments::parse();
    let environment = Environment::of_process();
    let exit = match arguments.command {
        Command::Run { file, built_in, accept_ring_change } => {
            commands::with_config(&file, &environment, |config| {
                start_log(config.log_level.word());
                let is_built_in = file.config.is_none();
                let config = match is_built_in {
                    true => welcome::chosen(config.clone(), &built_in),
                    false => Ok(config.clone()),
                };
                let source = file.config.clone();
                let source = source.map(|path| Source { path, environment: environment.clone() });
                match config.and_then(|config| gateway(config, source, accept_ring_change)) {
                    Ok(()) => Exit::Done,
                    Err(trouble) => commands::of_trouble(&trouble),
                }
            })
        }
        Command::Store(arguments) => {
            start_log("info");
            commands::store::run(&arguments, &environment)
        }
        other => commands::dispatch(other, &environment),
    };
    logs::finish();
    exit.into()
}

/// At this level, unless the environment says what is logged.
fn start_log(level: &str) {
    let variable = |name| std::env::var(name).ok();
    logs::start(variable("RUST_LOG").as_deref(), level, variable("CIRCLET_LOG_FORMAT").as_deref());
}

/// The life of a gateway.
fn gateway(
    config: Config,
    source: Option<Source>,
    accept_ring_change: bool,
) -> Result<(), Trouble> {
    let is_built_in = source.is_none();
    failpoint::arm();
    // 1. The machine allows io_uring and enough locked memory; limits are raised.
    Node::preflight()?;
    // 2. The data directory is ours alone; the rings are those of the last start.
    let config = Arc::new(config);
    let mut node = Node::open(config.clone(), source, accept_ring_change)?;
    // 3. Stores of this process listen and open; nothing waits for them.
    node.embed(is_built_in.then_some(welcome::DATABASE))?;
    // 4. A shard on each core reads the logs that it owns.
    node.launch()?;
    // 5. What all logs owe is known: cursors are rewound, cells are on the board.
    node.recover()?;
    // 6. Only now connections are accepted and lines are sent.
    node.serve()?;
    tracing::info!(listen = %config.listen, shards = config.shards, "Circlet serves");
    if let Some(admin) = config.admin {
        tracing::info!(listen = %admin, "operators are answered");
    }
    if is_built_in {
        welcome::print(&config);
    }
    // 7. Until somebody asks to stop.
    supervisor::ready();
    node.watch(supervisor::tell)?;
    supervisor::stopping();
    tracing::info!("stopping: answers under way are finished");
    // 8. Answers are finished, logs synced, cursors written, stores closed.
    let is_clean = node.end()?;
    tracing::info!(is_clean, "stopped; what is still owed stays in the log");
    Ok(())
}
