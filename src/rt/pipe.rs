//! A bounded way from plain threads to a task of an executor.
//!
//! Whoever sends waits while the pipe is full; whoever receives never blocks its executor.

use atomic_waker::AtomicWaker;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::task::Poll;

/// The end on a plain thread.
pub struct Inlet<T> {
    /// Taken when it is dropped, so that the other end is woken when it is gone.
    sender: Option<SyncSender<T>>,
    waker: Arc<AtomicWaker>,
}

/// The end on an executor. Dropping it ends whoever waits to send.
pub struct Outlet<T> {
    receiver: Receiver<T>,
    waker: Arc<AtomicWaker>,
}

/// Nobody receives any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

/// A pipe that holds so many items.
pub fn pipe<T: Send>(items_max: usize) -> (Inlet<T>, Outlet<T>) {
    let (sender, receiver) = sync_channel(items_max);
    let waker = Arc::new(AtomicWaker::new());
    (Inlet { sender: Some(sender), waker: waker.clone() }, Outlet { receiver, waker })
}

impl<T> Inlet<T> {
    /// Waits while the pipe is full: only for plain threads.
    pub fn send(&self, item: T) -> Result<(), Gone> {
        let sender = self.sender.as_ref().expect("taken only when it is dropped");
        let sent = sender.send(item).map_err(|_| Gone);
        self.waker.wake();
        sent
    }
}

impl<T> Drop for Inlet<T> {
    fn drop(&mut self) {
        self.sender = None;
        self.waker.wake();
    }
}

impl<T> Outlet<T> {
    /// What comes next; `None` when the other end is gone. Cancel safe.
    pub async fn next(&mut self) -> Option<T> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::block_on;

    #[test]
    fn what_is_sent_arrives_in_order_and_a_full_pipe_waits() {
        let (inlet, mut outlet) = pipe(2);
        let sending =
            std::thread::spawn(move || (0..1000).all(|number| inlet.send(number).is_ok()));
        let all = block_on(async {
            let mut all = Vec::new();
            while let Some(number) = outlet.next().await {
                all.push(number);
            }
            all
        });
        assert_eq!(all, (0..1000).collect::<Vec<_>>());
        assert!(sending.join().unwrap());
    }

    #[test]
    fn whoever_waits_to_send_is_told_when_nobody_receives() {
        let (inlet, outlet) = pipe(1);
        let sending = std::thread::spawn(move || {
            let mut sent = 0;
            while inlet.send(()).is_ok() {
                sent += 1;
            }
            sent
        });
        drop(outlet);
        assert!(sending.join().unwrap() <= 1);
    }
}
