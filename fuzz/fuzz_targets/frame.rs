//! Frames, segment headers and footers out of foreign bytes. Each is tried as it is, and again with the right
//! checksums put in, because the fuzzer cannot guess these.
#![no_main]

use circlet::base::checksum::crc32c;
use circlet::base::limits::PAGE;
use circlet::rt::Bytes;
use circlet::wal::Frame;
use circlet::wal::format::{self, FRAME_HEADER_BYTES, Footer, FrameHeader, SegmentHeader};
use libfuzzer_sys::fuzz_target;
use std::rc::Rc;

/// What the fuzzer may leave to chance: magic, version, lengths and checksums of a frame.
fn mended(bytes: &[u8], version: u8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().max(FRAME_HEADER_BYTES), 0);
    bytes[..4].copy_from_slice(b"CFRM");
    bytes[4] = version;
    let body = bytes.len() - FRAME_HEADER_BYTES;
    let table = u32::from_le_bytes([bytes[12], bytes[13], 0, 0]) as usize;
    let table = table.min(body);
    bytes[8..12].copy_from_slice(&u32::try_from(body - table).expect("small").to_le_bytes());
    bytes[12..16].copy_from_slice(&u32::try_from(table).expect("small").to_le_bytes());
    let body_crc = crc32c(&bytes[FRAME_HEADER_BYTES..]);
    bytes[64..68].copy_from_slice(&body_crc.to_le_bytes());
    let crc = crc32c(&bytes[..FRAME_HEADER_BYTES - 4]);
    bytes[FRAME_HEADER_BYTES - 4..FRAME_HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn frame(bytes: Vec<u8>) {
    if let Some(header) = FrameHeader::decode(&bytes) {
        let mut page = vec![0; PAGE];
        header.encode(&mut page);
        assert_eq!(FrameHeader::decode(&page), Some(header));
        assert!(header.frame_bytes() >= FRAME_HEADER_BYTES + header.body_len());
    }
    let bytes = Rc::new(Bytes::Heap(bytes));
    let Some(frame) = Frame::decode(&bytes, 0) else { return };
    let mut payload = 0;
    for run in &frame.runs {
        assert_eq!(frame.payload(&run).len(), run.payload.len());
        payload += run.payload.len();
        for target in run.targets {
            assert!(frame.names(*target));
        }
    }
    if let Some(again) = frame.narrowed(1, 0, |_| true) {
        let again = Frame::decode(&Rc::new(Bytes::Heap(again.bytes)), 0);
        assert!(again.is_none_or(|again| again.runs.iter().eq(frame.runs.iter())));
    }
    assert_eq!(payload, frame.header.payload_len as usize);
}

fn page(magic: &[u8; 8], bytes: &[u8]) -> Vec<u8> {
    let mut page = vec![0; PAGE];
    let len = bytes.len().min(PAGE - 8);
    page[8..8 + len].copy_from_slice(&bytes[..len]);
    page[..8].copy_from_slice(magic);
    format::seal(&mut page);
    page
}

fuzz_target!(|data: &[u8]| {
    frame(data.to_vec());
    frame(mended(data, 1));
    frame(mended(data, 2));
    for pages in [data.to_vec(), page(b"CIRCSEG1", data), page(b"CIRCPCK2", data)] {
        if let Some(header) = SegmentHeader::decode(&pages) {
            let again = SegmentHeader::decode(&header.encode());
            // With too many floors none are written.
            let is_same = again.is_some_and(|again| {
                again == SegmentHeader { floors: again.floors.clone(), ..header.clone() }
            });
            assert!(is_same, "{header:?}");
        }
    }
    for bytes in [data.to_vec(), page(b"CIRCFTR1", data)] {
        if let Some(footer) = Footer::decode(&bytes)
            && let Some(page) = footer.encode()
        {
            assert_eq!(Footer::decode(&page), Some(footer));
        }
    }
});
