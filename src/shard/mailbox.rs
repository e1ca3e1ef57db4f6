//! Messages between the control thread and the shards.

use crate::base::ids::ShardId;
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
    /// Finish what is under way and end.
    End,
}

/// What a shard tells.
pub enum Event {
    Told(Vec<Told>),
    Begun,
    Serving,
    Latencies(Snapshot),
    /// It has ended; whether every answer was finished and everything owed to living backends delivered.
    Ended {
        is_clean: bool,
    },
    Failed(String),
}

/// One event and who told it.
pub type Letter = (ShardId, Event);

/// One end of a mailbox. Lives on: the control thread.
pub struct Post {
    sender: Sender<Order>,
    waker: Arc<AtomicWaker>,
}

/// The other end; its executor sleeps until the waker is called. Lives on: every shard.
pub struct Mailbox {
    receiver: Receiver<Order>,
    waker: Arc<AtomicWaker>,
}

pub fn mailbox() -> (Post, Mailbox) {
    let (sender, receiver) = unbounded();
    let waker = Arc::new(AtomicWaker::new());
    (Post { sender, waker: waker.clone() }, Mailbox { receiver, waker })
}

impl Post {
    pub fn send(&self, order: Order) {
        // A shard that has ended needs no orders.
        self.sender.send(order).unwrap_or(());
        self.waker.wake();
    }
}

impl Mailbox {
    /// The next order. If the control thread is gone, the order is to end.
    pub async fn next(&self) -> Order {
        poll_fn(|context| {
            self.waker.register(context.waker());
            match self.receiver.try_recv() {
                Ok(order) => Poll::Ready(order),
                Err(TryRecvError::Empty) => Poll::Pending,
                Err(TryRecvError::Disconnected) => Poll::Ready(Order::End),
            }
        })
        .await
    }
}
