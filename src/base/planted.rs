//! Mistakes that a test can plant, to show that the simulated world or the states of the log would find them.
//! Outside tests there are none, and the questions here cost nothing.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// Nothing waits for the queues of other logs.
    NoOrderRule,
    /// After a crash each log sends again from its own cursors only.
    NoCut,
    /// A queue's cell is written after the answer.
    LatePublish,
    FloorsIgnored,
    /// Sending begins before the rewound cursors are durable.
    RewindNotDurable,
    /// A frame is acknowledged before its sync.
    EarlyAnswer,
    /// The last frame of a commit is written durably, and the ones before it pass for synced.
    LastDurable,
    /// A segment is given back when its own log needs it no more.
    EarlyFree,
    /// A statement runs once more when newer lines have passed.
    LateRepeat,
    /// Statements do not wait for lines that wait for a database.
    ParkedOvertaken,
    /// They do not wait until the cursors on disk say that these lines are done.
    ParkedForgotten,
    /// A frame of an earlier life of a file is taken.
    StaleTaken,
    /// A frame that was acknowledged and is lost passes for one that never was.
    LossUntold,
    /// What cannot be read counts as the end of the log.
    ReadErrorIsEnd,
    /// Cursors count as written before their sync.
    MarkUnsynced,
    /// A segment gets its name before its header is durable.
    HeaderUnsynced,
}

#[cfg(test)]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Planted>> = const { std::cell::Cell::new(None) };
}

/// Plants a mistake on this thread, or removes it.
#[cfg(test)]
pub fn plant(mistake: Option<Planted>) {
    PLANTED.with(|planted| planted.set(mistake));
}

#[cfg(test)]
pub fn is_planted(mistake: Planted) -> bool {
    PLANTED.with(std::cell::Cell::get) == Some(mistake)
}

#[cfg(not(test))]
pub const fn is_planted(_: Planted) -> bool {
    false
}
