//! What is sent to shards: orders of the control thread, and connections that other shards have accepted.

use crate::base::ids::ShardId;
use crate::config::{Config, reload};
use crate::ingest::start::{Plan, Told};
use crate::telemetry::Snapshot;
use atomic_waker::AtomicWaker;
use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

/// What a shard is told.
#[derive(Clone, Debug)]
pub enum Order {
    /// All logs of the node have been read: this is what they mean together.
    Begin(Arc<Plan>),
    /// All shards have begun: take connections, send.
    Serve,
    /// The configuration from here on, and the number of the reload that brings it.
    Follow(u64, Arc<Config>),
    /// Finish what is under way and end.
    End,
}

/// What a shard tells.
pub enum Event {
    Told(Vec<Told>),
    Begun,
    Serving,
    Latencies(Snapshot),
    /// Somebody wants the configuration to be read again, and waits for what comes of it.
    ReloadWanted(Post<reload::Outcome>),
    /// It follows the configuration that this reload has brought.
    Follows(u64),
    /// It has ended; whether every answer was finished and everything owed to living backends delivered.
    Ended {
        is_clean: bool,
    },
    Failed(String),
}

/// One event and who told it.
pub type Letter = (ShardId, Event);

/// Where something is sent to one shard. Clones bring to the same one. Lives on: whoever sends.
pub struct Post<T> {
    sender: Sender<T>,
    waker: Arc<AtomicWaker>,
}

/// The other end; its executor sleeps until the waker is called. Lives on: every shard.
pub struct Mailbox<T> {
    receiver: Receiver<T>,
    waker: Arc<AtomicWaker>,
}

pub fn mailbox<T>() -> (Post<T>, Mailbox<T>) {
    let (sender, receiver) = unbounded();
    let waker = Arc::new(AtomicWaker::new());
    (Post { sender, waker: waker.clone() }, Mailbox { receiver, waker })
}

impl<T> Clone for Post<T> {
    fn clone(&self) -> Post<T> {
        Post { sender: self.sender.clone(), waker: self.waker.clone() }
    }
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Mailbox<T> {
        Mailbox { receiver: self.receiver.clone(), waker: self.waker.clone() }
    }
}

impl<T> Post<T> {
    /// Whether it was sent: not to a shard that has ended.
    pub fn send(&self, item: T) -> bool {
        let is_sent = self.sender.send(item).is_ok();
        self.waker.wake();
        is_sent
    }
}

impl<T> Mailbox<T> {
    /// What comes next; `None` when everybody who could send has gone.
    pub async fn next(&self) -> Option<T> {
        poll_fn(|context| {
            self.waker.register(context.waker());
            match self.receiver.try_recv() {
                Ok(item) => Poll::Ready(Some(item)),
                Err(TryRecvError::Empty) => Poll::Pending,
                Err(TryRecvError::Disconnected) => Poll::Ready(None),
            }
        })
        .await
    }
}
