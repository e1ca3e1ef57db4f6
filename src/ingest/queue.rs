//! A queue: what one log still owes one backend, oldest first. A state machine without I/O.
//!
//! Frames are loaded into a window in the order of the log. Inside it each database has a *lane*: one
//! request at a time, in order. A frame is confirmed when all its runs for the backend are; the cursor is
//! the first frame that is not. A statement is a barrier: it goes alone, and nothing is loaded behind it.

use crate::base::ids::BackendId;
use crate::base::time::Stamp;
use crate::wal::runs::is_same;
use crate::wal::{Frame, Kind, Run};
use std::collections::VecDeque;
use std::ops::Range;
use std::rc::Rc;

/// Bytes of a window; beyond them frames stay in the log.
pub const WINDOW_BYTES_MAX: usize =
    if cfg!(test) { 2 * crate::base::limits::PAGE } else { 4 * 1024 * 1024 };
const WINDOW_FRAMES_MAX: usize = 1024;

/// Lines in one request to a backend.
pub const BATCH_POINTS_MAX: u32 = 20_000;
pub const BATCH_BYTES_MAX: usize = 2 * 1024 * 1024;

/// A run of a frame, on its way. Lives on: the shard that owns the log.
#[derive(Clone, Debug)]
pub struct Part {
    pub frame: Rc<Frame>,
    pub run: usize,
}

impl Part {
    pub fn run(&self) -> Run<'_> {
        self.frame.runs.get(self.run)
    }

    pub fn payload(&self) -> &[u8] {
        self.frame.payload(&self.run())
    }

    pub fn number(&self) -> u64 {
        self.frame.number()
    }
}

#[derive(Debug)]
struct Entry {
    number: u64,
    stamp: Stamp,
    unix_ms: u64,
    bytes: usize,
    parts_left: usize,
    is_statement: bool,
}

/// The runs of one database. Lives on: the shard that owns the log.
#[derive(Debug)]
pub struct Lane {
    pub tag: Rc<[u8]>,
    waiting: VecDeque<Part>,
    sending: Vec<Part>,
    /// The backend refused larger ones as too large.
    pub bytes_max: usize,
}

impl Lane {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.sending.is_empty()
    }
}

/// What others may know of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    pub oldest: Stamp,
    pub oldest_statement: Stamp,
    /// `u64::MAX` if nothing is owed.
    pub unix_ms: u64,
    pub bytes: u64,
}

/// How much of a queue is to give way, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// At least so many bytes, if there are as many.
    pub bytes: u64,
    /// And everything that was received before.
    pub before_unix_ms: u64,
    /// But nothing newer than this.
    pub stamp_max: Stamp,
}

impl Line {
    fn takes(&self, entry: &Entry, bytes_before: u64) -> bool {
        let is_wanted = bytes_before < self.bytes || entry.unix_ms < self.before_unix_ms;
        is_wanted && entry.stamp <= self.stamp_max
    }
}

/// Lives on: the shard that owns the log, one for each backend and one for each parked database.
#[derive(Debug)]
pub struct Queue {
    pub backend: BackendId,
    /// A parked queue takes only runs of this tag.
    pub only: Option<Rc<[u8]>>,
    /// Every frame below this number is confirmed.
    cursor: u64,
    /// The next frame to load.
    scan: u64,
    /// One behind the last frame that is known to name the backend.
    owed_end: u64,
    window: VecDeque<Entry>,
    window_bytes: usize,
    lanes: Vec<Lane>,
    bytes: u64,
    /// No unconfirmed frame is older than this, while none is loaded.
    bound: (Stamp, u64),
    /// Statements that are owed: frame and stamp.
    statements: VecDeque<(u64, Stamp)>,
}

impl Queue {
    /// A queue whose frames below `cursor` are confirmed and that owes nothing yet.
    pub fn new(backend: BackendId, only: Option<Rc<[u8]>>, cursor: u64) -> Queue {
        Queue {
            backend,
            only,
            cursor,
            scan: cursor,
            owed_end: cursor,
            window: VecDeque::new(),
            window_bytes: 0,
            lanes: Vec::new(),
            bytes: 0,
            bound: (Stamp::NONE, u64::MAX),
            statements: VecDeque::new(),
        }
    }

    /// Notes what was found on disk at start: frames up to `end`, none older than `oldest`.
    pub fn found(&mut self, end: u64, oldest: Stamp, unix_ms: u64, bytes: u64) {
        assert!(self.window.is_empty() && self.owed_end == self.cursor, "only at start");
        if end > self.cursor {
            self.owed_end = end;
            self.bound = (oldest, unix_ms);
            self.bytes = bytes;
        }
    }

    pub fn found_statement(&mut self, number: u64, stamp: Stamp) {
        self.statements.push_back((number, stamp));
    }

    /// Notes a frame that was just made durable, or that a queue leads here. Returns whether it is owed.
    pub fn note(&mut self, frame: &Frame) -> bool {
        let number = frame.number();
        if number < self.owed_end {
            return false;
        }
        let bytes = self.bytes_in(frame);
        if bytes == 0 {
            return false;
        }
        if self.is_empty() {
            // What lies between was confirmed, maybe by another queue: it must not be sent again behind
            // newer lines.
            (self.cursor, self.scan) = (number, number);
            self.bound = (frame.stamp(), frame.header.unix_ms);
        }
        self.owed_end = number + 1;
        self.bytes += bytes;
        if frame.kind == Kind::Statement {
            self.statements.push_back((number, frame.stamp()));
        }
        true
    }

    /// Bytes that a frame holds for this queue.
    fn bytes_in(&self, frame: &Frame) -> u64 {
        let Some(only) = &self.only else {
            return frame.index().portion(self.backend).map_or(0, |portion| portion.bytes.into());
        };
        let runs = frame.index().runs_of(self.backend).iter();
        let runs = runs.map(|at| frame.runs.get(*at as usize));
        runs.filter(|run| is_same(only, run.tag)).map(|run| run.payload.len() as u64).sum()
    }

    pub fn is_empty(&self) -> bool {
        self.window.is_empty() && self.scan >= self.owed_end
    }

    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The oldest frame that it may still read; above every number if it owes nothing.
    pub fn owed_from(&self) -> u64 {
        if self.is_empty() { u64::MAX } else { self.cursor }
    }

    /// Memory that frames on their way take, but for what the hot window has anyway.
    pub fn window_bytes(&self) -> usize {
        self.window_bytes
    }

    /// The next frame to load, if there is one and room for it.
    pub fn next_load(&self) -> Option<u64> {
        let has_statement = self.window.back().is_some_and(|entry| entry.is_statement);
        let has_room =
            self.window_bytes < WINDOW_BYTES_MAX && self.window.len() < WINDOW_FRAMES_MAX;
        (self.scan < self.owed_end && has_room && !has_statement).then_some(self.scan)
    }

    /// Takes the next frame of the log. `divert` says of each run whether it goes elsewhere, and is told
    /// whether older runs of that database are still here.
    pub fn load(&mut self, frame: &Rc<Frame>, mut divert: impl FnMut(&Run<'_>, bool) -> bool) {
        assert!(frame.number() >= self.scan, "frames are loaded in order");
        self.scan = frame.number() + 1;
        let mut parts_left = 0;
        let mut bytes = 0;
        // Runs of one database stand side by side: its lane is looked for once.
        let mut lane: Option<(usize, bool)> = None;
        let mut lanes_tag = None;
        for at in frame.index().runs_of(self.backend) {
            let at = *at as usize;
            let facts = frame.runs.get(at);
            if self.only.as_ref().is_some_and(|only| !is_same(only, facts.tag)) {
                continue;
            }
            let tag = frame.runs.tag_number(at);
            if lanes_tag != Some(tag) {
                (lane, lanes_tag) = (self.find_lane(facts.tag), Some(tag));
            }
            if divert(&facts, lane.is_some_and(|(_, is_busy)| is_busy)) {
                self.bytes = self.bytes.saturating_sub(facts.payload.len() as u64);
                continue;
            }
            parts_left += 1;
            bytes += facts.payload.len();
            let number = lane.map_or_else(|| self.new_lane(facts.tag), |(number, _)| number);
            lane = Some((number, true));
            self.lanes[number].waiting.push_back(Part { frame: frame.clone(), run: at });
        }
        if parts_left == 0 {
            self.forget_statement(frame.number());
            self.advance();
            return;
        }
        self.window_bytes += bytes;
        self.window.push_back(Entry {
            number: frame.number(),
            stamp: frame.stamp(),
            unix_ms: frame.header.unix_ms,
            bytes,
            parts_left,
            is_statement: frame.kind == Kind::Statement,
        });
    }

    /// Goes past frames that cannot be read.
    pub fn skip(&mut self, numbers: &Range<u64>) {
        self.scan = self.scan.max(numbers.end);
        for number in numbers.clone() {
            self.forget_statement(number);
        }
        self.advance();
    }

    /// The lane of a tag, and whether anything is in it.
    fn find_lane(&self, tag: &Rc<[u8]>) -> Option<(usize, bool)> {
        let at = self.lanes.iter().position(|lane| is_same(&lane.tag, tag))?;
        Some((at, !self.lanes[at].is_idle()))
    }

    fn new_lane(&mut self, tag: &Rc<[u8]>) -> usize {
        // A lane without work is taken over, so that their number is that of the active databases.
        let lane = Lane {
            tag: tag.clone(),
            waiting: VecDeque::new(),
            sending: Vec::new(),
            bytes_max: BATCH_BYTES_MAX,
        };
        match self.lanes.iter().position(Lane::is_idle) {
            Some(at) => {
                self.lanes[at] = lane;
                at
            }
            None => {
                self.lanes.push(lane);
                self.lanes.len() - 1
            }
        }
    }

    /// The statement that is to be sent next, if it is its turn and `may_go` agrees to its stamp.
    pub fn next_statement(&mut self, may_go: impl Fn(Stamp) -> bool) -> Option<Part> {
        let front = self.window.front().filter(|front| front.is_statement)?;
        if !may_go(front.stamp) {
            return None;
        }
        let number = front.number;
        let lane = self.lanes.iter_mut().find(|lane| {
            lane.sending.is_empty()
                && lane.waiting.front().is_some_and(|part| part.number() == number)
        })?;
        let part = lane.waiting.pop_front().expect("just seen");
        lane.sending.push(part.clone());
        Some(part)
    }

    /// The tags of the lanes that could send now.
    pub fn ready_lanes(&self) -> impl Iterator<Item = Rc<[u8]>> + '_ {
        let ready = |lane: &&Lane| {
            lane.sending.is_empty()
                && lane.waiting.front().is_some_and(|part| part.frame.kind == Kind::Lines)
        };
        self.lanes.iter().filter(ready).map(|lane| lane.tag.clone())
    }

    /// The next request of a lane: frames that `may_go` agrees to.
    pub fn next_batch(&mut self, tag: &[u8], may_go: impl Fn(&Frame) -> bool) -> Vec<Part> {
        let Some(lane) = self.lanes.iter_mut().find(|lane| *lane.tag == *tag) else {
            return Vec::new();
        };
        if !lane.sending.is_empty() {
            return Vec::new();
        }
        let (mut bytes, mut points) = (0, 0);
        while let Some(part) = lane.waiting.front() {
            let run = part.run();
            let fits = lane.sending.is_empty()
                || (bytes + run.payload.len() <= lane.bytes_max
                    && points + run.points <= BATCH_POINTS_MAX);
            if !fits || part.frame.kind == Kind::Statement || !may_go(&part.frame) {
                break;
            }
            bytes += run.payload.len();
            points += run.points;
            lane.sending.push(lane.waiting.pop_front().expect("just seen"));
        }
        lane.sending.clone()
    }

    /// The request of a lane did not succeed: its runs wait again, in front.
    pub fn put_back(&mut self, tag: &[u8]) {
        let lane = self.lanes.iter_mut().find(|lane| *lane.tag == *tag);
        let lane = lane.expect("a lane that sends is kept");
        for part in lane.sending.drain(..).rev() {
            lane.waiting.push_front(part);
        }
    }

    /// The request of a lane is confirmed. Returns its lines.
    pub fn confirm(&mut self, tag: &[u8]) -> u64 {
        let lane = self.lanes.iter_mut().find(|lane| *lane.tag == *tag);
        let parts = std::mem::take(&mut lane.expect("a lane that sends is kept").sending);
        let lines = parts.iter().map(|part| u64::from(part.run().points)).sum();
        self.settle(&parts);
        lines
    }

    /// Takes everything that a lane holds out of this queue, but what `stays`: it goes on in a parked one.
    pub fn take_lane(&mut self, tag: &[u8], stays: impl Fn(&Part) -> bool) -> Vec<Part> {
        self.put_back(tag);
        let lane = self.lanes.iter_mut().find(|lane| *lane.tag == *tag);
        let waiting = &mut lane.expect("just put back").waiting;
        let (staying, taken) = waiting.drain(..).partition(stays);
        *waiting = staying;
        Vec::from(taken)
    }

    /// Takes the loaded runs that are older than a stamp: they are to be settled without being sent.
    pub fn take_below(&mut self, stamp: Stamp) -> Vec<Part> {
        let mut taken = Vec::new();
        for lane in &mut self.lanes {
            let is_older = |part: &mut Part| part.frame.stamp() < stamp;
            while let Some(part) = lane.waiting.pop_front_if(is_older) {
                taken.push(part);
            }
        }
        taken
    }

    /// Counts runs as confirmed.
    pub fn settle(&mut self, parts: &[Part]) {
        for together in parts.chunk_by(|one, other| one.number() == other.number()) {
            let number = together[0].number();
            let at = self.window.binary_search_by_key(&number, |entry| entry.number);
            let entry = &mut self.window[at.expect("a part that was loaded is in the window")];
            assert!(entry.parts_left >= together.len(), "a run is confirmed once");
            entry.parts_left -= together.len();
            let bytes = together.iter().map(|part| part.run().payload.len() as u64).sum();
            self.bytes = self.bytes.saturating_sub(bytes);
        }
        self.advance();
    }

    /// The oldest run that is not under way, if `line` says that it has to go.
    pub fn oldest_waiting(&self, line: &Line) -> Option<&Part> {
        let fronts = || self.lanes.iter().filter_map(|lane| lane.waiting.front());
        let entries = self.window.iter().take_while(|entry| line.takes(entry, 0));
        entries.filter_map(|entry| fronts().find(|part| part.number() == entry.number)).next()
    }

    /// Gives up whole frames, the oldest first, as far as `line` says: they count as confirmed. What is
    /// under way stays. A statement goes alone.
    pub fn give_up(&mut self, line: &Line) -> Vec<Part> {
        let mut given = Vec::new();
        let mut bytes = 0;
        for entry in &self.window {
            if !line.takes(entry, bytes) || entry.is_statement && !given.is_empty() {
                break;
            }
            for lane in &mut self.lanes {
                while lane.waiting.front().is_some_and(|part| part.number() == entry.number) {
                    let part = lane.waiting.pop_front().expect("just seen");
                    bytes += part.run().payload.len() as u64;
                    given.push(part);
                }
            }
        }
        self.settle(&given);
        given
    }

    fn advance(&mut self) {
        while let Some(front) = self.window.front().filter(|front| front.parts_left == 0) {
            self.window_bytes -= front.bytes;
            self.bound = (front.stamp.next(), front.unix_ms);
            let number = front.number;
            self.window.pop_front();
            self.forget_statement(number);
        }
        self.cursor = self.window.front().map_or(self.scan, |front| front.number);
        if self.is_empty() {
            self.bound = (Stamp::NONE, u64::MAX);
            self.bytes = 0;
        }
    }

    fn forget_statement(&mut self, number: u64) {
        self.statements.retain(|(known, _)| *known != number);
    }

    /// Moves an empty queue over frames that do not name its backend.
    pub fn catch_up(&mut self, end: u64) {
        if self.is_empty() && end > self.scan {
            (self.scan, self.cursor) = (end, end);
            self.owed_end = self.owed_end.max(end);
        }
    }

    /// What the board shows of it.
    pub fn owed(&self) -> Owed {
        let (oldest, unix_ms) = match self.window.front() {
            Some(front) => (front.stamp, front.unix_ms),
            None if self.scan < self.owed_end => self.bound,
            None => (Stamp::NONE, u64::MAX),
        };
        let statement = self.statements.front().map_or(Stamp::NONE, |(_, stamp)| *stamp);
        Owed { oldest, oldest_statement: statement, unix_ms, bytes: self.bytes }
    }

    /// The largest request of this lane from now on.
    pub fn limit_lane(&mut self, tag: &[u8], bytes_max: usize) {
        if let Some(lane) = self.lanes.iter_mut().find(|lane| *lane.tag == *tag) {
            lane.bytes_max = bytes_max.max(1);
        }
    }
}
