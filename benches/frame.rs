//! A body becomes a frame: every line is checked, finds its backends, and is copied into the open frame in
//! the way of `ingest`. `scripts/callgrind` counts the instructions of a round.
//!
//! Words: how many rounds; a file with a body, in place of the lines of `lines`.

mod lines;
mod rounds;

use circlet::base::ids::BackendId;
use circlet::ingest::batch::{self, Checked};
use circlet::ingest::group::Groups;
use circlet::proto::line::{Lines, Precision, Rules};
use circlet::ring::{
    BackendPlan, CirclePlan, HashKey, Placement, Plan, Router, ShardKey, Target, TargetNo, Topology,
};
use circlet::wal::{Kind, NewRun, OpenFrame};
use std::rc::Rc;
use std::sync::Arc;

/// Lines of a body, bodies of a round.
const LINES: usize = 1000;
const BODIES: usize = 20;

const RULES: Rules =
    Rules { precision: Precision::Nanoseconds, unsigned: false, nul_tag_key: false };

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
    let (mut bytes, mut groups, mut checked) = (0, Groups::default(), Vec::new());
    for body in bodies {
        check(router, target, body.as_bytes(), &mut checked);
        let (count, _) = groups.count(&checked, usize::MAX, 0);
        assert_eq!(count, checked.len());
        let backends = |set| router.set(set).iter().map(|slot| BackendId(*slot)).collect();
        let targets: Vec<Vec<_>> = groups.all().iter().map(|group| backends(group.set)).collect();
        let runs = groups.all().iter().zip(&targets).map(|(group, targets)| NewRun {
            targets,
            points: group.points,
            len: group.bytes.len(),
        });
        let runs: Vec<_> = runs.collect();
        let mut frame = OpenFrame::with_room(Kind::Lines, tag, &runs, 0);
        groups.copy(body.as_bytes(), &checked, frame.push_all(tag, &runs));
        bytes += frame.payload_end();
    }
    bytes
}

fn check(router: &mut Router, target: TargetNo, body: &[u8], checked: &mut Vec<Checked>) {
    checked.clear();
    for line in Lines::new(body, RULES) {
        let line = line.unwrap_or_else(|error| panic!("{error}"));
        let set = batch::route(router, target, &line);
        let from = line.head.as_ptr() as usize - body.as_ptr() as usize;
        let time = line.time.map(|time| time.0);
        let len = line.head.len();
        checked.push(Checked::new(body, from, len, time.unwrap_or(0), time.is_some(), set));
    }
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
