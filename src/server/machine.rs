//! One connection as a state machine: bytes in, what to do next out. No I/O, no clock.
//!
//! The driver asks [`Machine::turn`] what is wanted, does it, and says so. Requests come one at a time and in
//! order; what has already arrived of the next one waits in the buffer.

use super::budget::Lease;
use super::content::Content;
use super::intake::{Fault, Intake, Limits, Progress};
use crate::base::limits::HEAD_BYTES_MAX;
use crate::proto::http::body::{Body, Framing};
use crate::proto::http::request::{self, Head};
use crate::proto::http::scan::Scan;

/// How much of an unwanted body is read away to keep a connection, in bytes.
const DRAIN_BYTES_MAX: usize = 256 * 1024;

/// How much a read may bring at once, in bytes.
const HEAD_READ_BYTES: usize = 4096;
const BODY_READ_BYTES: usize = 64 * 1024;

/// A request whose body is in.
#[derive(Debug)]
pub struct Request {
    pub head: Head,
    /// Inflated, without framing.
    pub body: Content,
    /// Of the body, as it was sent.
    pub wire_bytes: usize,
}

/// What a read is waited for; each has a time-out of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The next request, of which nothing is there.
    Idle,
    Head,
    Body,
}

/// What the driver has to do.
#[derive(Debug)]
pub enum Want {
    /// Read into [`Machine::space`], then say [`Machine::arrived`].
    Read(Wait),
    /// Look at [`Machine::head`], then say [`Machine::admit`] or answer and say [`Machine::answered`].
    Judge,
    /// Tell the client to send its body, then ask again.
    Continue,
    /// Let others work, then ask again.
    Breathe,
    /// Serve it, answer, and say [`Machine::answered`].
    Serve(Box<Request>),
    /// Answer that the head is no good, and say [`Machine::answered`].
    RefuseHead(request::Error),
    /// Answer that the body of [`Machine::head`] is no good, and say [`Machine::answered`].
    RefuseBody(Fault),
    Close,
}

#[derive(Debug)]
enum Phase {
    Head(Scan),
    Judging(Box<Head>),
    Body(Box<Head>, Box<Intake>),
    /// An answer is being made or written; afterwards this much is to be read away.
    Answering(After, Option<Box<Head>>),
    Draining(Body, usize),
    Closed,
}

/// What follows an answer.
#[derive(Debug)]
enum After {
    Close,
    Next,
    Drain(Body),
}

#[derive(Debug)]
pub struct Machine {
    phase: Phase,
    /// Bytes `start..end` have arrived and are not used up.
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// The last space was the body's own.
    is_direct: bool,
    peer_has_closed: bool,
    owes_continue: bool,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine {
            phase: Phase::Head(Scan::default()),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            is_direct: false,
            peer_has_closed: false,
            owes_continue: false,
        }
    }
}

impl Machine {
    pub fn turn(&mut self) -> Want {
        loop {
            let phase = std::mem::replace(&mut self.phase, Phase::Closed);
            let (phase, want) = match phase {
                Phase::Head(scan) => self.in_head(scan),
                Phase::Body(head, intake) => self.in_body(head, intake),
                Phase::Draining(body, left) => self.in_drain(body, left),
                Phase::Judging(head) => (Phase::Judging(head), Some(Want::Judge)),
                Phase::Answering(..) => unreachable!("the driver answers before it asks again"),
                Phase::Closed => (Phase::Closed, Some(Want::Close)),
            };
            self.phase = phase;
            if let Some(want) = want {
                return want;
            }
        }
    }

    /// Where the next bytes go. Never empty while a read is wanted.
    pub fn space(&mut self) -> &mut [u8] {
        self.is_direct = self.direct_room().is_some();
        if !self.is_direct {
            return self.buffer_space();
        }
        match &mut self.phase {
            Phase::Body(_, intake) => intake.room(),
            _ => unreachable!("only a body has room of its own"),
        }
    }

    /// How many bytes of the next space are sure to come, at least 1.
    pub fn awaited(&mut self) -> usize {
        self.direct_room().unwrap_or(1)
    }

    /// The room for reading a body straight to its place, in bytes.
    fn direct_room(&mut self) -> Option<usize> {
        let Phase::Body(_, intake) = &mut self.phase else { return None };
        let is_direct = self.start == self.end && intake.makes_room();
        is_direct.then(|| intake.room().len())
    }

    fn buffer_space(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = match self.phase {
            Phase::Body(..) | Phase::Draining(..) => BODY_READ_BYTES,
            _ if self.end < HEAD_READ_BYTES => HEAD_READ_BYTES,
            _ => HEAD_BYTES_MAX + HEAD_READ_BYTES,
        };
        let size = room.max(self.end + HEAD_READ_BYTES);
        if self.buffer.len() < size || (self.end == 0 && self.buffer.len() > room) {
            self.buffer.resize(size, 0);
            self.buffer.shrink_to_fit();
        }
        &mut self.buffer[self.end..]
    }

    /// So many bytes were read into the space; 0 says that the peer sends no more.
    pub fn arrived(&mut self, count: usize) {
        self.peer_has_closed |= count == 0;
        match &mut self.phase {
            Phase::Body(_, intake) if self.is_direct => return intake.wrote(count),
            _ => self.end += count,
        }
        assert!(self.end <= self.buffer.len(), "a read fills no more than its space");
    }

    /// The head that is judged, or whose request is served or refused, if it could be read.
    pub fn head(&self) -> Option<&Head> {
        match &self.phase {
            Phase::Judging(head) | Phase::Body(head, _) => Some(head),
            Phase::Answering(_, head) => head.as_deref(),
            _ => None,
        }
    }

    /// The request may send its body.
    pub fn admit(&mut self, limits: Limits, lease: Lease) -> Result<(), Fault> {
        let Phase::Judging(head) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            unreachable!("only a judged head is admitted")
        };
        match Intake::new(head.body, &head.encoding, limits, lease) {
            Ok(intake) => {
                // Whoever sends at once does not wait to be told.
                self.owes_continue = head.expect_continue && self.start == self.end;
                self.phase = Phase::Body(head, Box::new(intake));
                Ok(())
            }
            Err(fault) => {
                self.phase = Phase::Judging(head);
                Err(fault)
            }
        }
    }

    /// What the driver is about to answer will be followed by another request, as far as is known.
    /// Call it once before each answer; `may_keep` is false to close in any case.
    pub fn will_keep(&mut self, may_keep: bool) -> bool {
        let phase = std::mem::replace(&mut self.phase, Phase::Closed);
        let (after, head) = match phase {
            Phase::Judging(head) => (self.after_refusal(&head), Some(head)),
            Phase::Answering(after, head) => (after, head),
            _ => (After::Close, None),
        };
        let after = if may_keep { after } else { After::Close };
        let keeps = !matches!(after, After::Close);
        self.phase = Phase::Answering(after, head);
        keeps
    }

    /// The answer is on its way.
    pub fn answered(&mut self) {
        let Phase::Answering(after, _) = std::mem::replace(&mut self.phase, Phase::Closed) else {
            return;
        };
        self.phase = match after {
            After::Close => Phase::Closed,
            After::Next => Phase::Head(Scan::default()),
            After::Drain(body) => Phase::Draining(body, DRAIN_BYTES_MAX),
        };
    }

    /// Body bytes taken so far, as sent: to see who is too slow.
    pub fn body_bytes(&self) -> usize {
        match &self.phase {
            Phase::Body(_, intake) => intake.wire_bytes(),
            _ => 0,
        }
    }

    fn input(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    fn after_refusal(&self, head: &Head) -> After {
        // A client that waits for permission may send its body or not after a refusal: nobody knows.
        if !head.keep_alive || head.expect_continue {
            return After::Close;
        }
        match head.body {
            Framing::None => After::Next,
            Framing::Length(length) if length > DRAIN_BYTES_MAX as u64 => After::Close,
            framing => After::Drain(Body::new(framing)),
        }
    }

    fn in_head(&mut self, mut scan: Scan) -> (Phase, Option<Want>) {
        match scan.find(self.input()) {
            Ok(None) if self.peer_has_closed => (Phase::Closed, Some(Want::Close)),
            Ok(None) => {
                let is_idle = self.input().iter().all(|byte| matches!(byte, b'\r' | b'\n'));
                let wait = if is_idle { Wait::Idle } else { Wait::Head };
                (Phase::Head(scan), Some(Want::Read(wait)))
            }
            Ok(Some(length)) => match request::parse(&self.input()[..length]) {
                Ok(head) => {
                    self.start += length;
                    (Phase::Judging(Box::new(head)), Some(Want::Judge))
                }
                Err(error) => refuse_head(error),
            },
            Err(error) => refuse_head(error.into()),
        }
    }

    fn in_body(&mut self, head: Box<Head>, mut intake: Box<Intake>) -> (Phase, Option<Want>) {
        let (used, progress) = intake.advance(&self.buffer[self.start..self.end]);
        self.start += used;
        match progress {
            Ok(Progress::Hungry) if self.peer_has_closed => {
                refuse_body(After::Close, head, Intake::CUT_SHORT)
            }
            Ok(Progress::Hungry) => {
                let owes_continue = std::mem::take(&mut self.owes_continue);
                let want = if owes_continue { Want::Continue } else { Want::Read(Wait::Body) };
                (Phase::Body(head, intake), Some(want))
            }
            Ok(Progress::Busy) => (Phase::Body(head, intake), Some(Want::Breathe)),
            Ok(Progress::Done) => {
                let wire_bytes = intake.wire_bytes();
                let body = intake.into_content();
                let after = if head.keep_alive { After::Next } else { After::Close };
                let request = Request { head: *head, body, wire_bytes };
                (Phase::Answering(after, None), Some(Want::Serve(Box::new(request))))
            }
            Err(fault) => {
                let keeps = head.keep_alive && matches!(fault, Fault::Gzip(_));
                let after = if keeps { After::Drain(intake.into_framing()) } else { After::Close };
                refuse_body(after, head, fault)
            }
        }
    }

    fn in_drain(&mut self, mut body: Body, left: usize) -> (Phase, Option<Want>) {
        if body.is_done() {
            return (Phase::Head(Scan::default()), None);
        }
        if self.start == self.end && self.peer_has_closed {
            return (Phase::Closed, Some(Want::Close));
        }
        if self.start == self.end {
            return (Phase::Draining(body, left), Some(Want::Read(Wait::Body)));
        }
        match body.take(&self.buffer[self.start..self.end]) {
            Ok((taken, _)) if taken <= left => {
                self.start += taken;
                (Phase::Draining(body, left - taken), None)
            }
            Ok(_) | Err(_) => (Phase::Closed, Some(Want::Close)),
        }
    }
}

fn refuse_head(error: request::Error) -> (Phase, Option<Want>) {
    (Phase::Answering(After::Close, None), Some(Want::RefuseHead(error)))
}

fn refuse_body(after: After, head: Box<Head>, fault: Fault) -> (Phase, Option<Want>) {
    (Phase::Answering(after, Some(head)), Some(Want::RefuseBody(fault)))
}
