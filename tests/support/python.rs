//! Runs the scripts of `tests/clients` with the Python of `.venv`, and those of JavaScript with node.

use super::process::Process;
use super::vectors::root;
use std::path::PathBuf;
use std::process::{Command, Output};

/// The Python of `.venv`.
pub fn interpreter() -> PathBuf {
    let path = root().join(".venv/bin/python");
    assert!(path.exists(), "no .venv/bin/python: run scripts/setup");
    path
}

/// The command that runs one of our scripts.
pub fn command(script: &str) -> Command {
    let mut command = Command::new(interpreter());
    command.arg("-B").arg(root().join("tests/clients").join(script));
    command
}

/// Runs a script to its end; panics with what it wrote unless it exits 0.
#[track_caller]
pub fn run(script: &str, arguments: &[&str]) -> String {
    finish(command(script).args(arguments))
}

/// Runs a command to its end; panics with what it wrote unless it exits 0. Gives its output.
#[track_caller]
pub fn finish(command: &mut Command) -> String {
    let output = output(command);
    let (out, err) = (&output.stdout, &output.stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// Runs a command to its end, whatever comes.
pub fn output(command: &mut Command) -> Output {
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{command:?}: {error}: run scripts/setup"))
}

/// Runs one of our scripts of JavaScript to its end; panics with what it wrote unless it exits 0.
#[track_caller]
pub fn run_javascript(script: &str, arguments: &[&str]) -> String {
    let modules = root().join(".venv/js/node_modules");
    assert!(modules.exists(), "no .venv/js/node_modules: run scripts/setup");
    let script = root().join("tests/clients").join(script);
    finish(Command::new("node").arg(script).args(arguments))
}

/// The small server that answers only the recorded Flux questions; ended on drop.
pub fn flux_server(directory: &std::path::Path) -> (Process, u16) {
    let port = super::ports::free();
    let mut command = command("flux_server.py");
    command.arg(port.to_string()).arg(super::vectors::path("flux_2_7.jsonl"));
    let mut process = Process::start(&mut command, &directory.join("flux_server.log"));
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    super::wait::until("the Flux server answers", super::wait::seconds(20), || {
        assert!(process.ended().is_none(), "it ended:\n{}", process.log_end());
        super::http::Connection::try_open(address).ok()
    });
    (process, port)
}
