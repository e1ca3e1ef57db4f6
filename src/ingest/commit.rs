//! The log's turn: commits what was appended, publishes it on the board, then lets the answers go.

use super::{Feed, Outlet};
use crate::backend::board::Cell;
use crate::base::planted::{Planted, is_planted};
use crate::base::time::{Mono, Stamp};
use crate::rt::{breathe, sleep, within};
use crate::wal::{Frame, Writer};
use std::rc::Rc;
use std::time::Duration;

/// After the disk refused twice, a fresh segment is tried this often.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What a log does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Commit,
    Sync,
    Wait(Option<Duration>),
    End,
}

/// A sync that is due goes before more work, or a busy log would never come to it.
fn turn(has_work: bool, sync_due: Option<Mono>, now: Mono, is_ending: bool) -> Turn {
    match sync_due {
        Some(due) if due <= now => Turn::Sync,
        _ if has_work => Turn::Commit,
        Some(_) if is_ending => Turn::Sync,
        Some(due) => Turn::Wait(Some(due.since(now))),
        None if is_ending => Turn::End,
        None => Turn::Wait(None),
    }
}

impl Outlet {
    /// Commits until told to end and nothing is left. With `syncs_later` commits are written at once and synced as
    /// often as the settings say.
    pub async fn commit(
        self: Rc<Self>,
        mut writer: Writer,
        syncs_later: bool,
        is_ending: impl Fn() -> bool,
    ) {
        let mut sync_due: Option<Mono> = None;
        loop {
            let turn = turn(writer.has_work(), sync_due, self.facts.clock.mono(), is_ending());
            match turn {
                Turn::Commit => {
                    writer.set_floors(self.safe_floors.borrow().clone());
                    writer.set_note(self.window.borrow().note());
                    self.commit_once(&mut writer, &is_ending).await;
                    if writer.has_work() {
                        // Requests came in meanwhile, so more are likely on their way: they share the next one.
                        breathe().await;
                    }
                    let now = self.facts.clock.mono();
                    let due = || now.after(self.facts.write.get().sync_interval);
                    sync_due = sync_due.or_else(|| syncs_later.then(due));
                }
                Turn::Sync => {
                    if let Err(error) = writer.sync().await {
                        tracing::error!(%error, "the log could not be synced");
                    }
                    sync_due = None;
                }
                Turn::Wait(Some(limit)) => wait_at_most(&writer.signal(), limit).await,
                Turn::Wait(None) => writer.signal().wait().await,
                Turn::End => break,
            }
        }
    }

    async fn commit_once(&self, writer: &mut Writer, is_ending: &impl Fn() -> bool) {
        let committed = writer.commit().await;
        if is_planted(Planted::LatePublish) {
            writer.release(&committed.frames);
            sleep(Duration::from_millis(5)).await;
        }
        let noted = self.publish(&committed.frames);
        writer.release(&committed.frames);
        // After the answers: who is woken first has the core first, and a client waits while a backend does not.
        for feed in noted {
            feed.wake.raise();
        }
        let meters = &self.facts.meters;
        meters.wal_frames.increment(committed.frames.len() as u64);
        let bytes = committed.frames.iter().map(|frame| frame.header.frame_bytes() as u64).sum();
        meters.wal_bytes.increment(bytes);
        if let Some(error) = committed.error {
            meters.wal_failures.increment(1);
            tracing::error!(%error, "the log refuses writes until a fresh segment works");
            loop {
                self.rest(writer, is_ending).await;
                match writer.try_again().await {
                    Ok(()) => break,
                    Err(error) => tracing::error!(%error, "a fresh segment does not work yet"),
                }
            }
            tracing::info!("the log takes writes again");
        }
    }

    /// Before a fresh segment is tried. Not at once: a disk that takes a segment's header and no frame would
    /// be asked without end. Sooner at the end: with lazy syncing something may be in memory only.
    async fn rest(&self, writer: &Writer, is_ending: &impl Fn() -> bool) {
        let clock = &self.facts.clock;
        let due = clock.mono().after(TRY_AGAIN);
        while !is_ending() && clock.mono() < due {
            wait_at_most(&writer.signal(), due.since(clock.mono())).await;
        }
        if is_ending() {
            sleep(TRY_AGAIN / 50).await;
        }
    }

    /// Writes the cells of every queue that these frames name, before anybody is answered. Gives these queues:
    /// they are to be woken.
    fn publish(&self, frames: &[Rc<Frame>]) -> Vec<Rc<Feed>> {
        let mut noted = Vec::new();
        if frames.is_empty() {
            return noted;
        }
        self.is_dirty.set(true);
        for frame in frames {
            self.note(frame, &mut noted);
        }
        for feed in &noted {
            feed.is_noted.set(false);
            self.publish_feed(feed);
            self.publish_durable(feed, frames[0].stamp());
        }
        noted
    }

    /// Tells a frame to the queues of the backends that it names, and to no others: lines are led to a parked
    /// queue by the backend's own.
    fn note(&self, frame: &Frame, noted: &mut Vec<Rc<Feed>>) {
        let mains = self.mains.borrow();
        for portion in frame.index().portions() {
            let Some(Some(feed)) = mains.get(portion.backend.index()) else { continue };
            if feed.queue.borrow_mut().note(frame) && !feed.is_noted.replace(true) {
                noted.push(feed.clone());
            }
        }
    }

    pub fn feeds(&self) -> Vec<Rc<Feed>> {
        self.queues.borrow().clone()
    }

    /// Puts what a queue owes on the board.
    pub fn publish_feed(&self, feed: &Feed) {
        let owed = feed.queue.borrow().owed();
        self.with_cell(feed, |cell| {
            cell.publish(owed.oldest, owed.oldest_statement, owed.unix_ms, owed.bytes);
        });
    }

    /// Something newer than the last checkpoint is owed: the cut may not pass it.
    pub fn publish_durable(&self, feed: &Feed, stamp: Stamp) {
        self.with_cell(feed, |cell| cell.publish_durable(cell.durable_oldest().min(stamp)));
    }

    /// The cell on the board that this log's queue writes: the backend's, or the parked database's.
    pub(super) fn with_cell(&self, feed: &Feed, write: impl FnOnce(&Cell)) {
        let log = self.log.id();
        match feed.parked.borrow().as_ref() {
            Some(parked) => write(parked.cell(log)),
            None => write(self.facts.board.cell(log, feed.queue.borrow().backend)),
        }
    }
}

/// Waits at most `limit` for a signal.
pub(super) async fn wait_at_most(signal: &crate::rt::Signal, limit: Duration) {
    within(limit, signal.wait()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_log_syncs_as_often_as_an_idle_one() {
        let (due, before, after) = (Some(Mono(50)), Mono(20), Mono(60));
        assert_eq!(turn(true, due, before, false), Turn::Commit);
        assert_eq!(turn(true, due, after, false), Turn::Sync);
        assert_eq!(turn(false, due, before, false), Turn::Wait(Some(Duration::from_nanos(30))));
        assert_eq!(turn(false, due, after, false), Turn::Sync);
    }

    #[test]
    fn a_log_that_ends_commits_then_syncs_then_ends() {
        let (due, now) = (Some(Mono(50)), Mono(20));
        assert_eq!(turn(true, due, now, true), Turn::Commit);
        assert_eq!(turn(false, due, now, true), Turn::Sync);
        assert_eq!(turn(false, None, now, true), Turn::End);
        assert_eq!(turn(false, None, now, false), Turn::Wait(None));
    }
}
