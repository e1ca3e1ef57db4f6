//! The long runs of `scripts/faults`: the same deaths as in the short tests, many times, at random.

use crate::death::world;
use crate::progress::Progress;
use crate::rows::{death, passed_max};
use crate::support::deaths::{Dice, at_random_moments};
use circlet::base::failpoint::ALL;

/// Deaths after which everything is looked for.
const LEG: u64 = 25;

/// Each leg has a world of its own; they take turns with the levels of acknowledgement.
#[test]
#[ignore = "scripts/faults kill"]
fn kill_at_random_moments() {
    let mut progress = Progress::open("kill", "kill -9 at random moments");
    loop {
        let done = progress.deaths_at("any moment");
        let deaths = LEG.min(progress.wanted.saturating_sub(done));
        if deaths == 0 || !progress.is_time_left() {
            break;
        }
        let ack =
            ["delivered", "durable", "interval"][usize::try_from(done / LEG % 3).expect("small")];
        let end = at_random_moments(ack, deaths, done);
        progress.note("any moment", deaths, end.tally.count(), &end.findings);
    }
}

/// Each round visits every failpoint once, in an order of its own, in one world.
#[test]
#[ignore = "scripts/faults failpoints"]
fn kill_at_every_failpoint() {
    let mut progress = Progress::open("failpoints", "kill -9 at every failpoint");
    for round in 0..progress.wanted {
        let mut names: Vec<&'static str> = ALL.iter().map(|(name, _)| *name).collect();
        names.retain(|name| progress.deaths_at(name) <= round);
        if names.is_empty() || !progress.is_time_left() {
            continue;
        }
        let mut dice = Dice::new(round);
        let mut world = world();
        while !names.is_empty() && progress.is_time_left() {
            let at = usize::try_from(dice.below(names.len() as u64)).expect("an index");
            let name = names.swap_remove(at);
            let passed = dice.below(passed_max(name) + 1);
            let death = death(name, passed, dice.below(2) == 0);
            let outcome = death.happen(&mut world, &format!("{name}.{round}"));
            let mut findings = outcome.findings;
            if !findings.is_empty() {
                let kept = world.keep_directory().display().to_string();
                findings.push(format!("{death:?}: everything is kept in {kept}"));
            }
            progress.note(name, 1, outcome.acknowledged, &findings);
        }
    }
}
