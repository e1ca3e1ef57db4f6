//! `circlet doctor`: whether this machine can run Circlet, and if not, why and what to do.

use super::{Exit, say};
use circlet::rt::examine::{self, Finding, State};
use comfy_table::Table;
use serde_json::json;
use std::path::Path;

/// Ends with the code of a start that would fail.
pub fn run(data_directory: &Path, as_json: bool) -> Exit {
    let mut findings = examine::machine();
    findings.extend(examine::directory(data_directory));
    if as_json {
        say(json!({"findings": findings.iter().map(object).collect::<Vec<_>>()}));
    } else {
        print(&findings);
    }
    match findings.iter().map(|finding| finding.state).max() {
        Some(State::Bad) => Exit::Environment,
        _ => Exit::Done,
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Good => "ok",
        State::Warning => "warning",
        State::Bad => "BAD",
    }
}

fn object(finding: &Finding) -> serde_json::Value {
    json!({
        "what": finding.what, "state": word(finding.state).to_lowercase(), "seen": finding.seen,
        "mend": finding.mend,
    })
}

fn print(findings: &[Finding]) {
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    for finding in findings {
        table.add_row([word(finding.state), finding.what, &finding.seen]);
    }
    say(table);
    for finding in findings {
        if let Some(mend) = &finding.mend {
            say(format!("\n{}: {mend}", finding.what));
        }
    }
}
