//! A world made from a seed: the real write path of a node on simulated disks, sockets and time, before
//! model backends and model clients, through crashes, lost cursors, failing and rotting disks, backends that
//! leave and return, and other numbers of cores.
//!
//! Promises: one seed is one run; whatever a seed finds is found again by the command that it prints; at
//! the end of every run all that was accepted is delivered or rejected, in the order that is promised.
//!
//! Does not know: the front door (HTTP of clients), queries, spilling.
//!
//! Read in this order: `shape` (what a seed decides), `record`, `backend`, `client`, `node`, `rot`, `life`
//! (a run), `check` (the assertion), `budgets` (worlds with little room), `marks` (one that is directed),
//! `mistakes` (proof that it can fail).

mod backend;
mod budgets;
mod check;
mod client;
mod life;
mod marks;
mod mistakes;
mod node;
mod record;
mod rot;
mod shape;

use life::Run;
use std::time::Duration;

/// Seeds of an ordinary test run, in four parts.
const SEEDS: u64 = 2000;

/// Violations of one seed that are shown.
const SHOWN_MAX: usize = 5;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Plays seeds. `SEED=n` plays that one and tells its story; `SEEDS=n` plays so many, `FROM=n` begins there.
fn play(part: u64) {
    if let Some(seed) = number("SEED") {
        let run = Run::new(seed, true).play();
        println!("{}", run.story());
        let violations = run.violations();
        let shown = &violations[..violations.len().min(SHOWN_MAX)];
        assert!(violations.is_empty(), "{} violations: {shown:#?}", violations.len());
        return;
    }
    let count = number("SEEDS").unwrap_or(SEEDS / 4);
    let first = number("FROM").unwrap_or(0) + part * count;
    let mut failed = Vec::new();
    let mut lasted = Duration::ZERO;
    for seed in first..first + count {
        let run = Run::new(seed, false).play();
        lasted += run.lasted();
        if let Some(violation) = run.violations().first() {
            println!("SEED={seed} cargo test --lib the_first_part -- --nocapture\n  {violation}");
            failed.push(seed);
        }
    }
    println!("{count} seeds, {} simulated seconds", lasted.as_secs());
    assert!(failed.is_empty(), "{} seeds failed: {failed:?}", failed.len());
}

#[test]
fn what_is_accepted_is_delivered_in_order_the_first_part() {
    play(0);
}

#[test]
fn what_is_accepted_is_delivered_in_order_the_second_part() {
    play(1);
}

#[test]
fn what_is_accepted_is_delivered_in_order_the_third_part() {
    play(2);
}

#[test]
fn what_is_accepted_is_delivered_in_order_the_fourth_part() {
    play(3);
}
