//! The answer to a question on its way from the thread that makes it to the connection.
//!
//! The thread gathers what it makes into pieces and sends them through a pipe of a few: when the client reads
//! slowly the thread waits, and when nobody reads any more it is told.

use super::super::answer::Answer;
use crate::backend::Cancel;
use crate::proto::http::deflate::Deflate;
use crate::rt::{Inlet, Outlet, Pool, pipe, within};
use crate::store::guard::{Guard, Stopped};
use std::sync::Arc;
use std::time::Duration;

/// Pieces that wait for the client.
const PIECES_MAX: usize = 4;

/// A piece is sent from this size on, in bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// Smaller answers are not worth packing, in bytes; as 2.7 has it.
const PACKED_MIN: usize = 1400;

/// How often it is looked whether the client is still there while nothing comes.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a thread sends.
enum Item {
    Piece(Vec<u8>),
    /// The first piece of an answer that is packed with gzip.
    Packed(Vec<u8>),
    /// Nothing was sent before, and nothing follows.
    Refused(Answer),
    /// The answer was whole.
    End,
}

/// Where a question's answer goes.
pub(super) struct Sink {
    inlet: Inlet<Item>,
    gathered: Vec<u8>,
    form: Form,
    deflate: Option<Deflate>,
    has_sent: bool,
}

/// How an answer goes out.
#[derive(Clone, Copy)]
pub(super) struct Form {
    /// Each line when it is whole.
    pub by_lines: bool,
    /// The client takes gzip.
    pub may_pack: bool,
}

impl Sink {
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        // A line of ten thousand rows goes in pieces, too, or a slow client would hold some of them.
        for part in bytes.chunks(PIECE_BYTES) {
            self.gathered.extend_from_slice(part);
            if self.gathered.len() >= PIECE_BYTES {
                self.flush(false)?;
            }
        }
        match self.form.by_lines && bytes.ends_with(b"\n") {
            true => self.flush(true),
            false => Ok(()),
        }
    }

    /// Sends what is gathered; packed, only as far as it is ready, unless it `is_line`.
    fn flush(&mut self, is_line: bool) -> Result<(), Stopped> {
        let mut piece = std::mem::take(&mut self.gathered);
        if !self.has_sent && self.form.may_pack && piece.len() >= PACKED_MIN {
            self.deflate = Some(Deflate::default());
        }
        if let Some(deflate) = &mut self.deflate {
            deflate.push(&piece);
            if is_line {
                deflate.flush();
            }
            piece = deflate.ready();
        }
        self.send(piece)
    }

    fn send(&mut self, piece: Vec<u8>) -> Result<(), Stopped> {
        if piece.is_empty() {
            return Ok(());
        }
        let item = match self.deflate.is_some() && !self.has_sent {
            true => Item::Packed(piece),
            false => Item::Piece(piece),
        };
        self.has_sent = true;
        self.inlet.send(item).map_err(|_| Stopped::Cancelled)
    }

    fn finish(&mut self) -> Result<(), Stopped> {
        self.flush(false)?;
        match self.deflate.take() {
            Some(deflate) => {
                let (rest, is_first) = (deflate.finish(), !self.has_sent);
                let item = if is_first { Item::Packed(rest) } else { Item::Piece(rest) };
                self.inlet.send(item).map_err(|_| Stopped::Cancelled)
            }
            None => Ok(()),
        }
    }

    /// Whoever asked may have gone; then there is nobody to tell.
    fn end(mut self, outcome: Result<(), Answer>) {
        let is_told = match outcome {
            Ok(()) => self.finish().is_ok() && self.inlet.send(Item::End).is_ok(),
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
    pub(super) is_packed: bool,
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
    form: Form,
    question: impl FnOnce(&Guard, &mut Sink) -> Result<(), Answer> + Send + 'static,
) -> Begun {
    let (inlet, outlet) = pipe(PIECES_MAX);
    let guard = Arc::new(guard);
    let theirs = guard.clone();
    pool.run(move || {
        let mut sink = Sink { inlet, gathered: Vec::new(), form, deflate: None, has_sent: false };
        // While it waited for a thread its client may have gone.
        if theirs.check().is_ok() {
            let outcome = question(&theirs, &mut sink);
            sink.end(outcome);
        }
    });
    let mut asked = Asked { outlet, guard, asker: asker.clone() };
    let (first, is_whole, is_packed) = match asked.item().await {
        Some(Item::Piece(piece)) => (Some(piece), false, false),
        Some(Item::Packed(piece)) => (Some(piece), false, true),
        Some(Item::End) => (None, true, false),
        Some(Item::Refused(answer)) => return Begun::Refused(answer),
        None => return Begun::Broken,
    };
    Begun::Answer(Arriving { asked, first, is_whole, is_packed })
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
            Some(Item::Piece(piece) | Item::Packed(piece)) => Ok(Some(piece)),
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
