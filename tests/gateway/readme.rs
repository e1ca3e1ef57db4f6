//! The commands of the README.

use crate::support::circlet::BINARY;
use crate::support::python::finish;
use crate::support::vectors::root;
use crate::support::world::directory;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn the_readme_names_commands_that_exist() {
    let text = std::fs::read_to_string(root().join("README.md")).expect("a README");
    for script in ["scripts/demo", "scripts/test"] {
        assert!(text.lines().any(|line| line.trim() == script), "no line `{script}` in the README");
        let mode = std::fs::metadata(root().join(script)).expect(script).permissions().mode();
        assert_ne!(mode & 0o111, 0, "{script} is executable");
    }
}

/// With the binary that is built already; `scripts/test` runs it once more as a user does.
#[test]
fn the_demo_writes_asks_and_says_what_to_try_next() {
    let directory = directory();
    let mut command = Command::new(root().join("scripts/demo"));
    command.arg("--once").env("CIRCLET_BINARY", BINARY);
    command.env("CIRCLET_DEMO_DIRECTORY", directory.path().join("demo"));
    // Below the ports of the other tests: the demo looks for free ones itself.
    let port = 16_000 + std::process::id() % 1_900;
    command.env("CIRCLET_DEMO_PORT", port.to_string());
    let said = finish(&mut command);
    for part in ["circle-1", "circle-2", "influxdb-1-1", "influxdb-2-2", "curl", "204", "results"] {
        assert!(said.contains(part), "the demo says nothing of {part}:\n{said}");
    }
}
