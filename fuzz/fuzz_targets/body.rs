//! Chunks and gzip: however a body is cut into reads, the same content or a refusal, and never more than allowed.
#![no_main]

use circlet::proto::http::body::{Body, Framing};
use circlet::proto::http::inflate::Inflate;
use libfuzzer_sys::fuzz_target;

const CONTENT_BYTES_MAX: u64 = 1 << 20;

/// The content of chunks that arrive `step` bytes at a time, and what the whole body took; `None` if it is
/// refused or cut short.
fn unchunked(bytes: &[u8], step: usize) -> Option<(Vec<u8>, usize)> {
    let mut body = Body::new(Framing::Chunked);
    let mut content = Vec::new();
    let mut at = 0;
    for end in (step..bytes.len() + step).step_by(step) {
        let end = end.min(bytes.len());
        while at < end && !body.is_done() {
            let (taken, piece) = body.take(&bytes[at..end]).ok()?;
            assert!(taken <= end - at && piece.len() <= taken);
            if taken == 0 {
                break;
            }
            content.extend_from_slice(piece);
            at += taken;
        }
    }
    body.is_done().then_some((content, at))
}

/// The same for gzip. `slice` is how much one call may produce.
fn inflated(bytes: &[u8], step: usize, slice: usize) -> Option<Vec<u8>> {
    let mut inflate = Inflate::new(CONTENT_BYTES_MAX);
    let (mut content, mut room) = (Vec::new(), vec![0; slice]);
    for piece in bytes.chunks(step) {
        let mut at = 0;
        loop {
            let pushed = inflate.push(&piece[at..], &mut room).ok()?;
            content.extend_from_slice(&room[..pushed.produced]);
            at += pushed.consumed;
            if at == piece.len() && pushed.produced < slice {
                break;
            }
            assert!(pushed.consumed > 0 || pushed.produced > 0, "no progress");
        }
    }
    assert!(content.len() as u64 <= CONTENT_BYTES_MAX + slice as u64);
    assert_eq!(content.len() as u64, inflate.total_out());
    inflate.finish().ok()?;
    Some(content)
}

fuzz_target!(|data: &[u8]| {
    let Some((step, bytes)) = data.split_first() else { return };
    let step = usize::from(*step).max(1);
    let whole = unchunked(bytes, bytes.len().max(1));
    assert_eq!(unchunked(bytes, step), whole);
    let content = whole.map_or(bytes.to_vec(), |(content, _)| content);
    let in_one = inflated(&content, content.len().max(1), 1 << 16);
    assert_eq!(inflated(&content, step, 1 << 10), in_one);
});
