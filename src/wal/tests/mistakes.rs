//! Shows that the states can fail: a mistake is planted, and the law that should find it does.

use super::{crash, lies};
use crate::base::planted::{Planted, plant};
use std::panic::catch_unwind;

/// What the states say when the mistake is there.
fn found(mistake: Planted, states: fn()) -> Option<String> {
    plant(Some(mistake));
    let outcome = catch_unwind(states);
    plant(None);
    let cause = outcome.err()?;
    let text = cause.downcast_ref::<String>().cloned();
    Some(text.or(cause.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default())
}

macro_rules! mistakes {
    ($($law:ident: $mistake:ident by $states:expr;)+) => {
        $(
            #[test]
            fn $law() {
                let text = found(Planted::$mistake, $states).expect("the mistake is found");
                println!("{:?}: {}", Planted::$mistake, text.lines().next().unwrap_or_default());
            }
        )+
    };
}

mistakes! {
    an_answer_before_the_sync_is_found: EarlyAnswer
        by crash::what_was_acknowledged_survives_a_crash_at_every_operation;
    a_last_frame_that_stands_for_all_is_found: LastDurable
        by crash::what_was_acknowledged_survives_a_crash_at_every_operation;
    a_header_that_is_not_durable_is_found: HeaderUnsynced
        by crash::what_was_acknowledged_survives_a_crash_at_every_operation;
    cursors_that_are_not_durable_are_found: MarkUnsynced
        by crash::what_was_acknowledged_survives_a_crash_at_every_operation;
    a_stale_frame_that_is_taken_is_found: StaleTaken
        by crash::on_used_files_a_crash_at_every_operation_brings_nothing_of_their_earlier_life;
    a_loss_that_nobody_is_told_of_is_found: LossUntold
        by lies::a_write_that_is_lost_or_lands_elsewhere_is_told_and_costs_nothing_else;
    a_read_error_that_passes_for_the_end_is_found: ReadErrorIsEnd by
        lies::a_read_that_fails_or_comes_from_elsewhere_brings_nothing_wrong_and_hides_nothing_for_long;
}
