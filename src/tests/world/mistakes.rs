//! Shows that the world can fail: known mistakes are planted, and each is found within a stated number of
//! seeds.

use super::life::Run;
use crate::base::planted::{Planted, plant};

/// The first seed of those from 0 that finds the mistake, and what it finds.
fn found(mistake: Planted, within: u64) -> Option<(u64, String)> {
    plant(Some(mistake));
    let found = (0..within).find_map(|seed| {
        let violations = Run::new(seed, false).play().violations();
        violations.first().map(|violation| (seed, violation.clone()))
    });
    plant(None);
    found
}

macro_rules! mistakes {
    ($($law:ident: $mistake:ident within $seeds:literal;)+) => {
        $(
            #[test]
            fn $law() {
                let found = found(Planted::$mistake, $seeds);
                let (seed, violation) = found.expect("the mistake is found");
                println!("{:?} by seed {seed}: {violation}", Planted::$mistake);
            }
        )+
    };
}

mistakes! {
    no_order_rule_is_found: NoOrderRule within 400;
    no_cut_is_found: NoCut within 400;
    a_late_cell_is_found: LatePublish within 400;
    ignored_floors_are_found: FloorsIgnored within 400;
    a_rewind_that_is_not_durable_is_found: RewindNotDurable within 400;
    an_answer_before_the_sync_is_found: EarlyAnswer within 400;
    a_segment_freed_too_early_is_found: EarlyFree within 400;
    a_repeated_statement_is_found: LateRepeat within 400;
}
