//! Laws of the check and of the ledger, without a network.

use super::check::{Tally, Verdict};
use super::ledger::{Run, parse};
use super::points::Layout;
use super::query::Stored;

fn layout(versions: u64) -> Layout {
    Layout {
        base_ns: 1_700_000_000_000_000_000,
        lines: 10,
        connections: 2,
        measurements: 3,
        versions,
    }
}

/// Four requests: 0 and 1 acknowledged, 2 sent, 3 sent by nobody.
fn promised(versions: u64) -> Run {
    let mut run = Run::new(layout(versions));
    run.acked(0, versions - 1);
    run.acked(1, versions - 1);
    run.sent(2, 0);
    run.requests.resize(4, Default::default());
    run
}

fn good(run: &Run, point: u64, version: u64) -> (u64, Stored) {
    let l = &run.layout;
    let sequence = l.sequence(point, version);
    let stored = Stored {
        time_ns: (l.base_ns + point) as i64,
        sequence: Some(sequence as i64),
        check: Some(l.check(sequence)),
        connection: Some(l.connection_of(point)),
    };
    (l.measurement_of(point), stored)
}

/// Checks a circle of two backends that holds the points 0..20, changed by `change`.
fn checked(run: &Run, change: impl Fn(u64, &mut Stored) -> bool) -> Verdict {
    let runs = std::slice::from_ref(run);
    let mut tally = Tally::new(runs, 2);
    for point in 0..20 {
        let (measurement, mut stored) = good(run, point, run.layout.versions - 1);
        if change(point, &mut stored) {
            tally.stored((measurement % 2) as usize, measurement, &stored);
        }
    }
    tally.finish()
}

#[test]
fn what_was_promised_and_is_there_is_right() {
    for versions in [1, 4] {
        let verdict = checked(&promised(versions), |_, _| true);
        assert!(verdict.is_right(), "{verdict:?}");
        assert_eq!(verdict.right, 20);
    }
}

#[test]
fn each_fault_is_seen_and_named() {
    let run = promised(1);
    assert_eq!(checked(&run, |point, _| point != 7).missing, 1);
    let altered = |point: u64, change: fn(&mut Stored)| {
        checked(&run, move |at, stored| {
            if at == point {
                change(stored);
            }
            true
        })
    };
    assert_eq!(altered(3, |stored| stored.sequence = Some(4)).wrong, 1);
    assert_eq!(altered(3, |stored| stored.sequence = None).wrong, 1);
    assert_eq!(altered(3, |stored| stored.check = stored.check.map(|check| check ^ 1)).wrong, 1);
    assert_eq!(altered(3, |stored| stored.connection = Some(9)).wrong, 1);
    let moved = altered(3, |stored| stored.time_ns += 1000);
    assert_eq!((moved.foreign, moved.missing), (1, 1));
    let unsent = altered(3, |stored| stored.time_ns += 30);
    assert_eq!((unsent.foreign, unsent.missing), (1, 1));
}

#[test]
fn a_point_on_two_backends_is_twice() {
    let run = promised(1);
    let runs = std::slice::from_ref(&run);
    let mut tally = Tally::new(runs, 2);
    let (measurement, stored) = good(&run, 5, 0);
    tally.stored(0, measurement, &stored);
    tally.stored(1, measurement, &stored);
    assert_eq!(tally.verdict.twice, 1);
}

#[test]
fn a_point_without_an_answer_may_be_there_or_not() {
    let run = promised(1);
    let runs = std::slice::from_ref(&run);
    let mut tally = Tally::new(runs, 1);
    for point in 0..25 {
        let (measurement, stored) = good(&run, point, 0);
        tally.stored(0, measurement, &stored);
    }
    let verdict = tally.finish();
    assert!(verdict.is_right(), "{verdict:?}");
    assert_eq!((verdict.right, verdict.unacknowledged), (20, 5));
}

#[test]
fn an_older_version_than_acknowledged_is_old_and_a_later_sent_one_is_right() {
    let mut run = Run::new(layout(4));
    run.acked(0, 1);
    run.sent(0, 2);
    let judge = |version| {
        let runs = std::slice::from_ref(&run);
        let mut tally = Tally::new(runs, 1);
        for point in 0..10 {
            let (measurement, stored) = good(&run, point, version);
            tally.stored(0, measurement, &stored);
        }
        let verdict = tally.finish();
        (verdict.right, verdict.old, verdict.foreign)
    };
    assert_eq!(judge(0), (0, 10, 0));
    assert_eq!(judge(1), (10, 0, 0));
    assert_eq!(judge(2), (10, 0, 0));
    assert_eq!(judge(3), (0, 0, 10));
}

#[test]
fn a_torn_last_line_counts_as_absent_and_a_new_run_may_follow() {
    let head = "run 1700000000000000000 10 2 3 1\n";
    let runs = parse(&format!("{head}sent 0 0\nacked 0 0\nsent 1 0\nacked 1")).unwrap();
    assert_eq!((runs[0].points_acked(), runs[0].unacknowledged()), (10, 1));
    let runs =
        parse(&format!("{head}sent 0 0\nacked 0 torn\n{head}sent 0 0\nacked 0 0\n")).unwrap();
    assert_eq!((runs.len(), runs[0].points_acked(), runs[1].points_acked()), (2, 0, 10));
    assert!(parse(&format!("{head}nonsense\nacked 0 0\n")).is_err());
    assert!(parse("acked 0 0\n").is_err());
}
