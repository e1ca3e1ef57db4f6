//! Executors, tasks and timers.

use super::preflight::Obstacle;
#[cfg(any(test, feature = "sim"))]
use super::sim_tasks;
use futures_lite::future;
use glommio::{Latency, LocalExecutorBuilder, Placement, Shares, TaskQueueHandle};
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;
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

/// Registered memory of an executor for short-lived direct reads, in bytes.
const IO_MEMORY_BYTES: usize = 2 * 1024 * 1024;

thread_local! {
    static LANES: Cell<Option<[TaskQueueHandle; 4]>> = const { Cell::new(None) };
}

/// Starts an executor on a core of its own and runs `main` there to its end.
pub fn launch<F>(
    cpu: usize,
    name: String,
    main: impl FnOnce() -> F + Send + 'static,
) -> Result<JoinHandle<()>, Obstacle>
where
    F: Future<Output = ()> + 'static,
{
    let (sender, receiver) = crate::rt::tasks::started();
    let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
        let executor = LocalExecutorBuilder::new(Placement::Fixed(cpu))
            .name(&name)
            .preempt_timer(PREEMPT)
            .io_memory(IO_MEMORY_BYTES)
            .make();
        match executor {
            Ok(executor) => {
                sender.tell(Ok(()));
                executor.run(async move {
                    make_lanes();
                    main().await;
                });
            }
            Err(error) => sender.tell(Err(error.to_string())),
        }
    });
    let thread = thread.map_err(|error| Obstacle::Executor(error.to_string()))?;
    receiver.wait().map_err(Obstacle::Executor)?;
    Ok(thread)
}

/// Tells the starter of an executor whether it came up.
struct Teller(std::sync::mpsc::SyncSender<Result<(), String>>);
struct Told(std::sync::mpsc::Receiver<Result<(), String>>);

fn started() -> (Teller, Told) {
    let (sender, receiver) = std::sync::mpsc::sync_channel(1);
    (Teller(sender), Told(receiver))
}

impl Teller {
    fn tell(&self, outcome: Result<(), String>) {
        // The starter waits for exactly one message; if it is gone the process is ending.
        drop(self.0.send(outcome));
    }
}

impl Told {
    fn wait(self) -> Result<(), String> {
        self.0.recv().unwrap_or_else(|_| Err("the executor ended while starting".to_owned()))
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
