//! Wakes every executor twenty times a second, because the runtime can fall asleep with work to do.
//!
//! glommio 0.9 arms a preempt timer, then runs its queues. When the timer has already fired before the
//! first task ran (the thread was descheduled for that long: a busy machine is enough), it believes that
//! there was nothing to run, and sleeps until something happens from outside. With 5 ms that is rare, and
//! it was seen: a start that never ended while another program kept the cores busy. A timer of the same
//! executor does not help, since its task can be the one that was forgotten; a wake-up by another thread
//! does, since each one is a new chance.

use arc_swap::ArcSwapOption;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::task::{Poll, Waker};
use std::time::Duration;

/// The longest time that a forgotten task waits, apart from bad luck twice in a row.
const EVERY: Duration = Duration::from_millis(50);

static NUDGER: OnceLock<Sender<Arc<Nudge>>> = OnceLock::new();

/// One executor's. Shared: by the executor and the thread that nudges.
#[derive(Default)]
pub(super) struct Nudge {
    /// Kept, not taken by a wake-up: the task that it wakes may be forgotten, too.
    waker: ArcSwapOption<Waker>,
    has_ended: AtomicBool,
}

impl Nudge {
    /// Asks to be nudged from now on.
    pub(super) fn start() -> Arc<Nudge> {
        let nudge = Arc::new(Nudge::default());
        let nudger = NUDGER.get_or_init(|| {
            let (sender, receiver) = channel();
            let thread = std::thread::Builder::new().name("nudger".to_owned());
            thread.spawn(move || run(&receiver)).expect("a thread more can be started");
            sender
        });
        // The thread lives as long as the process.
        nudger.send(nudge.clone()).unwrap_or(());
        nudge
    }

    /// Wakes the calling task until another one waits to be woken.
    pub(super) async fn begin(&self) {
        poll_fn(|context| {
            self.waker.store(Some(Arc::new(context.waker().clone())));
            Poll::Ready(())
        })
        .await;
    }

    /// The task that is woken: it does nothing else.
    pub(super) async fn wait(self: Arc<Nudge>) {
        let mut is_first = true;
        poll_fn(|context| {
            if std::mem::take(&mut is_first) {
                self.waker.store(Some(Arc::new(context.waker().clone())));
            }
            if self.has_ended.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    pub(super) fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
        self.waker.store(None);
    }
}

fn run(receiver: &Receiver<Arc<Nudge>>) {
    let mut nudges: Vec<Arc<Nudge>> = Vec::new();
    loop {
        match receiver.recv_timeout(EVERY) {
            Ok(nudge) => nudges.push(nudge),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        nudges.retain(|nudge| !nudge.has_ended.load(Ordering::Relaxed));
        for waker in nudges.iter().filter_map(|nudge| nudge.waker.load_full()) {
            waker.wake_by_ref();
        }
    }
}
