//! Budgets: what the logs and each backlog may take, and what gives way beyond. Pure.
//!
//! Shard 0 looks once a second ([`Seen`]) and asks [`Keeper::rule`]; the answer stands on the board, where
//! every request reads whether it is taken, and every log what it has to give up (`shed`).
//!
//! - *Tight*: less than twice `min_free` is free, or the logs are near `max_bytes`. No file is kept for later.
//! - *Full*: less than `min_free` is free, or the logs are beyond `max_bytes`. With `reject` nothing is
//!   taken until a tenth of room is there again; with `drop_oldest` the oldest lines of backends that lag
//!   give way, and nothing is taken only if that does not help.
//! - A *backlog* beyond its own limit: with `reject` nothing that it would get is taken until it has shrunk
//!   by a tenth; with `drop_oldest` its oldest lines give way.

use crate::backend::room::{DiskFacts, Gate, Limit, Shrink};
use crate::base::ids::BackendId;
use crate::config::checked::{BacklogConfig, LogConfig, MinFree, OnFull};
use std::time::Duration;

/// How far apart two logs of one backend may be when the oldest is given up, at first; doubled while that
/// is not enough.
const SLACK: Duration = Duration::from_secs(1);

const SLACK_DOUBLINGS_MAX: u32 = 20;

/// What the configuration allows. Lives on: every shard.
#[derive(Clone, Debug)]
pub struct Limits {
    pub log_bytes_max: Option<u64>,
    pub min_free: MinFree,
    pub on_full: OnFull,
    /// Age of segments that are packed.
    pub spill_after: Duration,
    pub backlogs: Vec<(BackendId, BacklogConfig)>,
}

/// What is so now.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub logs_bytes: u64,
    pub free_bytes: u64,
    pub whole_bytes: u64,
    pub now_unix_ms: u64,
    /// In the order of the limits.
    pub backlogs: Vec<Backlog>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Backlog {
    pub bytes: u64,
    pub age: Duration,
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    pub gate: Gate,
    pub is_tight: bool,
    /// Bytes that backends that lag are to give up, in all.
    pub shed_bytes: u64,
    /// In the order of the limits.
    pub backlogs: Vec<(Limit, Shrink)>,
}

/// Remembers what it ruled, so that nothing flutters. Lives on: shard 0.
#[derive(Debug)]
pub struct Keeper {
    limits: Limits,
    is_tight: bool,
    log_full: bool,
    disk_full: bool,
    /// Giving up lines does not help.
    is_last_resort: bool,
    backlogs: Vec<State>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    bytes_full: bool,
    age_full: bool,
    /// Looks for which it was beyond its bytes.
    turns: u32,
}

impl Limits {
    /// `ids` are in the order of the backends.
    pub fn of(
        log: &LogConfig,
        backlogs: impl Iterator<Item = BacklogConfig>,
        ids: impl Iterator<Item = BackendId>,
    ) -> Limits {
        Limits {
            log_bytes_max: log.bytes_max,
            min_free: log.min_free,
            on_full: log.on_full,
            spill_after: log.spill_after,
            backlogs: ids.zip(backlogs).collect(),
        }
    }

    /// The logs take more than a quarter of the room that they may take: packing waits no longer.
    pub fn is_crowded(&self, logs_bytes: u64, disk: DiskFacts) -> bool {
        let room = logs_bytes.saturating_add(disk.free.saturating_sub(disk.min_free));
        logs_bytes > room.min(self.log_bytes_max.unwrap_or(u64::MAX)) / 4
    }

    /// Those of one backend; nothing for one that is no longer in the configuration.
    pub fn backlog(&self, backend: BackendId) -> Option<&BacklogConfig> {
        self.backlogs.iter().find(|(id, _)| *id == backend).map(|(_, config)| config)
    }
}

/// True beyond `most`, and until it is back below nine tenths of it.
fn is_beyond(was_beyond: bool, value: u64, most: u64) -> bool {
    value > if was_beyond { most - most / 10 } else { most }
}

/// True below `least`, and until there is a tenth more than that.
fn is_below(was_below: bool, value: u64, least: u64) -> bool {
    value < if was_below { least.saturating_add(least / 10) } else { least }
}

impl Keeper {
    pub fn new(limits: Limits) -> Keeper {
        let backlogs = vec![State::default(); limits.backlogs.len()];
        Keeper {
            limits,
            is_tight: false,
            log_full: false,
            disk_full: false,
            is_last_resort: false,
            backlogs,
        }
    }

    /// From here on these hold; they are of the same backends.
    pub fn follow(&mut self, limits: &Limits) {
        assert_eq!(limits.backlogs.len(), self.backlogs.len(), "backends never change");
        self.limits = limits.clone();
    }

    pub fn rule(&mut self, seen: &Seen) -> Ruling {
        let backlogs: Vec<(Limit, Shrink)> = self
            .backlogs
            .iter_mut()
            .zip(&self.limits.backlogs)
            .zip(&seen.backlogs)
            .map(|((state, (_, config)), backlog)| state.rule(config, backlog, seen.now_unix_ms))
            .collect();
        let least = self.limits.min_free.bytes(seen.whole_bytes);
        let most = self.limits.log_bytes_max.unwrap_or(u64::MAX);
        self.is_tight = is_below(self.is_tight, seen.free_bytes, least.saturating_mul(2))
            || is_beyond(self.is_tight, seen.logs_bytes, most - most / 5);
        self.log_full = is_beyond(self.log_full, seen.logs_bytes, most);
        self.disk_full = is_below(self.disk_full, seen.free_bytes, least);
        let shed_bytes = self.shed_bytes(seen, least, most);
        let is_refusing = match self.limits.on_full {
            OnFull::Reject => true,
            OnFull::DropOldest => {
                let far = self.is_last_resort;
                self.is_last_resort =
                    is_beyond(far, seen.logs_bytes, most.saturating_add(most / 10))
                        || is_below(far, seen.free_bytes, least / 2);
                self.is_last_resort
            }
        };
        let gate = match (self.disk_full, self.log_full) {
            (true, _) if is_refusing => Gate::DiskFull,
            (_, true) if is_refusing => Gate::LogFull,
            _ if backlogs.iter().any(|(limit, _)| *limit != Limit::Within) => Gate::SomeBacklogFull,
            _ => Gate::Open,
        };
        Ruling { gate, is_tight: self.is_tight, shed_bytes, backlogs }
    }

    /// What is missing to the end of being full.
    fn shed_bytes(&self, seen: &Seen, least: u64, most: u64) -> u64 {
        if self.limits.on_full == OnFull::Reject {
            return 0;
        }
        let of_log = self.log_full.then(|| seen.logs_bytes.saturating_sub(most - most / 10));
        let of_disk = self
            .disk_full
            .then(|| (least.saturating_add(least / 10)).saturating_sub(seen.free_bytes));
        of_log.unwrap_or(0).max(of_disk.unwrap_or(0))
    }
}

impl State {
    fn rule(
        &mut self,
        config: &BacklogConfig,
        backlog: &Backlog,
        now_unix_ms: u64,
    ) -> (Limit, Shrink) {
        let bytes_max = config.bytes_max.unwrap_or(u64::MAX);
        let age_max = config.age_max.map_or(u64::MAX, millis);
        if config.on_full == OnFull::DropOldest {
            return (Limit::Within, self.shrink(backlog, bytes_max, age_max, now_unix_ms));
        }
        self.bytes_full = is_beyond(self.bytes_full, backlog.bytes, bytes_max);
        self.age_full = is_beyond(self.age_full, millis(backlog.age), age_max);
        let limit = match (self.bytes_full, self.age_full) {
            (true, _) => Limit::Bytes,
            (_, true) => Limit::Age,
            _ => Limit::Within,
        };
        (limit, Shrink::NOT)
    }

    fn shrink(&mut self, backlog: &Backlog, bytes_max: u64, age_max: u64, now: u64) -> Shrink {
        let mut shrink = Shrink::NOT;
        if age_max != u64::MAX {
            shrink.before_unix_ms = now.saturating_sub(age_max);
        }
        self.turns = if backlog.bytes > bytes_max { self.turns + 1 } else { 0 };
        if self.turns > 0 {
            let doublings = (self.turns - 1).min(SLACK_DOUBLINGS_MAX);
            shrink.keep_bytes = bytes_max;
            shrink.slack = SLACK * (1 << doublings);
        }
        shrink
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn backlog(on_full: OnFull) -> BacklogConfig {
        BacklogConfig {
            bytes_max: Some(100),
            age_max: Some(Duration::from_secs(10)),
            on_full,
            replay_rate: None,
        }
    }

    fn keeper(on_full: OnFull, of_backlog: OnFull) -> Keeper {
        Keeper::new(Limits {
            log_bytes_max: Some(100 * MIB),
            min_free: MinFree::Bytes(10 * MIB),
            on_full,
            spill_after: Duration::ZERO,
            backlogs: vec![(BackendId(3), backlog(of_backlog))],
        })
    }

    #[test]
    fn packing_waits_while_there_is_plenty_of_room() {
        let keeper = keeper(OnFull::Reject, OnFull::Reject);
        let disk = |free_mib| DiskFacts { free: free_mib * MIB, min_free: 10 * MIB, ballast: 0 };
        let is_crowded = |logs, free| keeper.limits.is_crowded(logs * MIB, disk(free));
        assert!(!is_crowded(20, 70) && is_crowded(21, 70), "a quarter of what is there");
        assert!(!is_crowded(25, 500) && is_crowded(26, 500), "a quarter of max_bytes");
        assert!(is_crowded(1, 10) && !is_crowded(0, 10), "no room, or none seen yet");
    }

    fn seen(logs_mib: u64, free_mib: u64) -> Seen {
        Seen {
            logs_bytes: logs_mib * MIB,
            free_bytes: free_mib * MIB,
            whole_bytes: 1000 * MIB,
            now_unix_ms: 1_000_000,
            backlogs: vec![Backlog::default()],
        }
    }

    fn owing(bytes: u64, age_s: u64) -> Seen {
        let backlogs = vec![Backlog { bytes, age: Duration::from_secs(age_s) }];
        Seen { backlogs, ..seen(1, 500) }
    }

    #[test]
    fn writes_stop_at_a_limit_and_go_on_with_some_room() {
        let mut keeper = keeper(OnFull::Reject, OnFull::Reject);
        let gate = |keeper: &mut Keeper, logs, free| keeper.rule(&seen(logs, free)).gate;
        assert_eq!(gate(&mut keeper, 100, 10), Gate::Open);
        assert_eq!(gate(&mut keeper, 101, 10), Gate::LogFull);
        assert_eq!(gate(&mut keeper, 91, 10), Gate::LogFull, "it does not flutter");
        assert_eq!(gate(&mut keeper, 90, 10), Gate::Open);
        assert_eq!(gate(&mut keeper, 90, 9), Gate::DiskFull);
        assert_eq!(gate(&mut keeper, 90, 10), Gate::DiskFull);
        assert_eq!(gate(&mut keeper, 90, 11), Gate::Open);
        assert_eq!(keeper.rule(&seen(200, 1)).shed_bytes, 0, "reject gives nothing up");
    }

    #[test]
    fn nothing_is_kept_for_later_below_the_first_watermark() {
        let mut keeper = keeper(OnFull::Reject, OnFull::Reject);
        let mut is_tight = |logs, free| keeper.rule(&seen(logs, free)).is_tight;
        assert!(!is_tight(80, 20) && is_tight(80, 19) && is_tight(72, 21) && !is_tight(72, 22));
        assert!(is_tight(81, 50) && is_tight(73, 50) && !is_tight(72, 50));
    }

    #[test]
    fn drop_oldest_gives_up_what_is_missing_and_refuses_last() {
        let mut keeper = keeper(OnFull::DropOldest, OnFull::Reject);
        let mut rule = |logs, free| {
            let ruling = keeper.rule(&seen(logs, free));
            (ruling.gate, ruling.shed_bytes / MIB)
        };
        assert_eq!(rule(100, 10), (Gate::Open, 0));
        assert_eq!(rule(104, 10), (Gate::Open, 14), "down to nine tenths");
        assert_eq!(rule(95, 7), (Gate::Open, 5), "the larger of both");
        assert_eq!(rule(111, 20), (Gate::LogFull, 21), "it did not help");
        assert_eq!(rule(90, 4), (Gate::DiskFull, 7));
        assert_eq!(rule(90, 11), (Gate::Open, 0));
    }

    #[test]
    fn a_full_backlog_refuses_only_what_it_would_get() {
        let mut keeper = keeper(OnFull::Reject, OnFull::Reject);
        let mut rule = |bytes, age| {
            let ruling = keeper.rule(&owing(bytes, age));
            (ruling.gate, ruling.backlogs[0].0)
        };
        assert_eq!(rule(100, 10), (Gate::Open, Limit::Within));
        assert_eq!(rule(101, 10), (Gate::SomeBacklogFull, Limit::Bytes));
        assert_eq!(rule(91, 0), (Gate::SomeBacklogFull, Limit::Bytes));
        assert_eq!(rule(90, 11), (Gate::SomeBacklogFull, Limit::Age));
        assert_eq!(rule(90, 9), (Gate::Open, Limit::Within));
    }

    #[test]
    fn a_backlog_that_gives_way_refuses_nothing() {
        let mut keeper = keeper(OnFull::Reject, OnFull::DropOldest);
        let mut rule = |bytes| keeper.rule(&owing(bytes, 60)).backlogs[0];
        let by_age = Shrink { before_unix_ms: 990_000, ..Shrink::NOT };
        assert_eq!(rule(100), (Limit::Within, by_age));
        for slack_s in [1, 2, 4] {
            let slack = Duration::from_secs(slack_s);
            let (limit, shrink) = rule(101);
            assert_eq!(
                (limit, shrink),
                (Limit::Within, Shrink { keep_bytes: 100, slack, ..by_age })
            );
        }
        assert_eq!(rule(100).1, by_age, "enough has gone");
    }

    #[test]
    fn without_limits_nothing_is_ever_refused() {
        let none = BacklogConfig { bytes_max: None, age_max: None, ..backlog(OnFull::DropOldest) };
        let mut keeper = Keeper::new(Limits {
            log_bytes_max: None,
            min_free: MinFree::Bytes(0),
            on_full: OnFull::DropOldest,
            spill_after: Duration::ZERO,
            backlogs: vec![(BackendId(0), none)],
        });
        let seen = Seen { free_bytes: 0, logs_bytes: u64::MAX / 2, ..owing(u64::MAX / 2, 1 << 40) };
        let ruling = keeper.rule(&seen);
        assert_eq!((ruling.gate, ruling.is_tight, ruling.shed_bytes), (Gate::Open, false, 0));
        assert_eq!(ruling.backlogs, [(Limit::Within, Shrink::NOT)]);
    }
}
