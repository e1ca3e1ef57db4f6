//! No text panics or exhausts the stack; what a statement is written as means the same statement, and goes to the
//! same places.
#![no_main]

use circlet::proto::influxql::{Params, Statement, parse};
use circlet::query::plan::Plan;
use circlet::query::plan::influxql::plan;
use circlet::query::plan::influxql::spread;
use circlet::query::plan::influxql::steps::steps;
use circlet::ring::Naming;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let params = Params::default();
    let naming = Naming::new("default", &[]);
    let Ok(statements) = parse(text, &params) else { return };
    let written: Vec<String> = statements.iter().map(Statement::to_string).collect();
    let again = parse(&written.join("; "), &params).expect("what is written can be read");
    // Passwords are not written out, and durations in months of ns are not what this is about.
    let twice: Vec<String> = again.iter().map(Statement::to_string).collect();
    assert_eq!(written, twice);
    let planned = |text: &str| plan(text, Some("d"), None, &naming, &params);
    let found = planned(text);
    assert_eq!(planned(&written.join("; ")).is_ok(), found.is_ok());
    if let Ok(Plan::WholeCircle { .. }) = found
        && let Ok(steps) = steps(text, Some("d"), None, &naming, &params)
    {
        for step in steps {
            let mut statement = step.statement;
            if spread::way(&statement, 1000).is_ok() {
                spread::spread(&mut statement, 1_700_000_000_000_000_000);
                parse(&statement.to_string(), &params).expect("backends can read it");
            }
        }
    }
});
