//! Requests go from the check to what each backend would be sent, all in memory: checked, routed, copied into a
//! frame, sealed, noted by the queues of the backends that it names, loaded by these, put into batches,
//! confirmed. `scripts/callgrind` counts the instructions of a round. The words: `backends=` in each of two
//! circles, `measurements=`, `bytes=` of a line. It also tells the bytes on disk per byte of lines.

mod many;
mod rounds;

use circlet::base::ids::BackendId;
use circlet::base::time::Stamp;
use circlet::ingest::acks::Acks;
use circlet::ingest::batch;
use circlet::ingest::queue::Queue;
use circlet::proto::line::{Lines, Precision, Rules};
use circlet::ring::{
    BackendPlan, CirclePlan, HashKey, Placement, Plan, Router, ShardKey, Target, TargetNo, Topology,
};
use circlet::wal::frame::Sealing;
use circlet::wal::{Frame, Kind, OpenFrame};
use std::rc::Rc;
use std::sync::Arc;

/// Lines of a body, bodies of a commit, commits of a round.
const LINES: usize = 1000;
const BODIES: usize = 2;
const COMMITS: usize = 10;

const RULES: Rules =
    Rules { precision: Precision::Nanoseconds, unsigned: false, nul_tag_key: false };

/// Two circles of so many backends.
fn router(backends: usize) -> Router {
    let circle = |circle: &str| CirclePlan {
        name: circle.to_owned(),
        backends: (0..backends)
            .map(|turn| format!("{circle}-{turn}"))
            .map(|name| BackendPlan { url: format!("http://{name}"), name })
            .collect(),
    };
    let plan = Plan {
        placement: Placement::InfluxProxy,
        hash_key: HashKey::Name,
        shard_key: ShardKey::parse("%db,%mm").expect("it is the default"),
        circles: vec![circle("one"), circle("two")],
    };
    Router::new(Arc::new(Topology::new(&plan)))
}

/// What a shard has.
struct Shard {
    router: Router,
    target: TargetNo,
    tag: Rc<[u8]>,
    queues: Vec<Queue>,
    acks: Acks,
    number: u64,
    open: Option<OpenFrame>,
    frames: Vec<Rc<Frame>>,
}

/// A line's head, its time, and what is needed to group it.
struct Checked<'a> {
    head: &'a [u8],
    time_ns: i64,
    set: circlet::ring::TargetSetNo,
}

impl Shard {
    fn new(backends: usize) -> Shard {
        let mut router = router(backends);
        let target =
            Target { org: "".into(), database: "telegraf".into(), retention_policy: "".into() };
        let all = 0..u16::try_from(2 * backends).expect("few backends");
        Shard {
            target: router.target(&target),
            tag: Rc::from(target.to_tag()),
            router,
            queues: all.map(|backend| Queue::new(BackendId(backend), None, 0)).collect(),
            acks: Acks::default(),
            number: 1,
            open: None,
            frames: Vec::new(),
        }
    }

    fn seal(&mut self) {
        let Some(open) = self.open.take() else { return };
        let place = Sealing {
            epoch: 1,
            number: self.number,
            stamp: Stamp(self.number),
            unix_ms: 0,
            synced: 0,
            note: 0,
        };
        self.number += 1;
        self.frames.push(Rc::new(open.seal(place)));
    }

    /// Gives the waiter of the request.
    fn take(&mut self, body: &[u8]) -> (Rc<circlet::ingest::acks::Waiter>, Vec<u64>) {
        let mut checked: Vec<Checked<'_>> = Vec::new();
        for line in Lines::new(body, RULES) {
            let line = line.unwrap_or_else(|error| panic!("{error}"));
            let set = batch::route(&mut self.router, self.target, &line);
            let time_ns = line.time.map_or(0, |time| time.0);
            checked.push(Checked { head: line.head, time_ns, set });
        }
        checked.sort_by_key(|line| line.set);
        let mut last_frames = vec![0; self.queues.len()];
        let mut pieces = Vec::new();
        for group in checked.chunk_by(|one, other| one.set == other.set) {
            let slots = self.router.set(group[0].set);
            let targets: smallvec::SmallVec<[BackendId; 4]> =
                slots.iter().map(|slot| BackendId(*slot)).collect();
            let len = group.iter().map(|line| line.head.len() + 21).sum();
            if self.open.as_ref().is_some_and(|open| open.room(&self.tag, &targets) < len) {
                self.seal();
            }
            let tag = &self.tag;
            let open = self
                .open
                .get_or_insert_with(|| OpenFrame::new(Kind::Lines, tag, &targets, 400_000));
            let points = u32::try_from(group.len()).expect("few lines");
            let start = open.payload_end();
            copy(open.push(tag, &targets, points, len), group);
            pieces.push((self.number, start..start + len));
            for target in targets {
                last_frames[target.index()] = self.number;
            }
        }
        let last_frames: Vec<_> =
            (0..).map(BackendId).zip(last_frames).filter(|(_, frame)| *frame > 0).collect();
        let waiter = self.acks.wait(&last_frames);
        for (frame, range) in &pieces {
            self.acks.place(*frame, range.clone(), &waiter);
        }
        (waiter, pieces.into_iter().map(|(frame, _)| frame).collect())
    }

    /// Gives the bytes of all batches.
    fn deliver(&mut self) -> usize {
        let mut bytes = 0;
        let frames = std::mem::take(&mut self.frames);
        let mut owed = Vec::new();
        for frame in &frames {
            for portion in frame.index().portions() {
                if self.queues[portion.backend.index()].note(frame) {
                    owed.push(portion.backend);
                }
            }
        }
        owed.sort_unstable();
        owed.dedup();
        for backend in owed {
            let queue = &mut self.queues[backend.index()];
            for frame in &frames {
                // A queue that was empty begins at the first frame that names it.
                if queue.next_load().is_some_and(|next| next <= frame.number()) {
                    queue.load(frame, |_, _| false);
                }
            }
            loop {
                let batch = queue.next_batch(&self.tag, |_| true);
                if batch.is_empty() {
                    break;
                }
                bytes += batch.iter().map(|part| part.payload().len()).sum::<usize>();
                queue.confirm(&self.tag);
            }
            self.acks.confirmed(backend, queue.cursor());
        }
        bytes
    }

    /// Gives the bytes that go to backends, and those on disk.
    fn round(&mut self, bodies: &[String]) -> (usize, usize) {
        let (mut sent, mut on_disk) = (0, 0);
        for commit in 0..COMMITS {
            let bodies = bodies.iter().cycle().skip(commit * BODIES).take(BODIES);
            let waiters: Vec<_> = bodies.map(|body| self.take(body.as_bytes())).collect();
            self.seal();
            on_disk += self.frames.iter().map(|frame| frame.bytes().len()).sum::<usize>();
            sent += self.deliver();
            for (waiter, frames) in waiters {
                assert!(waiter.missing().is_empty(), "every backend has confirmed");
                self.acks.forget(&waiter, &frames);
            }
        }
        (sent, on_disk)
    }
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

/// The number behind a word such as `backends=64`.
fn word(name: &str, otherwise: usize) -> usize {
    let value = std::env::args().find_map(|word| word.strip_prefix(name)?.parse().ok());
    value.unwrap_or(otherwise)
}

fn main() {
    let (backends, measurements) = (word("backends=", 64), word("measurements=", 1000));
    let mut shard = Shard::new(backends);
    let bodies: Vec<_> = (0..measurements.div_ceil(LINES).max(20))
        .map(|turn| many::body(turn, LINES, measurements, word("bytes=", 50)))
        .collect();
    let rounds = rounds::rounds();
    let (mut sent, mut on_disk) = (0, 0);
    for _ in 0..rounds {
        let (all, disk) = shard.round(&bodies);
        (sent, on_disk) = (sent + all, on_disk + disk);
    }
    println!(
        "{} lines a round, {sent} bytes to backends, {:.4} bytes on disk per byte of lines",
        LINES * BODIES * COMMITS,
        on_disk as f64 / (sent as f64 / 2.0)
    );
}
