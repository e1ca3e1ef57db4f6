//! Named places at which a test lets the whole process die, as `kill -9` does.
//!
//! Only with the cargo feature `failpoints`; without it the questions here cost nothing. A process is armed
//! by the environment: `FAILPOINTS="wal.append.before_sync=6*off->return"` dies when the place is reached
//! for the seventh time, `sleep(20)` instead of `return` holds the thread for 20 ms, and several are parted
//! by `;`. The grammar is that of the crate `fail`.

/// Every place, and what is true there.
pub const ALL: [(&str, &str); 24] = [
    ("wal.append.before_write", "frames are sealed, none of this one is on disk"),
    ("wal.append.after_write", "a frame is written; the only one of a commit is synced with it"),
    (
        "wal.append.before_sync",
        "the only frame of a commit is about to be written and synced in one",
    ),
    ("wal.append.after_sync", "frames are durable and nobody knows"),
    ("wal.append.before_release", "the board knows of the frames and no request was answered"),
    ("wal.segment.before_header_sync", "a new segment's header is written and not synced"),
    ("wal.segment.after_header_sync", "a new segment is whole under its makeshift name"),
    ("wal.segment.after_rename", "a new segment has its name, which is not durable"),
    ("wal.segment.after_dir_sync", "a new segment is durable and empty"),
    ("wal.segment.before_free", "nobody needs a segment any more"),
    ("wal.segment.after_free", "a segment is given back and its log still lists it"),
    ("wal.checkpoint.before_write", "cursors have moved and the older slot is as it was"),
    ("wal.checkpoint.torn", "half of a slot is written"),
    ("wal.checkpoint.after_sync", "cursors are durable and the board does not know"),
    ("deliver.before_send", "a batch is chosen and nothing of it was sent"),
    ("deliver.after_send", "the backend has answered and nobody has looked"),
    ("deliver.before_confirm", "the backend has taken a batch and the queue does not know"),
    ("deliver.after_confirm", "the queue has moved on and its cursor is not durable"),
    ("reject.before_write", "something is refused for good and not yet kept"),
    ("reject.after_sync", "the refused is kept and the queue has not moved on"),
    ("statement.before_append", "a statement is checked and not in the log"),
    ("statement.after_append", "a statement is durable and its client has no answer"),
    ("statement.before_send", "a statement is chosen and not sent"),
    ("statement.after_send", "a statement was run and the queue does not know"),
];

/// Arms what the environment names. Lasts until the process ends.
///
/// Panics when it names a place that there is not: a test would wait for it in vain.
#[cfg(feature = "failpoints")]
pub fn arm() {
    std::mem::forget(fail::FailScenario::setup());
    for (name, action) in fail::list() {
        assert!(ALL.iter().any(|(known, _)| *known == name), "there is no failpoint {name}");
        tracing::warn!(name, action, "a failpoint is armed");
    }
}

#[cfg(not(feature = "failpoints"))]
pub const fn arm() {}

/// Dies here if a test wants it.
#[cfg(feature = "failpoints")]
pub fn reach(name: &'static str) {
    fail::fail_point!(name, |_| die());
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn reach(_: &'static str) {}

/// Clears the second half of what is about to be written, if a test wants it. Whoever is told `true` writes
/// it and calls [`die_if`].
#[cfg(feature = "failpoints")]
pub fn tear(name: &'static str, bytes: &mut [u8]) -> bool {
    let half = bytes.len() / 2;
    fail::fail_point!(name, |_| {
        bytes[half..].fill(0);
        true
    });
    false
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn tear(_: &'static str, _: &mut [u8]) -> bool {
    false
}

#[cfg(feature = "failpoints")]
pub fn die_if(is_torn: bool) {
    if is_torn {
        die();
    }
}

#[cfg(not(feature = "failpoints"))]
#[inline(always)]
pub const fn die_if(_: bool) {}

/// No destructor, no buffer, no other thread runs on.
#[cfg(feature = "failpoints")]
fn die() {
    let own = rustix::process::getpid();
    let sent = rustix::process::kill_process(own, rustix::process::Signal::KILL);
    unreachable!("a process may end itself: {sent:?}");
}
