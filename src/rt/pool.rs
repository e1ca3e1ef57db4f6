//! Plain threads for work that may block: a few, made when they are needed.

use super::pipe::pipe;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, MutexGuard, PoisonError};

type Job = Box<dyn FnOnce() + Send>;

#[expect(clippy::disallowed_types, reason = "between plain threads; no shard waits for it long")]
type Lock<T> = std::sync::Mutex<T>;

/// Runs jobs, so many at a time; what is more waits in order. Dropping it lets the waiting jobs still run.
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    threads_max: usize,
    state: Lock<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    is_closed: bool,
}

impl Pool {
    pub fn new(name: &str, threads_max: usize) -> Pool {
        assert!(threads_max > 0, "a pool works");
        let (name, state) = (name.to_owned(), Lock::new(State::default()));
        Pool { shared: Arc::new(Shared { name, threads_max, state, wake: Condvar::new() }) }
    }

    /// Runs it as soon as a thread is free.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        state.jobs.push_back(Box::new(job));
        let is_short = state.idle < state.jobs.len() && state.threads < self.shared.threads_max;
        if is_short && self.start().is_ok() {
            state.threads += 1;
        }
        assert!(state.threads > 0, "the machine gives no thread");
        self.shared.wake.notify_one();
    }

    /// What the work gives; `None` if it panicked.
    pub async fn outcome<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (inlet, mut outlet) = pipe(1);
        self.run(move || inlet.send(work()).unwrap_or(()));
        outlet.next().await
    }

    fn start(&self) -> std::io::Result<()> {
        let shared = self.shared.clone();
        let thread = std::thread::Builder::new().name(self.shared.name.clone());
        thread.spawn(move || shared.work()).map(drop)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // Where a panic does not end the process, it ends this job and no thread.
                let job = std::panic::AssertUnwindSafe(job);
                std::panic::catch_unwind(|| { job }.0()).unwrap_or(());
                state = self.lock();
                continue;
            }
            if state.is_closed {
                return;
            }
            state.idle += 1;
            state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn as_many_jobs_as_there_are_threads_run_at_once_and_the_others_wait() {
        let pool = Pool::new("test", 3);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let together = Arc::new(Barrier::new(3));
        let (inlet, mut outlet) = pipe(16);
        let inlet = Arc::new(inlet);
        for _ in 0..9 {
            let (running, most, together) = (running.clone(), most.clone(), together.clone());
            let inlet = inlet.clone();
            pool.run(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                together.wait();
                running.fetch_sub(1, Ordering::SeqCst);
                inlet.send(()).unwrap();
            });
        }
        drop(inlet);
        block_on(async { while outlet.next().await.is_some() {} });
        assert_eq!(most.load(Ordering::SeqCst), 3);
    }

    #[test]
    fn the_outcome_of_work_comes_back_and_a_panic_takes_no_thread_away() {
        let pool = Pool::new("test", 1);
        block_on(async {
            assert_eq!(pool.outcome(|| 7).await, Some(7));
            let panics = || -> u8 { panic!("on purpose") };
            assert_eq!(pool.outcome(panics).await, None);
            assert_eq!(pool.outcome(|| 8).await, Some(8));
        });
    }
}
