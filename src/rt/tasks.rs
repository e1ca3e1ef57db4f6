//! Executors, tasks and timers.

use super::nudge::Nudge;
use super::preflight::Obstacle;
#[cfg(any(test, feature = "sim"))]
use super::sim_tasks;
use futures_lite::future;
use glommio::{Latency, LocalExecutorBuilder, Placement, Shares, TaskQueueHandle};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

/// What a task is for; it decides the task's share of a busy core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// Commits of the log, control.
    Commit,
    /// Connections of clients.
    Serve,
    /// Sending to backends.
    Deliver,
    /// Zero-filling, checkpoints, probes.
    Background,
}

/// Below 5 ms the runtime can lose a wake-up, far above it notices I/O late on a busy core.
const PREEMPT: Duration = Duration::from_millis(5);

/// How long an executor may take to run its first task, and how many are tried.
const BEGIN_LIMIT: Duration = Duration::from_secs(2);
const ATTEMPTS: usize = 5;

#[expect(clippy::disallowed_types, reason = "one hand-over at start, before there are shards")]
type Slot<M> = std::sync::Mutex<Option<M>>;

/// Registered memory of an executor for short-lived direct reads, in bytes.
const IO_MEMORY_BYTES: usize = 2 * 1024 * 1024;

thread_local! {
    static LANES: Cell<Option<[TaskQueueHandle; 4]>> = const { Cell::new(None) };
}

/// Starts an executor on a core of its own and runs `main` there to its end.
///
/// An executor can fall asleep before its first task has run, and nothing can wake it then (see `nudge`).
/// So whoever comes up first takes `main`, and another one is started when nobody does.
pub fn launch<F>(
    cpu: usize,
    name: &str,
    main: impl FnOnce() -> F + Send + 'static,
) -> Result<(), Obstacle>
where
    F: Future<Output = ()> + 'static,
{
    launch_on(Some(cpu), name, main)
}

/// The same on no core of its own: for what is not a shard.
pub fn launch_anywhere<F>(
    name: &str,
    main: impl FnOnce() -> F + Send + 'static,
) -> Result<(), Obstacle>
where
    F: Future<Output = ()> + 'static,
{
    launch_on(None, name, main)
}

fn launch_on<F>(
    cpu: Option<usize>,
    name: &str,
    main: impl FnOnce() -> F + Send + 'static,
) -> Result<(), Obstacle>
where
    F: Future<Output = ()> + 'static,
{
    let slot = Arc::new(Slot::new(Some(main)));
    let (begun, told) = channel();
    for _ in 0..ATTEMPTS {
        let (slot, begun, name) = (slot.clone(), begun.clone(), name.to_owned());
        let thread = std::thread::Builder::new().name(name.clone());
        let spawned = thread.spawn(move || execute(cpu, &name, &slot, &begun));
        spawned.map_err(|error| Obstacle::Executor(error.to_string()))?;
        match told.recv_timeout(BEGIN_LIMIT) {
            Ok(outcome) => return outcome.map_err(Obstacle::Executor),
            Err(_) => tracing::warn!("an executor overslept its start; another one is started"),
        }
    }
    Err(Obstacle::Executor("no executor came up".to_owned()))
}

/// The life of one executor's thread.
fn execute<M, F>(cpu: Option<usize>, name: &str, slot: &Slot<M>, begun: &Sender<Result<(), String>>)
where
    M: FnOnce() -> F,
    F: Future<Output = ()> + 'static,
{
    let executor = LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
        .name(name)
        .preempt_timer(PREEMPT)
        .io_memory(IO_MEMORY_BYTES)
        .make();
    // The starter may have gone on with another executor.
    let tell = |outcome| begun.send(outcome).unwrap_or(());
    match executor {
        Ok(executor) => executor.run(async {
            let taken = slot.lock().unwrap_or_else(PoisonError::into_inner).take();
            let Some(main) = taken else { return };
            let nudge = Nudge::start();
            nudge.begin().await;
            tell(Ok(()));
            make_lanes();
            spawn(Lane::Commit, nudge.clone().wait());
            main().await;
            nudge.end();
        }),
        Err(error) => tell(Err(error.to_string())),
    }
}

fn make_lanes() {
    let executor = glommio::executor();
    let lane = |shares, name| {
        executor.create_task_queue(Shares::Static(shares), Latency::NotImportant, name)
    };
    let lanes =
        [lane(1000, "commit"), lane(600, "serve"), lane(300, "deliver"), lane(50, "background")];
    LANES.with(|slot| slot.set(Some(lanes)));
}

/// Starts a task that runs to its end. There is no handle: a task is stopped by telling it so.
pub fn spawn(lane: Lane, task: impl Future<Output = ()> + 'static) {
    #[cfg(any(test, feature = "sim"))]
    if let Some(tasks) = sim_tasks::current() {
        return tasks.spawn(task);
    }
    let queue = LANES.with(Cell::get).map(|lanes| match lane {
        Lane::Commit => lanes[0],
        Lane::Serve => lanes[1],
        Lane::Deliver => lanes[2],
        Lane::Background => lanes[3],
    });
    match queue {
        Some(queue) => {
            let task = glommio::spawn_local_into(task, queue).expect("the lanes live for ever");
            task.detach();
        }
        None => {
            glommio::spawn_local(task).detach();
        }
    }
}

pub async fn sleep(wait: Duration) {
    #[cfg(any(test, feature = "sim"))]
    if let Some(tasks) = sim_tasks::current() {
        return tasks.sleep(wait).await;
    }
    glommio::timer::sleep(wait).await;
}

/// Lets I/O pass during CPU work: call it between slices of at most 250 us. A yield would not do,
/// because the runtime looks at completions only when its run queue is empty.
pub async fn breathe() {
    sleep(Duration::from_micros(1)).await;
}

/// The outcome of `task`, or `None` if it takes longer than `limit`; then it is dropped. Not for file I/O.
pub async fn within<T>(limit: Duration, task: impl Future<Output = T>) -> Option<T> {
    future::or(async { Some(task.await) }, async {
        sleep(limit).await;
        None
    })
    .await
}

/// Runs `work` on a plain thread. A panic there becomes an error here.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    #[cfg(any(test, feature = "sim"))]
    if let Some(tasks) = sim_tasks::current() {
        tasks.dawdle(Duration::from_millis(1)).await;
        return Ok(work());
    }
    let caught = glommio::executor().spawn_blocking(move || catch_unwind(AssertUnwindSafe(work)));
    caught.await.map_err(|_| io::Error::other("the work on a plain thread panicked"))
}
