//! Ports below the range from which the kernel takes the ports of outgoing connections, so that a
//! server which is down for a while finds its port free when it comes back.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 18_000;
const COUNT: u32 = 14_000;

static GIVEN: AtomicU32 = AtomicU32::new(0);

/// A free port that this process has not given away before.
pub fn free() -> u16 {
    let origin = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let offset = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port =
            u16::try_from(FIRST + origin.wrapping_add(offset) % COUNT).expect("below 65,536");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between {FIRST} and {}", FIRST + COUNT);
}
