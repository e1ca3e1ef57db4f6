//! Shows that the world can fail: known mistakes are planted, and each is found within a stated number of
//! seeds.

use super::life::Run;
use super::shape::Shape;
use crate::base::planted::{Planted, plant};
use std::ops::Range;

/// The first of these seeds that finds the mistake, and what it finds.
fn found(
    shape: fn(u64) -> Shape,
    mistake: Planted,
    mut seeds: Range<u64>,
) -> Option<(u64, String)> {
    plant(Some(mistake));
    let found = seeds.find_map(|seed| {
        let violations = Run::of(seed, shape(seed), false).play().violations();
        violations.first().map(|violation| (seed, violation.clone()))
    });
    plant(None);
    found
}

macro_rules! mistakes {
    ($($law:ident: $shape:ident $mistake:ident in $seeds:expr;)+) => {
        $(
            #[test]
            fn $law() {
                let found = found(Shape::$shape, Planted::$mistake, $seeds);
                let (seed, violation) = found.expect("the mistake is found");
                println!("{:?} by seed {seed}: {violation}", Planted::$mistake);
            }
        )+
    };
}

mistakes! {
    no_order_rule_is_found: plain NoOrderRule in 0..400;
    no_cut_is_found: plain NoCut in 0..400;
    a_late_cell_is_found: plain LatePublish in 0..400;
    ignored_floors_are_found: plain FloorsIgnored in 0..1000;
    // The first one that finds it is 1124: a start must be cut short between two of its repetitions.
    a_rewind_that_is_not_durable_is_found: restless RewindNotDurable in 1100..1200;
    an_answer_before_the_sync_is_found: plain EarlyAnswer in 0..400;
    a_segment_freed_too_early_is_found: plain EarlyFree in 0..400;
    a_repeated_statement_is_found: plain LateRepeat in 0..400;
    a_statement_that_overtakes_what_waits_is_found: of ParkedOvertaken in 0..400;
    // A crash must come between a statement and the next checkpoint.
    a_statement_that_trusts_what_is_not_on_disk_is_found: parking ParkedForgotten in 0..100;
}

#[test]
fn restless_worlds_hold() {
    for seed in 0..100 {
        for shape in [Shape::restless, Shape::parking] {
            let violations = Run::of(seed, shape(seed), false).play().violations();
            assert!(violations.is_empty(), "restless seed {seed}: {:?}", violations.first());
        }
    }
}
