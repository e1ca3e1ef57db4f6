//! Threads that drive the connections: one that waits for its only connection, or one for many.

use super::connection::Connection;
use super::lane::{Job, Lane, Ready};
use super::tally::{Counter, Live, Tally, Timeline};
use rustix::event::epoll;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

const EVENTS_MAX: usize = 256;
/// How often a thread with many connections looks for requests that wait too long.
const LOOK: Duration = Duration::from_millis(200);

/// Drives these connections until the plan is over for each.
pub fn run(
    job: Job<'_>,
    address: SocketAddr,
    all: &mut [Ready],
    timeline: &Timeline,
    live: &Live,
) -> io::Result<Tally> {
    let is_shared = all.len() > 1;
    let mut counter = Counter::new(timeline, live);
    let mut lanes: Vec<Lane<'_>> = all
        .iter_mut()
        .map(|ready| {
            let connection = Connection::new(address, job.plan.wait_max, is_shared);
            Lane::new(job, ready, connection)
        })
        .collect();
    match &mut lanes[..] {
        [lane] => alone(lane, &mut counter),
        lanes => Crowd::new(lanes, job.plan.wait_max)?.run(&mut counter)?,
    }
    Ok(counter.finish())
}

/// One connection: every call waits, which costs the fewest calls.
fn alone(lane: &mut Lane<'_>, counter: &mut Counter<'_>) {
    while let Some(start) = lane.next_start(counter) {
        thread::sleep(start.saturating_duration_since(Instant::now()));
        let outcome = lane.begin().and_then(|_| lane.advance());
        let outcome = outcome
            .and_then(|answer| answer.ok_or_else(|| io::Error::from(io::ErrorKind::TimedOut)));
        lane.end(outcome, counter);
    }
}

/// Many connections: events say which ones can go on.
struct Crowd<'a, 'b> {
    lanes: &'a mut [Lane<'b>],
    poll: std::os::fd::OwnedFd,
    /// When idle connections begin their next request.
    starts: BinaryHeap<Reverse<(Instant, usize)>>,
    /// Connections with a request under way.
    busy: Vec<bool>,
    busy_count: usize,
    wait_max: Duration,
    next_look: Instant,
}

impl<'a, 'b> Crowd<'a, 'b> {
    fn new(lanes: &'a mut [Lane<'b>], wait_max: Duration) -> io::Result<Self> {
        let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let busy = vec![false; lanes.len()];
        let next_look = Instant::now() + LOOK;
        Ok(Crowd {
            lanes,
            poll,
            starts: BinaryHeap::new(),
            busy,
            busy_count: 0,
            wait_max,
            next_look,
        })
    }

    fn run(mut self, counter: &mut Counter<'_>) -> io::Result<()> {
        (0..self.lanes.len()).for_each(|at| self.plan(at, counter));
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            self.start_due(counter)?;
            if self.starts.is_empty() && self.busy_count == 0 {
                return Ok(());
            }
            let now = Instant::now();
            let next = self.starts.peek().map_or(self.next_look, |Reverse((start, _))| *start);
            let wait = next.min(self.next_look).saturating_duration_since(now);
            let wait = rustix::time::Timespec::try_from(wait).map_err(io::Error::other)?;
            events.clear();
            match epoll::wait(&self.poll, rustix::buffer::spare_capacity(&mut events), Some(&wait))
            {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                self.go_on(event.data.u64() as usize, counter);
            }
            self.look(counter);
        }
    }

    /// Asks a connection when it wants to begin its next request.
    fn plan(&mut self, at: usize, counter: &mut Counter<'_>) {
        if let Some(start) = self.lanes[at].next_start(counter) {
            self.starts.push(Reverse((start, at)));
        }
    }

    fn start_due(&mut self, counter: &mut Counter<'_>) -> io::Result<()> {
        // Only those that are due now: a server that answers at once must not keep us from the events.
        let now = Instant::now();
        while let Some(Reverse((start, at))) = self.starts.peek().copied()
            && start <= now
        {
            self.starts.pop();
            self.busy[at] = true;
            self.busy_count += 1;
            let lane = &mut self.lanes[at];
            match lane.begin() {
                Ok(is_new) => {
                    if is_new && let Some(stream) = lane.connection.stream() {
                        let flags =
                            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
                        let data = epoll::EventData::new_u64(at as u64);
                        epoll::add(&self.poll, stream, data, flags)?;
                    }
                    self.go_on(at, counter);
                }
                Err(error) => self.end(at, Err(error), counter),
            }
        }
        Ok(())
    }

    fn go_on(&mut self, at: usize, counter: &mut Counter<'_>) {
        if !self.busy[at] {
            return;
        }
        match self.lanes[at].advance() {
            Ok(None) => {}
            Ok(Some(answer)) => self.end(at, Ok(answer), counter),
            Err(error) => self.end(at, Err(error), counter),
        }
    }

    fn end(
        &mut self,
        at: usize,
        outcome: io::Result<super::answer::Answer>,
        counter: &mut Counter<'_>,
    ) {
        self.busy[at] = false;
        self.busy_count -= 1;
        self.lanes[at].end(outcome, counter);
        self.plan(at, counter);
    }

    /// Gives up requests that have waited too long.
    fn look(&mut self, counter: &mut Counter<'_>) {
        let now = Instant::now();
        if now < self.next_look {
            return;
        }
        self.next_look = now + LOOK;
        for at in 0..self.lanes.len() {
            if self.busy[at] && now.saturating_duration_since(self.lanes[at].begun) > self.wait_max
            {
                self.lanes[at].connection.close();
                self.end(at, Err(io::ErrorKind::TimedOut.into()), counter);
            }
        }
    }
}
