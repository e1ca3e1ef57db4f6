//! One run: the threads do the work, this one watches processes and draws the progress.

use super::engine;
use super::lane::{Job, Ready};
use super::plan::Plan;
use super::process::Watch;
use super::progress::Progress;
use super::request::Maker;
use super::source::Source;
use super::tally::{Live, Second, Tally, Timeline};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(100);
/// Ticks between two looks at the processes.
const SAMPLE_TICKS: u32 = 5;
/// From the start of the threads to the first request, so that all are there.
const LEAD: Duration = Duration::from_millis(20);

/// What does not change from run to run.
#[derive(Debug)]
pub struct Bench<'a> {
    pub maker: Maker<'a>,
    pub source: Source,
    pub address: SocketAddr,
    pub connections: u64,
    pub threads: u64,
    /// The requests of all connections.
    pub ready: Vec<Ready>,
}

#[derive(Clone, Debug)]
pub struct Outcome {
    pub tally: Tally,
    pub seconds: Vec<Second>,
    /// From the start to the last answer.
    pub took: Duration,
}

impl Bench<'_> {
    /// Makes all requests, before any clock runs.
    pub fn prepare(&mut self) -> io::Result<()> {
        let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        let (maker, source, connections) = (&self.maker, &self.source, self.connections);
        let make = |connection| {
            let one = |at| maker.make(&mut source.lines(connection, at, maker.lines));
            let requests = (0..source.ready).map(one).collect::<io::Result<_>>()?;
            Ok(Ready { number: connection, requests })
        };
        let part = |core| (core..connections).step_by(cores as usize).map(make).collect();
        let parts: Vec<io::Result<Vec<Ready>>> = thread::scope(|scope| {
            let start = |core| scope.spawn(move || part(core));
            let threads: Vec<_> = (0..cores.min(connections)).map(start).collect();
            threads.into_iter().map(joined).collect()
        });
        self.ready =
            parts.into_iter().collect::<io::Result<Vec<_>>>()?.into_iter().flatten().collect();
        Ok(())
    }

    /// Drives all connections through the plan; `watches` see the whole of it.
    pub fn run(
        &mut self,
        plan: &mut Plan,
        watches: &mut [Watch],
        progress: &Progress,
    ) -> io::Result<Outcome> {
        let each = self.ready.len().div_ceil(self.threads as usize).max(1);
        let (maker, source, address) = (&self.maker, &self.source, self.address);
        let timeline = Timeline::default();
        let lives: Vec<Live> = self.ready.chunks(each).map(|_| Live::default()).collect();
        let left = AtomicUsize::new(lives.len());
        plan.started = Instant::now() + LEAD;
        let plan = &*plan;
        let tallies = thread::scope(|scope| {
            let start = |(ready, live)| {
                let (timeline, left) = (&timeline, &left);
                let job = Job { plan, maker, source };
                scope.spawn(move || {
                    let ended = Ended(left);
                    thread::sleep(plan.started.saturating_duration_since(Instant::now()));
                    let tally = engine::run(job, address, ready, timeline, live);
                    drop(ended);
                    tally
                })
            };
            let threads: Vec<_> = self.ready.chunks_mut(each).zip(&lives).map(start).collect();
            watch(&left, plan, watches, &lives, progress);
            threads.into_iter().map(joined).collect::<io::Result<Vec<_>>>()
        })?;
        let took = plan.started.elapsed();
        let mut tally = Tally::default();
        tallies.iter().for_each(|part| tally.add(part));
        Ok(Outcome { tally, seconds: timeline.seconds(), took })
    }
}

/// Says that a thread has ended, also when it panics.
struct Ended<'a>(&'a AtomicUsize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Release);
    }
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread has panicked")))
}

/// Looks at everything from time to time, until no thread is left.
fn watch(
    left: &AtomicUsize,
    plan: &Plan,
    watches: &mut [Watch],
    lives: &[Live],
    progress: &Progress,
) {
    for tick in 1.. {
        // In short steps, so that a short run does not last longer for being watched.
        let until = Instant::now() + TICK;
        while Instant::now() < until {
            if left.load(Ordering::Acquire) == 0 {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let since = plan.started.elapsed();
        if tick % SAMPLE_TICKS == 0 {
            watches.iter_mut().for_each(|watch| watch.sample(since));
        }
        progress.draw(since, lives);
    }
}
