//! The cursors out of foreign bytes, as they are and with the right length and checksum put in.
#![no_main]

use circlet::base::ids::LogId;
use circlet::wal::checkpoint::{decode, encode};
use circlet::wal::format;
use libfuzzer_sys::fuzz_target;

const LOG: LogId = LogId(0);

/// Magic, generation, log and length in front, the checksum behind.
fn slot(bytes: &[u8]) -> Vec<u8> {
    let mut slot = b"CIRCCUR1".to_vec();
    slot.extend_from_slice(&1u64.to_le_bytes());
    slot.extend_from_slice(&LOG.0.to_le_bytes());
    let len = u32::try_from(22 + bytes.len()).expect("small");
    slot.extend_from_slice(&len.to_le_bytes());
    slot.extend_from_slice(bytes);
    slot.extend_from_slice(&[0; 4]);
    format::seal(&mut slot);
    slot
}

fuzz_target!(|data: &[u8]| {
    for bytes in [data.to_vec(), slot(data)] {
        let Some((generation, checkpoint)) = decode(&bytes, LOG) else { continue };
        let mut again = encode(&checkpoint, generation, LOG);
        again.extend_from_slice(&[0; 4]);
        format::seal(&mut again);
        assert_eq!(decode(&again, LOG), Some((generation, checkpoint)));
    }
});
