//! A log on a simulated disk, driven by a script, and a model of what it may and must find again.
//!
//! Every piece that is appended says its turn and is made from it, so that whatever is read back proves
//! by itself where it came from.

use crate::base::ids::{BackendId, LogId};
use crate::base::limits::PAGE;
use crate::rt::sim::SimDisk;
use crate::rt::{Clock, Disk};
use crate::wal::{
    Checkpoint, CheckpointFile, Committed, Error, Found, Frame, Item, Kind, Log, Opened, Place,
    QueueMark, Run, Settings, Writer, open,
};
use futures_lite::future::{block_on, poll_once};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;

pub const DIRECTORY: &str = "/data/wal/log-003";
pub const QUARANTINE: &str = "/data/wal/quarantine";
pub const NODE: [u8; 16] = [7; 16];

pub fn settings(disk: &SimDisk, sync_each_commit: bool) -> Settings {
    Settings {
        log: LogId(3),
        directory: PathBuf::from(DIRECTORY),
        quarantine: PathBuf::from(QUARANTINE),
        node: NODE,
        segment_bytes: 12 * PAGE as u64,
        hot_bytes_max: 4 * PAGE,
        sync_each_commit,
        disk: Disk::Sim(disk.clone()),
        clock: Clock::Sim(Rc::new(Cell::new(1000))),
    }
}

pub fn start(disk: &SimDisk) -> Opened {
    block_on(open(settings(disk, true))).unwrap()
}

pub fn segment_path(number: u64) -> PathBuf {
    Path::new(DIRECTORY).join(crate::wal::segment::file_name(number))
}

/// The bytes of turn `turn`: its number, its length, then bytes made from both.
pub fn piece(turn: u64, len: usize) -> Vec<u8> {
    assert!(len >= 16);
    let mut bytes = turn.to_le_bytes().to_vec();
    bytes.extend_from_slice(&(len as u64).to_le_bytes());
    let mut state = turn.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

pub fn tag_of(turn: u64) -> Rc<[u8]> {
    Rc::from(&b"database-name"[..9 + (turn / 3 % 4) as usize])
}

pub fn targets_of(turn: u64) -> Vec<BackendId> {
    (0..=(turn / 2 % 2) as u16).map(|circle| BackendId(circle * 4 + (turn % 3) as u16)).collect()
}

/// The turns in a run, if every byte of it is what those turns wrote.
pub fn turns_of(frame: &Frame, run: &Run) -> Vec<u64> {
    let mut bytes = frame.payload(run);
    let mut turns = Vec::new();
    while !bytes.is_empty() {
        let turn = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        let len = usize::try_from(u64::from_le_bytes(bytes[8..16].try_into().unwrap())).unwrap();
        assert!(bytes[..len] == piece(turn, len)[..], "turn {turn} came back with other bytes");
        assert_eq!(**run.tag, *tag_of(turn), "turn {turn} came back with another tag");
        assert_eq!(run.targets, targets_of(turn), "turn {turn} for other backends");
        bytes = &bytes[len..];
        turns.push(turn);
    }
    turns
}

/// What a whole log reads back as.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// Frame number, stamp and turns, in order.
    pub frames: Vec<(u64, u64, Vec<u64>)>,
    pub damaged: Vec<std::ops::Range<u64>>,
}

impl Contents {
    pub fn of(log: &Log) -> Contents {
        Contents::try_of(log).unwrap()
    }

    /// The error of the disk, if it does not let the log be read.
    pub fn try_of(log: &Log) -> Result<Contents, Error> {
        let mut contents = Contents::default();
        let mut at = 1;
        for bytes in [1, 3 * PAGE, 16 * PAGE].iter().cycle() {
            let items = block_on(log.read(at, *bytes))?;
            if items.is_empty() {
                break;
            }
            for item in items {
                let next = match item {
                    Item::Frame(frame) => contents.take(&frame),
                    Item::Damaged(numbers) => {
                        contents.damaged.push(numbers.clone());
                        numbers.end
                    }
                };
                assert!(next > at, "reading goes forward");
                at = next;
            }
        }
        let stamps = contents.frames.iter().map(|(_, stamp, _)| *stamp).collect::<Vec<_>>();
        assert!(stamps.is_sorted_by(|a, b| a < b), "I2: stamps rise: {stamps:?}");
        let turns = contents.turns();
        assert!(turns.is_sorted_by(|a, b| a < b), "I2: turns are in the order appended: {turns:?}");
        Ok(contents)
    }

    fn take(&mut self, frame: &Frame) -> u64 {
        let turns = frame.runs.iter().flat_map(|run| turns_of(frame, &run)).collect();
        self.frames.push((frame.number(), frame.stamp().0, turns));
        frame.number() + 1
    }

    pub fn turns(&self) -> Vec<u64> {
        self.frames.iter().flat_map(|(_, _, turns)| turns.clone()).collect()
    }
}

/// What happened, as far as somebody outside could know.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub turns: u64,
    /// Acknowledged turns and their frame.
    pub acknowledged: BTreeMap<u64, u64>,
    /// Of those, the ones that were acknowledged before the last sync that worked.
    pub synced: BTreeMap<u64, u64>,
    /// Frames below this one may have been freed.
    pub freed_below: u64,
    /// Of frames below this one only what `is_kept` names must still be there.
    pub packed_below: u64,
    /// The last mark that was written for certain, and the last that was tried.
    pub marked: u64,
    pub marking: u64,
    /// Every mark that was tried.
    pub marks: Vec<u64>,
    /// The first frame of the last commit that was acknowledged.
    pub last_commit: u64,
    pub refusals: u64,
}

/// Turns of an earlier life of the files are above this.
pub const STALE_TURNS: u64 = 1_000_000;

/// A disk whose files were used before, by a log that was given up: each segment that the same script makes
/// now stands on frames of the same numbers at the same places, but of another life.
pub fn stale_disk(seed: u64, commits: usize) -> SimDisk {
    let before = SimDisk::default();
    let model = Model { turns: STALE_TURNS, ..Model::default() };
    let mut world = World::open(&before, true, model).unwrap();
    world.play(&script(seed, commits).into_iter().filter(Step::keeps).collect::<Vec<_>>());
    let disk = SimDisk::default();
    for segment in world.log.segments() {
        // The last name is used first.
        let name = crate::wal::segment::free_name(1000 - segment.number());
        let bytes = before.bytes(&segment.path).unwrap();
        disk.put(&Path::new(DIRECTORY).join(name), bytes);
    }
    disk
}

impl Model {
    /// Whether this turn of frame `number` must still be there.
    pub fn is_due(&self, turn: u64, number: u64) -> bool {
        number >= self.freed_below && (number >= self.packed_below || is_kept(turn))
    }
}

/// One step of a script.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Append(usize),
    Statement(usize),
    Commit,
    Sync,
    Mark,
    Free,
    Spare,
    Pack,
}

impl Step {
    /// Whether it leaves all segments where they are.
    fn keeps(&self) -> bool {
        !matches!(self, Step::Free)
    }
}

/// A running log.
pub struct World {
    pub disk: SimDisk,
    pub log: Log,
    pub writer: Writer,
    pub cursors: CheckpointFile,
    pub clock: Clock,
    pub model: Model,
    pub found: Found,
    /// The cursor that the start found, or 0.
    pub mark: u64,
    waiting: Vec<(u64, Place)>,
}

impl World {
    /// `Err` if the disk does not let it start.
    pub fn open(disk: &SimDisk, sync_each_commit: bool, model: Model) -> Result<World, Error> {
        let settings = settings(disk, sync_each_commit);
        let clock = settings.clock.clone();
        let Opened { log, checkpoint_file: cursors, found, checkpoint } = block_on(open(settings))?;
        let mark = checkpoint.map_or(0, |saved| saved.marks[0].cursor);
        log.continue_stamps(found.highest_stamp, crate::base::time::Mono(0));
        let writer = log.writer();
        let waiting = Vec::new();
        let disk = disk.clone();
        Ok(World { disk, log, writer, cursors, clock, model, found, mark, waiting })
    }

    /// Plays the script until its end or a power cut.
    pub fn play(&mut self, script: &[Step]) {
        for step in script {
            self.step(*step);
            if self.disk.stopped() {
                return;
            }
            if self.log.has_failed() {
                // The reason of the failure may be gone or not.
                let worked = block_on(self.writer.try_again()).is_ok();
                assert_eq!(worked, !self.log.has_failed());
            }
        }
    }

    pub fn step(&mut self, step: Step) {
        if let Clock::Sim(now) = &self.clock {
            now.set(now.get() + 10);
        }
        match step {
            Step::Append(len) => self.append(len),
            Step::Statement(len) => self.statement(len),
            Step::Commit => drop(self.commit()),
            Step::Sync => {
                if block_on(self.writer.sync()).is_ok() {
                    self.model.synced = self.model.acknowledged.clone();
                }
            }
            Step::Mark => self.mark(),
            Step::Free => self.free(),
            Step::Spare => drop(block_on(self.log.prepare_spare())),
            Step::Pack => self.pack(),
        }
    }

    pub fn append(&mut self, len: usize) {
        self.model.turns += 1;
        let turn = self.model.turns;
        let fill = |place: &mut [u8]| place.copy_from_slice(&piece(turn, len));
        let placed = self.log.append(&tag_of(turn), &targets_of(turn), 1, len, fill);
        self.waiting.extend(placed.ok().map(|place| (turn, place)));
    }

    pub fn statement(&mut self, len: usize) {
        self.model.turns += 1;
        let turn = self.model.turns;
        let text = piece(turn, len);
        let placed = self.log.append_statement(&tag_of(turn), &targets_of(turn), &text);
        self.waiting.extend(placed.ok().map(|place| (turn, place)));
    }

    pub fn commit(&mut self) -> Committed {
        let committed = block_on(self.writer.commit());
        assert!(!self.disk.stopped() || committed.frames.is_empty() || self.log.has_failed());
        for frame in &committed.frames {
            let turns = frame.runs.iter().flat_map(|run| turns_of(frame, &run)).count();
            assert!(frame.kind == Kind::Lines || turns == 1, "a statement is alone");
        }
        self.writer.release(&committed.frames);
        if let Some(first) = committed.frames.first() {
            self.model.last_commit = first.number();
        }
        let waiting = std::mem::take(&mut self.waiting);
        for (turn, place) in waiting {
            match block_on(poll_once(pin!(self.log.durable(place)))) {
                Some(Ok(())) => drop(self.model.acknowledged.insert(turn, place.number)),
                Some(Err(_)) => self.model.refusals += 1,
                None => panic!("turn {turn} waits after its commit"),
            }
        }
        if self.writer_syncs() {
            self.model.synced = self.model.acknowledged.clone();
        }
        committed
    }

    fn writer_syncs(&self) -> bool {
        self.log.0.settings.sync_each_commit
    }

    /// Packs the oldest closed segments.
    fn pack(&mut self) {
        let segments = self.log.segments();
        let Some((_, closed)) = segments.split_last() else { return };
        let Some(last) = closed.iter().take(3).next_back() else { return };
        self.model.packed_below = self.model.packed_below.max(last.end_frame.get());
        let first = segments[0].number();
        let keeps = |_: &Frame, run: &Run| run.targets.contains(&BackendId(0));
        drop(block_on(self.log.pack(first, 3, Vec::new(), keeps)));
        self.log.forget_indexes();
    }

    fn mark(&mut self) {
        let cursor = self.log.end();
        self.model.marking = cursor;
        self.model.marks.push(cursor);
        if block_on(self.cursors.write(&checkpoint(cursor))).is_ok() {
            self.model.marked = cursor;
        }
    }

    /// Frees what is confirmed for certain, but for the last few frames.
    fn free(&mut self) {
        let below = self.model.marked.saturating_sub(3);
        self.model.freed_below = self.model.freed_below.max(below);
        drop(block_on(self.log.free(|segment| segment.end_frame.get() <= below)));
    }
}

/// Whether somebody needs this turn when its segment is packed.
pub fn is_kept(turn: u64) -> bool {
    targets_of(turn).contains(&BackendId(0))
}

pub fn checkpoint(cursor: u64) -> Checkpoint {
    let mark = QueueMark {
        backend: BackendId(1),
        tag: Rc::from(&b""[..]),
        cursor,
        oldest: crate::base::time::Stamp::NONE,
        oldest_statement: crate::base::time::Stamp::NONE,
        bytes: 0,
    };
    Checkpoint { marks: vec![mark], ..Checkpoint::default() }
}

/// A small generator of numbers, for choices that can be repeated from a seed.
pub struct Choices(pub u64);

impl Choices {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// A script of commits with several sizes, kinds and frames, marks, frees and spares; odd ones pack old segments.
pub fn script(seed: u64, commits: usize) -> Vec<Step> {
    let mut choices = Choices(seed);
    let mut steps = Vec::new();
    for turn in 0..commits {
        match choices.below(8) {
            0 => steps.push(Step::Statement(40)),
            1 => {
                let many = 2 + choices.below(3);
                steps.extend((0..many).map(|_| Step::Append(3000 + 500 * many as usize)));
            }
            2 => steps.extend([Step::Append(20), Step::Statement(16), Step::Append(700)]),
            3 => steps.push(Step::Append(6 * PAGE)),
            _ => {
                let many = 1 + choices.below(3);
                steps.extend((0..many).map(|at| Step::Append(16 + 100 * at as usize)));
            }
        }
        steps.push(Step::Commit);
        match turn % 6 {
            1 => steps.push(Step::Spare),
            2 => steps.push(Step::Mark),
            4 => steps.extend([Step::Mark, Step::Free]),
            3 if seed % 2 == 1 => steps.push(Step::Pack),
            5 => steps.push(Step::Sync),
            _ => {}
        }
    }
    steps
}
