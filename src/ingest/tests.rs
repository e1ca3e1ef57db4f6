//! The laws of a queue, and of the order between queues.

use super::order::{lines_may_go, statement_may_go};
use super::queue::{Line, Part, Queue};
use crate::backend::Board;
use crate::base::ids::{BackendId, LogId};
use crate::base::time::Stamp;
use crate::wal::frame::Sealing;
use crate::wal::{Frame, Kind, OpenFrame};
use proptest::prelude::*;
use std::rc::Rc;
use std::time::Duration;

const HERE: BackendId = BackendId(1);
const ELSEWHERE: BackendId = BackendId(2);

/// A frame of runs, each with its tag and backends. Its stamp is ten times its number.
fn frame(number: u64, kind: Kind, runs: &[(&str, &[BackendId])]) -> Rc<Frame> {
    let tag = |name: &str| Rc::<[u8]>::from(name.as_bytes());
    let mut open = OpenFrame::new(kind, &tag("d"), &[HERE], 64);
    for (name, targets) in runs {
        open.push(&tag(name), targets, 1, 3).fill(b'x');
    }
    let stamp = Stamp(number * 10);
    let synced = number - 1;
    Rc::new(open.seal(Sealing { epoch: 1, number, stamp, unix_ms: number, synced, note: 0 }))
}

fn lines(number: u64, runs: &[(&str, &[BackendId])]) -> Rc<Frame> {
    frame(number, Kind::Lines, runs)
}

fn load_all(queue: &mut Queue, frames: &[Rc<Frame>]) {
    for frame in frames {
        queue.note(frame);
    }
    for frame in frames {
        if queue.next_load().is_some_and(|next| next <= frame.number()) {
            queue.load(frame, |_, _| false);
        }
    }
}

fn numbers(batch: &[Part]) -> Vec<u64> {
    batch.iter().map(Part::number).collect()
}

#[test]
fn the_cursor_stops_at_the_first_unconfirmed_frame() {
    let mut queue = Queue::new(HERE, None, 1);
    let frames =
        [lines(1, &[("a", &[HERE])]), lines(2, &[("b", &[HERE])]), lines(3, &[("a", &[HERE])])];
    load_all(&mut queue, &frames);
    assert_eq!(numbers(&queue.next_batch(b"a", |_| true)), [1, 3]);
    assert_eq!(numbers(&queue.next_batch(b"b", |_| true)), [2]);
    queue.confirm(b"a");
    assert_eq!(queue.cursor(), 2, "frame 2 is not confirmed");
    assert_eq!(queue.owed().oldest, Stamp(20));
    queue.confirm(b"b");
    assert_eq!(queue.cursor(), 4);
    assert_eq!(queue.owed().oldest, Stamp::NONE);
    assert_eq!(queue.owed().bytes, 0);
}

#[test]
fn an_empty_queue_goes_on_at_what_it_is_led_and_sends_nothing_from_before() {
    let mut queue = Queue::new(HERE, Some(Rc::from(&b"a"[..])), 1);
    let frames: Vec<_> = (1..=3).map(|number| lines(number, &[("a", &[HERE])])).collect();
    load_all(&mut queue, &frames[..1]);
    assert_eq!(numbers(&queue.next_batch(b"a", |_| true)), [1]);
    queue.confirm(b"a");
    // Frame 2 went through the backend's own queue.
    queue.note(&frames[2]);
    assert_eq!((queue.cursor(), queue.next_load()), (3, Some(3)));
}

#[test]
fn one_request_of_a_database_is_under_way_at_a_time() {
    let mut queue = Queue::new(HERE, None, 1);
    load_all(&mut queue, &[lines(1, &[("a", &[HERE])])]);
    assert_eq!(numbers(&queue.next_batch(b"a", |_| true)), [1]);
    load_all(&mut queue, &[lines(2, &[("a", &[HERE])])]);
    assert!(queue.next_batch(b"a", |_| true).is_empty());
    queue.put_back(b"a");
    assert_eq!(numbers(&queue.next_batch(b"a", |_| true)), [1, 2], "the old one first");
}

#[test]
fn a_statement_is_a_barrier_on_both_sides() {
    let mut queue = Queue::new(HERE, None, 1);
    let frames = [
        lines(1, &[("a", &[HERE])]),
        frame(2, Kind::Statement, &[("a", &[HERE])]),
        lines(3, &[("a", &[HERE])]),
    ];
    load_all(&mut queue, &frames);
    assert_eq!(queue.owed().oldest_statement, Stamp(20));
    assert_eq!(queue.next_load(), None, "nothing is loaded behind a statement");
    assert!(queue.next_statement(|_| true).is_none(), "older lines go first");
    assert_eq!(numbers(&queue.next_batch(b"a", |_| true)), [1]);
    queue.confirm(b"a");
    assert!(queue.next_batch(b"a", |_| true).is_empty(), "a statement is no batch");
    assert!(queue.next_statement(|_| false).is_none());
    assert_eq!(queue.next_statement(|_| true).map(|part| part.number()), Some(2));
    queue.confirm(b"a");
    assert_eq!(queue.owed().oldest_statement, Stamp::NONE);
    assert_eq!(queue.next_load(), Some(3));
}

#[test]
fn frames_for_others_are_passed_over() {
    let mut queue = Queue::new(HERE, None, 1);
    let frames = [lines(1, &[("a", &[ELSEWHERE])]), lines(2, &[("a", &[HERE, ELSEWHERE])])];
    assert!(!queue.note(&frames[0]));
    assert!(queue.note(&frames[1]));
    assert_eq!(queue.owed().oldest, Stamp(20), "known before it is loaded");
    assert_eq!((queue.cursor(), queue.next_load()), (2, Some(2)));
    // Behind something that is owed, too.
    assert!(!queue.note(&lines(3, &[("a", &[ELSEWHERE])])));
    queue.load(&frames[1], |_, _| false);
    queue.load(&lines(3, &[("a", &[ELSEWHERE])]), |_, _| false);
    queue.next_batch(b"a", |_| true);
    assert_eq!(queue.cursor(), 2);
    queue.confirm(b"a");
    assert_eq!(queue.cursor(), 4);
    queue.catch_up(9);
    assert_eq!(queue.cursor(), 9, "an empty queue pins nothing");
}

#[test]
fn a_lane_that_is_taken_out_lets_the_rest_flow() {
    let mut queue = Queue::new(HERE, None, 1);
    load_all(&mut queue, &[lines(1, &[("a", &[HERE])]), lines(2, &[("b", &[HERE])])]);
    queue.next_batch(b"a", |_| true);
    let parked = queue.take_lane(b"a", |_| false);
    assert_eq!(numbers(&parked), [1]);
    queue.settle(&parked);
    assert_eq!(queue.cursor(), 2);
    let mut waiting = Queue::new(HERE, Some(Rc::from(&b"a"[..])), 1);
    assert!(waiting.note(&parked[0].frame));
    assert_eq!(waiting.owed().oldest, Stamp(10));
}

#[test]
fn what_makes_a_database_stays_when_its_lines_go_to_wait() {
    let mut queue = Queue::new(HERE, None, 1);
    let create = frame(2, Kind::Statement, &[("a", &[HERE])]);
    load_all(&mut queue, &[lines(1, &[("a", &[HERE])]), create]);
    queue.next_batch(b"a", |_| true);
    let parked = queue.take_lane(b"a", |part| part.frame.kind == Kind::Statement);
    assert_eq!(numbers(&parked), [1]);
    queue.settle(&parked);
    assert_eq!(queue.next_statement(|_| true).map(|part| part.number()), Some(2));
}

#[test]
fn a_damaged_frame_does_not_stop_the_queue() {
    let mut queue = Queue::new(HERE, None, 1);
    queue.found(4, Stamp(5), 7, 100);
    assert_eq!(queue.owed().oldest, Stamp(5), "a bound until the first frame is read");
    queue.skip(&(1..3));
    assert_eq!((queue.cursor(), queue.next_load()), (3, Some(3)));
    queue.load(&lines(3, &[("a", &[HERE])]), |_, _| false);
    assert_eq!(queue.owed().oldest, Stamp(30));
}

#[test]
fn the_smallest_stamp_may_always_go() {
    let window = Duration::from_nanos(5);
    let board = Board::new(3, 2, 3);
    let publish = |log, oldest: Stamp, statement: Stamp| {
        board.cell(LogId(log), HERE).publish(oldest, statement, 0, 0);
    };
    publish(1, Stamp(10), Stamp::NONE);
    publish(2, Stamp(20), Stamp(20));
    let others = || board.other_cells(LogId(0), HERE);
    assert!(lines_may_go(Stamp(10), window, others()));
    assert!(lines_may_go(Stamp(15), window, others()), "at the edge of the window");
    assert!(!lines_may_go(Stamp(16), window, others()));
    assert!(statement_may_go(Stamp(10), others()));
    assert!(!statement_may_go(Stamp(11), others()), "a statement waits for all older frames");
    publish(1, Stamp::NONE, Stamp::NONE);
    assert!(!lines_may_go(Stamp(21), window, others()), "no line passes a statement");
    assert!(lines_may_go(Stamp(20), window, others()));
}

fn line(bytes: u64) -> Line {
    Line { bytes, before_unix_ms: 0, stamp_max: Stamp::NONE }
}

#[test]
fn the_oldest_frames_give_way_whole_and_count_as_confirmed() {
    let mut queue = Queue::new(HERE, None, 1);
    let runs: &[(&str, &[BackendId])] = &[("a", &[HERE]), ("b", &[HERE])];
    load_all(&mut queue, &[lines(1, runs), lines(2, runs), lines(3, runs)]);
    assert_eq!(queue.oldest_waiting(&line(0)).map(Part::number), None);
    assert_eq!(queue.oldest_waiting(&line(1)).map(Part::number), Some(1));
    assert_eq!(numbers(&queue.give_up(&line(1))), [1, 1], "not half a frame");
    assert_eq!((queue.cursor(), queue.owed().oldest, queue.owed().bytes), (2, Stamp(20), 12));
    let old = Line { before_unix_ms: 3, ..line(0) };
    assert_eq!(numbers(&queue.give_up(&old)), [2, 2], "by its age");
    assert!(queue.give_up(&Line { stamp_max: Stamp(29), ..line(100) }).is_empty(), "too new");
    assert_eq!(numbers(&queue.give_up(&line(100))), [3, 3]);
    assert_eq!((queue.owed().oldest, queue.owed().bytes), (Stamp::NONE, 0));
}

#[test]
fn what_is_under_way_does_not_give_way() {
    let mut queue = Queue::new(HERE, None, 1);
    let runs: &[(&str, &[BackendId])] = &[("a", &[HERE]), ("b", &[HERE])];
    load_all(&mut queue, &[lines(1, runs), lines(2, runs), lines(3, runs)]);
    let sent = queue.next_batch(b"a", |frame| frame.number() == 1);
    assert_eq!(numbers(&sent), [1]);
    assert_eq!(numbers(&queue.give_up(&line(7))), [1, 2, 2]);
    assert_eq!((queue.cursor(), queue.owed().bytes), (1, 9));
    queue.put_back(b"a");
    assert_eq!(numbers(&queue.next_batch(b"a", |_| true)), [1, 3], "it is tried again");
    queue.confirm(b"a");
    assert_eq!(queue.cursor(), 3, "the other database of frame 3 is still owed");
}

#[test]
fn a_statement_gives_way_alone() {
    let mut queue = Queue::new(HERE, None, 1);
    let frames = [
        lines(1, &[("a", &[HERE])]),
        frame(2, Kind::Statement, &[("a", &[HERE])]),
        lines(3, &[("a", &[HERE])]),
    ];
    load_all(&mut queue, &frames);
    assert_eq!(numbers(&queue.give_up(&line(100))), [1]);
    let oldest = queue.oldest_waiting(&line(100)).map(|part| part.frame.kind);
    assert_eq!(oldest, Some(Kind::Statement));
    assert_eq!(numbers(&queue.give_up(&line(100))), [2]);
    assert_eq!(queue.owed().oldest_statement, Stamp::NONE);
    assert_eq!(queue.next_load(), Some(3));
}

#[test]
fn a_statement_that_is_being_run_does_not_give_way() {
    let mut queue = Queue::new(HERE, None, 1);
    load_all(&mut queue, &[frame(1, Kind::Statement, &[("a", &[HERE])])]);
    assert!(queue.next_statement(|_| true).is_some());
    assert_eq!(queue.oldest_waiting(&line(100)).map(Part::number), None);
    assert!(queue.give_up(&line(100)).is_empty());
    queue.confirm(b"a");
    assert_eq!(queue.cursor(), 2);
}

proptest! {
    /// Whatever is loaded, sent, put back and confirmed in whatever order: each run is confirmed once, in
    /// the order of its database, and the cursor never passes an unconfirmed frame.
    #[test]
    fn nothing_is_skipped_and_nothing_comes_twice(
        shape in proptest::collection::vec(proptest::collection::vec(0usize..3, 1..4), 1..20),
        moves in proptest::collection::vec((0usize..3, 0u8..5), 0..200),
    ) {
        let tags = ["a", "b", "c"];
        let frames: Vec<_> = shape
            .iter()
            .enumerate()
            .map(|(at, runs)| {
                let runs: Vec<_> = runs.iter().map(|tag| (tags[*tag], &[HERE][..])).collect();
                lines(at as u64 + 1, &runs)
            })
            .collect();
        let mut queue = Queue::new(HERE, None, 1);
        load_all(&mut queue, &frames);
        let mut confirmed: Vec<Vec<(u64, usize)>> = vec![Vec::new(); 3];
        let mut sending: Vec<Vec<Part>> = vec![Vec::new(); 3];
        let finish = (0..3).flat_map(|lane| [(lane, 0u8), (lane, 1)]);
        for (lane, what) in moves.into_iter().chain(finish) {
            let tag = tags[lane].as_bytes();
            match what {
                0 if sending[lane].is_empty() => sending[lane] = queue.next_batch(tag, |_| true),
                1 if !sending[lane].is_empty() => {
                    queue.confirm(tag);
                    confirmed[lane].extend(sending[lane].drain(..).map(|part| (part.number(), part.run)));
                }
                2 if !sending[lane].is_empty() => {
                    queue.put_back(tag);
                    sending[lane].clear();
                }
                3 => {
                    for part in queue.give_up(&line(4)) {
                        let lane = tags.iter().position(|tag| *tag.as_bytes() == **part.run().tag);
                        confirmed[lane.unwrap()].push((part.number(), part.run));
                    }
                }
                _ => {}
            }
            let done: Vec<_> = confirmed.iter().flatten().collect();
            for frame in frames.iter().filter(|frame| frame.number() < queue.cursor()) {
                for run in 0..frame.runs.len() {
                    prop_assert!(done.contains(&&(frame.number(), run)));
                }
            }
        }
        prop_assert_eq!(queue.cursor(), frames.len() as u64 + 1);
        let total: usize = frames.iter().map(|frame| frame.runs.len()).sum();
        prop_assert_eq!(confirmed.iter().map(Vec::len).sum::<usize>(), total);
        for lane in confirmed {
            prop_assert!(lane.is_sorted());
        }
    }
}

#[test]
fn what_is_older_than_a_drop_is_taken_unsent_and_the_rest_stays() {
    let mut queue = Queue::new(HERE, Some(Rc::from(&b"a"[..])), 1);
    let frames = [
        lines(1, &[("a", &[HERE])]),
        lines(2, &[("b", &[HERE]), ("a", &[HERE])]),
        lines(3, &[("a", &[HERE])]),
    ];
    load_all(&mut queue, &frames);
    let taken = queue.take_below(Stamp(30));
    assert_eq!(numbers(&taken), [1, 2]);
    queue.settle(&taken);
    assert_eq!((queue.cursor(), queue.owed().oldest), (3, Stamp(30)));
    assert!(queue.take_below(Stamp(30)).is_empty());
    assert_eq!(numbers(&queue.next_batch(b"a", |_| true)), [3]);
}
