//! A body becomes a frame: every line is checked, finds its backends, and is copied into the open frame in
//! the way of `ingest`. `scripts/callgrind` counts the instructions of a round.
//!
//! Words: how many rounds; a file with a body, in place of the lines of `lines`.

mod lines;
mod rounds;

use circlet::base::ids::BackendId;
use circlet::proto::line::{Lines, Precision, Rules};
use circlet::ring::{
    BackendPlan, CirclePlan, HashKey, Placement, Plan, Router, ShardKey, Target, TargetNo, Topology,
};
use circlet::wal::{Kind, OpenFrame};
use std::rc::Rc;
use std::sync::Arc;

/// Lines of a body, bodies of a round.
const LINES: usize = 1000;
const BODIES: usize = 20;

const RULES: Rules =
    Rules { precision: Precision::Nanoseconds, unsigned: false, nul_tag_key: false };

/// A line's head, its time, and what is needed to group it.
struct Checked<'a> {
    head: &'a [u8],
    time_ns: i64,
    set: circlet::ring::TargetSetNo,
}

fn router() -> Router {
    let backend = |name: &str| BackendPlan { name: name.to_owned(), url: format!("http://{name}") };
    let circle = |name: &str, backends: &[&str]| CirclePlan {
        name: name.to_owned(),
        backends: backends.iter().map(|name| backend(name)).collect(),
    };
    let plan = Plan {
        placement: Placement::Even,
        hash_key: HashKey::Name,
        shard_key: ShardKey::parse("%db,%mm").expect("it is the default"),
        circles: vec![circle("one", &["a", "b"]), circle("two", &["c", "d", "e"])],
    };
    Router::new(Arc::new(Topology::new(&plan)))
}

/// Gives the bytes of all frames, so that none of the work can be left out.
fn round(router: &mut Router, target: TargetNo, tag: &Rc<[u8]>, bodies: &[String]) -> usize {
    let mut bytes = 0;
    for body in bodies {
        let mut checked: Vec<Checked<'_>> = Vec::new();
        for line in Lines::new(body.as_bytes(), RULES) {
            let line = line.unwrap_or_else(|error| panic!("{error}"));
            let set = router.route(target, &line.measurement_name());
            let time_ns = line.time.map_or(0, |time| time.0);
            checked.push(Checked { head: line.head, time_ns, set });
        }
        checked.sort_by_key(|line| line.set);
        let mut frame: Option<OpenFrame> = None;
        for group in checked.chunk_by(|one, other| one.set == other.set) {
            let targets: Vec<_> =
                router.set(group[0].set).iter().map(|slot| BackendId(*slot)).collect();
            let len = group.iter().map(|line| line.head.len() + 21).sum();
            let frame =
                frame.get_or_insert_with(|| OpenFrame::new(Kind::Lines, tag, &targets, 200_000));
            let points = u32::try_from(group.len()).expect("few lines");
            copy(frame.push(tag, &targets, points, len), group);
        }
        bytes += frame.map_or(0, |frame| frame.payload_end());
    }
    bytes
}

fn copy(space: &mut [u8], group: &[Checked<'_>]) {
    let mut at = 0;
    for line in group {
        let mut number = itoa::Buffer::new();
        for piece in [line.head, b" ", number.format(line.time_ns).as_bytes(), b"\n"] {
            space[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        }
    }
    assert_eq!(at, space.len(), "every time has 19 digits");
}

fn main() {
    let mut router = router();
    let target =
        Target { org: "".into(), database: "telegraf".into(), retention_policy: "".into() };
    let (number, tag) = (router.target(&target), Rc::from(target.to_tag()));
    let body = match std::env::args().nth(2) {
        Some(file) => std::fs::read_to_string(&file).expect("the file of a body"),
        None => lines::body(LINES),
    };
    let lines = BODIES * body.lines().count();
    let bodies = vec![body; BODIES];
    let rounds = 0..rounds::rounds();
    let bytes: usize = rounds.map(|_| round(&mut router, number, &tag, &bodies)).sum();
    println!("{lines} lines a round, {bytes} bytes in frames");
}
