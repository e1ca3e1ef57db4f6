//! The answer to a question on its way from the thread that makes it to the connection.
//!
//! The thread gathers what it makes into pieces and sends them through a pipe of a few: when the client reads
//! slowly the thread waits, and when nobody reads any more it is told.

use super::super::answer::Answer;
use crate::backend::Cancel;
use crate::rt::{Inlet, Outlet, Pool, pipe, within};
use crate::store::guard::{Guard, Stopped};
use std::sync::Arc;
use std::time::Duration;

/// Pieces that wait for the client.
const PIECES_MAX: usize = 4;

/// A piece is sent from this size on, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// How often it is looked whether the client is still there while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a thread sends.
enum Item {
    Piece(Vec<u8>),
    /// Nothing was sent before, and nothing follows.
    Refused(Answer),
    /// The answer was whole.
    End,
}

/// Where a question's answer goes.
pub(super) struct Sink {
    inlet: Inlet<Item>,
    gathered: Vec<u8>,
    /// Each line goes out when it is whole.
    by_lines: bool,
}

impl Sink {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        self.gathered.extend_from_slice(bytes);
        let is_due = self.by_lines && bytes.ends_with(b"\n");
        if is_due || self.gathered.len() >= PIECE_BYTES {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stopped> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.gathered);
        self.inlet.send(Item::Piece(piece)).map_err(|_| Stopped::Cancelled)
    }

    /// Whoever asked may have gone; then there is nobody to tell.
    fn end(mut self, outcome: Result<(), Answer>) {
        let is_told = match outcome {
            Ok(()) => self.flush().is_ok() && self.inlet.send(Item::End).is_ok(),
            Err(error) => self.inlet.send(Item::Refused(error)).is_ok(),
        };
        if !is_told {
            tracing::debug!("the client of a question has gone");
        }
    }
}

/// A question that was asked. Nobody wants the rest of its answer once it is dropped.
struct Asked {
    outlet: Outlet<Item>,
    guard: Arc<Guard>,
    asker: Cancel,
}

/// An answer that has begun.
pub struct Arriving {
    asked: Asked,
    first: Option<Vec<u8>>,
    is_whole: bool,
}

/// How an answer begins.
pub(super) enum Begun {
    Answer(Arriving),
    Refused(Answer),
    /// The thread has died.
    Broken,
}

/// Has a thread of the pool answer, and waits for the first piece, or for the reason why there is none. `question`
/// writes into the sink and says how it went; it may refuse as long as it has written nothing.
pub(super) async fn ask(
    pool: &Pool,
    guard: Guard,
    asker: &Cancel,
    by_lines: bool,
    question: impl FnOnce(&Guard, &mut Sink) -> Result<(), Answer> + Send + 'static,
) -> Begun {
    let (inlet, outlet) = pipe(PIECES_MAX);
    let guard = Arc::new(guard);
    let theirs = guard.clone();
    pool.run(move || {
        let mut sink = Sink { inlet, gathered: Vec::new(), by_lines };
        // While it waited for a thread its client may have gone.
        if theirs.check().is_ok() {
            let outcome = question(&theirs, &mut sink);
            sink.end(outcome);
        }
    });
    let mut asked = Asked { outlet, guard, asker: asker.clone() };
    match asked.item().await {
        Some(Item::Piece(piece)) => {
            Begun::Answer(Arriving { asked, first: Some(piece), is_whole: false })
        }
        Some(Item::End) => Begun::Answer(Arriving { asked, first: None, is_whole: true }),
        Some(Item::Refused(answer)) => Begun::Refused(answer),
        None => Begun::Broken,
    }
}

impl Arriving {
    /// The next piece; `None` at the end. An error means that the answer is cut short.
    pub(in super::super) async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        if self.is_whole {
            return Ok(None);
        }
        match self.asked.item().await {
            Some(Item::Piece(piece)) => Ok(Some(piece)),
            Some(Item::End) => {
                self.is_whole = true;
                Ok(None)
            }
            Some(Item::Refused(_)) | None => Err("the question ended in the middle".to_owned()),
        }
    }
}

impl Asked {
    async fn item(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = within(LOOK_EVERY, self.outlet.next()).await {
                return item;
            }
            if self.asker.is_over() {
                self.guard.cancel();
            }
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.guard.cancel();
    }
}
