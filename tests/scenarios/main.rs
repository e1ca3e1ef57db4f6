//! Thirty bad inputs and faults with the outcome that each must have, four more, and the loads: the built
//! binary before real InfluxDB servers.
//!
//! `table` is the list. A row is shown here, or waits for a feature and says for which, or is shown by
//! another test program and says by which: none is left out, and the last line counts them. Run some by a
//! part of their names: `cargo test --test scenarios -- s21`.
//! Sizes grow by variables of the environment: `CIRCLET_SOAK_MINUTES`, `CIRCLET_FLAP_SECONDS`,
//! `CIRCLET_DEAD_SECONDS`, `CIRCLET_LOG_MIB`, `CIRCLET_LINES`; random ones print their seed, and `SEED` repeats it.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    reason = "tests wait in real time and may panic; the library's rules are for shards"
)]

#[path = "../support/mod.rs"]
#[allow(dead_code, reason = "other test programs use the rest")]
mod support;

mod bodies;
mod ends;
mod heads;
mod lines;
mod logs;
mod memory;
mod names;
mod oracle;
mod outages;
mod questions;
mod refusals;
mod reloads;
mod restart;
mod setting;
mod slow;
mod soak;
mod supervisor;
mod table;

use libtest_mimic::{Arguments, Failed, Trial};
use std::any::Any;
use std::process::ExitCode;
use table::{How, Row};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = table::all().into_iter().map(trial).collect();
    trials.push(Trial::test("the_table_names_every_scenario_once", || {
        table::check();
        Ok(())
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        let ran = conclusion.num_passed + conclusion.num_failed;
        println!("scenarios: {ran} tests ran, {} failed; {}", conclusion.num_failed, table::sum());
    }
    conclusion.exit_code()
}

fn trial(row: &'static Row) -> Trial {
    let name = row.full_name();
    match row.how {
        How::Here(show) => Trial::test(name, move || {
            let began = std::time::Instant::now();
            std::panic::catch_unwind(show).map_err(|panic| required(row, &*panic))?;
            println!("{} took {:.1} s", row.full_name(), began.elapsed().as_secs_f64());
            Ok(())
        }),
        How::Waits(what) => Trial::test(name, move || Err(Failed::from(format!("needs {what}"))))
            .with_kind(format!("not yet run: needs {what}"))
            .with_ignored_flag(true),
        How::Elsewhere(place) => {
            Trial::test(name, move || Err(Failed::from(format!("it is in {place}"))))
                .with_kind(format!("shown by {place}"))
                .with_ignored_flag(true)
        }
    }
}

/// What should have been, and what was: it is on standard error already, but far above the log that follows it.
fn required(row: &Row, panic: &(dyn Any + Send)) -> Failed {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("see above");
    Failed::from(format!("required: {}\nseen: {text}", row.outcome))
}
