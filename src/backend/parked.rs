//! Databases that a backend does not have, or may not write: their lines wait in queues of their own.
//!
//! One entry for each (backend, database), with a cell for each log. While the entry stands, every shard
//! leads new lines of that database behind the waiting ones. It is removed when all its cells are empty;
//! a lock keeps a shard from leading lines into an entry that is being removed.
//!
//! Statements wait like lines, and with them the newer lines of all policies of their database. Lines of
//! different policies are not ordered with each other, so each has its own entry; where a statement comes
//! between them, nothing goes before whatever must be in front of it is done for good: confirmed by the
//! cursors and floors on disk of all logs, so that no start sends it again (`Parked::bound`).

use super::board::Cell;
use crate::base::ids::{BackendId, LogId};
use crate::base::planted::{Planted, is_planted};
use crate::base::time::Stamp;
use crate::ring::tag::database_of;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[expect(clippy::disallowed_types, reason = "the board is what shards share; parking is rare")]
type Lock = std::sync::Mutex<()>;

/// A database that waits. Shared: by all shards, as long as it waits.
#[derive(Debug)]
pub struct Parked {
    pub backend: BackendId,
    pub tag: Box<[u8]>,
    /// The backend's own words.
    pub reason: String,
    /// The prober has found a way: shards may send.
    pub is_open: AtomicBool,
    /// Statements wait here, or did: a start may send them again as long as it sends anything again.
    has_statements: AtomicBool,
    /// What is older than this stamp is not needed: the database, or the policy, is about to be dropped.
    moot_below: AtomicU64,
    cells: Vec<Cell>,
}

/// What a shard knows of a database that is to wait.
#[derive(Clone, Copy, Debug)]
pub struct Waits<'a> {
    pub backend: BackendId,
    pub tag: &'a [u8],
    /// For an entry that is made.
    pub reason: &'a str,
    /// Nothing is known against it but that it stands behind others: an entry that is made may be tried.
    pub is_open: bool,
    /// Statements are among what waits.
    pub has_statements: bool,
}

/// All entries. Shared: by all shards.
#[derive(Debug)]
pub struct ParkedList {
    logs: usize,
    entries: ArcSwap<Vec<Arc<Parked>>>,
    /// Removed, but by the cursors on disk something waits there: after a crash it is sent again, and with
    /// it everything newer, which therefore must be kept.
    closed: ArcSwap<Vec<Arc<Parked>>>,
    lock: Lock,
}

impl Parked {
    pub fn cell(&self, log: LogId) -> &Cell {
        &self.cells[log.index()]
    }

    /// One for each log.
    pub fn cells(&self) -> impl Iterator<Item = &Cell> {
        self.cells.iter()
    }

    /// The cells of the other logs.
    pub fn other_cells(&self, log: LogId) -> impl Iterator<Item = &Cell> {
        let all = self.cells.iter().enumerate();
        all.filter(move |(at, _)| *at != log.index()).map(|(_, cell)| cell)
    }

    pub fn oldest(&self) -> Stamp {
        self.cells.iter().map(Cell::oldest).min().unwrap_or(Stamp::NONE)
    }

    pub fn durable_oldest(&self) -> Stamp {
        self.cells.iter().map(Cell::durable_oldest).min().unwrap_or(Stamp::NONE)
    }

    /// The lowest floor of this database in the cursors on disk of any log; `Stamp::NONE` if none has one.
    pub fn durable_floor(&self) -> Stamp {
        self.cells.iter().map(Cell::durable_floor).min().unwrap_or(Stamp::NONE)
    }

    /// Nothing of it below this stamp waits, or is ever sent again, whatever is lost but all cursors.
    pub fn bound(&self) -> Stamp {
        if is_planted(Planted::ParkedForgotten) {
            return self.oldest();
        }
        self.oldest().min(self.durable_oldest()).min(self.durable_floor())
    }

    pub fn bytes(&self) -> u64 {
        self.cells.iter().map(Cell::bytes).sum()
    }

    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::SeqCst)
    }

    /// Whatever waits here and is older is confirmed without being sent.
    pub fn moot_below(&self) -> Stamp {
        Stamp(self.moot_below.load(Ordering::SeqCst))
    }

    fn has_statements(&self) -> bool {
        self.has_statements.load(Ordering::SeqCst)
    }

    fn is(&self, backend: BackendId, tag: &[u8]) -> bool {
        self.backend == backend && *self.tag == *tag
    }

    /// The same database of the same backend, maybe with another policy.
    fn is_related(&self, backend: BackendId, tag: &[u8]) -> bool {
        self.backend == backend && database_of(&self.tag) == database_of(tag)
    }
}

impl ParkedList {
    pub fn new(logs: usize) -> ParkedList {
        ParkedList {
            logs,
            entries: ArcSwap::default(),
            closed: ArcSwap::default(),
            lock: Lock::new(()),
        }
    }

    /// All entries, as of now.
    pub fn entries(&self) -> Arc<Vec<Arc<Parked>>> {
        self.entries.load_full()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.load().is_empty()
    }

    /// Nothing waits, and none of the cursors on disk says that something does.
    pub fn is_forgotten(&self) -> bool {
        // In this order, because an entry goes from the one list to the other.
        self.entries.load().is_empty() && self.closed.load().is_empty()
    }

    pub fn find(&self, backend: BackendId, tag: &[u8]) -> Option<Arc<Parked>> {
        let entries = self.entries.load();
        entries.iter().find(|entry| entry.is(backend, tag)).cloned()
    }

    /// Makes the entry, or finds it, and lets `publish` write this log's cell while nobody can remove it.
    pub fn park(&self, waits: Waits<'_>, publish: impl FnOnce(&Arc<Parked>)) {
        let Waits { backend, tag, reason, is_open, has_statements } = waits;
        let _guard = self.guard();
        let entry = self.find(backend, tag).unwrap_or_else(|| {
            let cells: Vec<Cell> = (0..self.logs).map(|_| Cell::empty()).collect();
            for cell in &cells {
                cell.publish_floor(Stamp::NONE);
            }
            let entry = Arc::new(Parked {
                backend,
                tag: tag.into(),
                reason: reason.to_owned(),
                is_open: AtomicBool::new(is_open),
                has_statements: AtomicBool::new(false),
                moot_below: AtomicU64::new(0),
                cells,
            });
            let mut entries = Vec::clone(&self.entries.load());
            entries.push(entry.clone());
            self.entries.store(Arc::new(entries));
            entry
        });
        publish(&entry);
        if has_statements {
            // Cursors on disk that know an earlier entry of this name would bring back these, too.
            let (entries, closed) = (self.entries.load(), self.closed.load());
            let all = entries.iter().chain(closed.iter());
            for entry in all.filter(|entry| entry.is(backend, tag)) {
                entry.has_statements.store(true, Ordering::SeqCst);
            }
        }
    }

    /// The entry behind which lines of the backend's own queue have to wait: their own one, or one whose
    /// statements are older.
    pub fn before_lines(
        &self,
        backend: BackendId,
        tag: &[u8],
        stamp: Stamp,
    ) -> Option<Arc<Parked>> {
        self.find(backend, tag).or_else(|| self.statements_before(backend, tag, stamp))
    }

    /// An entry of another policy with statements that may be sent, or sent again, and are older than this.
    pub fn statements_before(
        &self,
        backend: BackendId,
        tag: &[u8],
        stamp: Stamp,
    ) -> Option<Arc<Parked>> {
        self.related(backend, tag, |entry| {
            entry.has_statements() && *entry.tag != *tag && entry.bound() < stamp
        })
    }

    /// The entry behind which a statement of the backend's own queue has to wait.
    pub fn before_statement(
        &self,
        backend: BackendId,
        tag: &[u8],
        stamp: Stamp,
    ) -> Option<Arc<Parked>> {
        self.related(backend, tag, |entry| entry.bound() <= stamp)
    }

    /// Says that whatever waits for a database, or for one policy of it, is not needed below this stamp: a
    /// statement that drops it is about to be sent. Returns whether all of that is gone for good.
    pub fn drop_below(
        &self,
        backend: BackendId,
        tag: &[u8],
        all_policies: bool,
        stamp: Stamp,
    ) -> bool {
        let (entries, closed) = (self.entries.load(), self.closed.load());
        let all = entries.iter().chain(closed.iter());
        let concerned = |entry: &&Arc<Parked>| {
            if all_policies { entry.is_related(backend, tag) } else { entry.is(backend, tag) }
        };
        let mut is_gone = true;
        for entry in all.filter(concerned).filter(|entry| entry.bound() <= stamp) {
            entry.moot_below.fetch_max(stamp.0, Ordering::SeqCst);
            is_gone = false;
        }
        is_gone
    }

    /// An entry of another policy of which anything may be sent, or sent again, that is older than this.
    pub fn others_before(
        &self,
        backend: BackendId,
        tag: &[u8],
        stamp: Stamp,
    ) -> Option<Arc<Parked>> {
        self.related(backend, tag, |entry| *entry.tag != *tag && entry.bound() < stamp)
    }

    fn related(
        &self,
        backend: BackendId,
        tag: &[u8],
        which: impl Fn(&Parked) -> bool,
    ) -> Option<Arc<Parked>> {
        // In this order, because an entry goes from the one list to the other.
        let (entries, closed) = (self.entries.load(), self.closed.load());
        let mut all = entries.iter().chain(closed.iter());
        all.find(|entry| entry.is_related(backend, tag) && which(entry)).cloned()
    }

    /// Removes the entry if nothing waits in it any more.
    pub fn remove_if_empty(&self, entry: &Arc<Parked>) -> bool {
        let _guard = self.guard();
        if entry.oldest() != Stamp::NONE {
            return false;
        }
        let mut entries = Vec::clone(&self.entries.load());
        let before = entries.len();
        entries.retain(|other| !Arc::ptr_eq(other, entry));
        if entries.len() < before {
            let mut closed = Vec::clone(&self.closed.load());
            closed.push(entry.clone());
            self.closed.store(Arc::new(closed));
        }
        self.entries.store(Arc::new(entries));
        true
    }

    /// A log wrote cursors that know nothing of entries other than `known`.
    pub fn forget_closed(&self, log: LogId, known: impl Fn(&Arc<Parked>) -> bool) {
        if self.closed.load().is_empty() {
            return;
        }
        let _guard = self.guard();
        let mut closed = Vec::clone(&self.closed.load());
        for entry in closed.iter().filter(|entry| !known(entry)) {
            entry.cell(log).publish_durable(Stamp::NONE);
        }
        closed.retain(|entry| {
            entry.durable_oldest() != Stamp::NONE || entry.durable_floor() != Stamp::NONE
        });
        self.closed.store(Arc::new(closed));
    }

    /// What a log is about to write down as floors: the oldest stamp of every database that waits.
    /// Until that is done, the lower one of the old and the new floor counts.
    pub fn floors(&self, log: LogId) -> Vec<(Arc<Parked>, Stamp)> {
        let (entries, closed) = (self.entries.load(), self.closed.load());
        let here = entries.iter().chain(closed.iter());
        let floors = here.filter_map(|entry| {
            let oldest = entry.durable_oldest();
            let cell = entry.cell(log);
            cell.publish_floor(cell.durable_floor().min(oldest));
            (oldest != Stamp::NONE).then(|| (entry.clone(), oldest))
        });
        floors.collect()
    }

    /// A log wrote these floors, and no others.
    pub fn floors_written(&self, log: LogId, written: &[(Arc<Parked>, Stamp)]) {
        let (entries, closed) = (self.entries.load(), self.closed.load());
        for entry in entries.iter().chain(closed.iter()) {
            let floor = written.iter().find(|(known, _)| Arc::ptr_eq(known, entry));
            entry.cell(log).publish_floor(floor.map_or(Stamp::NONE, |(_, floor)| *floor));
        }
    }

    /// Whether this log's cursors on disk keep a floor of a database that waits no more, or one that holds
    /// up what waits for statements.
    pub fn has_stale_floor(&self, log: LogId) -> bool {
        let (entries, closed) = (self.entries.load(), self.closed.load());
        let all = || entries.iter().chain(closed.iter());
        let has_statements =
            all().any(|entry| entry.has_statements() || entry.moot_below() > Stamp(0));
        all().any(|entry| {
            let oldest = entry.durable_oldest();
            entry.cell(log).durable_floor() < oldest && (has_statements || oldest == Stamp::NONE)
        })
    }

    /// For each database of a backend that waits, or did by some cursors on disk: nothing of it below this
    /// stamp is ever sent again.
    pub fn bounds(&self, backend: BackendId) -> Vec<(Arc<Parked>, Stamp)> {
        let (entries, closed) = (self.entries.load(), self.closed.load());
        let here = entries.iter().chain(closed.iter()).filter(|entry| entry.backend == backend);
        here.map(|entry| (entry.clone(), entry.durable_oldest().min(entry.durable_floor())))
            .collect()
    }

    pub fn bytes(&self, backend: BackendId) -> u64 {
        let entries = self.entries.load();
        entries.iter().filter(|entry| entry.backend == backend).map(|entry| entry.bytes()).sum()
    }

    /// Nothing for this backend below this stamp waits, by the cursors and floors on disk.
    pub fn durable_bound(&self, backend: BackendId) -> Stamp {
        let bounds = self.bounds(backend);
        bounds.into_iter().map(|(_, bound)| bound).min().unwrap_or(Stamp::NONE)
    }

    /// Nothing for this backend below this stamp waits, by the cursors on disk.
    pub fn durable_oldest(&self, backend: BackendId) -> Stamp {
        // In this order, because an entry goes from the one list to the other.
        let (entries, closed) = (self.entries.load(), self.closed.load());
        let here = entries.iter().chain(closed.iter()).filter(|entry| entry.backend == backend);
        here.map(|entry| entry.durable_oldest()).min().unwrap_or(Stamp::NONE)
    }

    fn guard(&self) -> std::sync::MutexGuard<'_, ()> {
        // A panic ends the process, so that nobody ever sees a poisoned lock.
        self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ring::Target;

    const HERE: BackendId = BackendId(1);

    fn tag(database: &str, policy: &str) -> Vec<u8> {
        let (database, retention_policy) = (database.into(), policy.into());
        Target { org: "o".into(), database, retention_policy }.to_tag()
    }

    /// Parks something of log 0, as it would be noted there.
    fn park(list: &ParkedList, tag: &[u8], stamp: u64, is_statement: bool) {
        let statement = if is_statement { Stamp(stamp) } else { Stamp::NONE };
        let waits =
            Waits { backend: HERE, tag, reason: "", is_open: true, has_statements: is_statement };
        list.park(waits, |entry| {
            entry.cell(LogId(0)).publish(Stamp(stamp), statement, 0, 0);
            entry.cell(LogId(0)).publish_durable(Stamp(stamp));
        });
    }

    #[test]
    fn a_statement_waits_until_no_start_can_send_older_lines_of_its_database_again() {
        let list = ParkedList::new(2);
        let (default, weekly, other) = (tag("d", ""), tag("d", "weekly"), tag("e", ""));
        park(&list, &weekly, 10, false);
        let waits = || list.before_statement(HERE, &default, Stamp(20)).is_some();
        assert!(waits(), "lines of another policy are older");
        assert!(list.before_statement(HERE, &default, Stamp(9)).is_none());
        assert!(list.before_statement(HERE, &other, Stamp(20)).is_none(), "another database");
        assert!(list.before_statement(BackendId(0), &default, Stamp(20)).is_none());
        assert!(
            list.before_lines(HERE, &default, Stamp(20)).is_none(),
            "lines of another policy flow"
        );
        // The other log writes the floor down, then the lines are confirmed.
        let floors = list.floors(LogId(1));
        list.floors_written(LogId(1), &floors);
        let entry = list.find(HERE, &weekly).expect("it waits");
        entry.cell(LogId(0)).publish(Stamp::NONE, Stamp::NONE, 0, 0);
        assert!(waits(), "the cursors on disk do not know");
        assert!(list.remove_if_empty(&entry) && waits());
        list.forget_closed(LogId(0), |_| false);
        assert!(waits() && list.has_stale_floor(LogId(1)), "the floors of the other log do not");
        let floors = list.floors(LogId(1));
        list.floors_written(LogId(1), &floors);
        assert!(!waits());
    }

    #[test]
    fn no_line_of_its_database_passes_a_statement_that_waits() {
        let list = ParkedList::new(2);
        let (default, weekly, other) = (tag("d", ""), tag("d", "weekly"), tag("e", ""));
        park(&list, &default, 20, true);
        let waits = |tag: &[u8], stamp| list.before_lines(HERE, tag, Stamp(stamp)).is_some();
        assert!(waits(&weekly, 21) && waits(&default, 21));
        assert!(!waits(&weekly, 20), "older lines go first");
        assert!(!waits(&other, 21), "another database");
    }

    #[test]
    fn what_drops_a_database_waits_until_no_start_can_send_its_lines_again() {
        let list = ParkedList::new(1);
        let (default, weekly, other) = (tag("d", ""), tag("d", "weekly"), tag("e", ""));
        park(&list, &weekly, 10, false);
        park(&list, &other, 10, false);
        assert!(list.drop_below(HERE, &default, false, Stamp(20)), "another policy");
        assert!(list.drop_below(HERE, &weekly, false, Stamp(9)), "newer lines stay");
        let entry = list.find(HERE, &weekly).expect("it waits");
        assert_eq!(entry.moot_below(), Stamp(0), "nobody has dropped it");
        assert!(!list.drop_below(HERE, &default, true, Stamp(20)));
        assert!(!list.drop_below(HERE, &weekly, false, Stamp(15)));
        assert_eq!(entry.moot_below(), Stamp(20), "the later one counts");
        entry.cell(LogId(0)).publish(Stamp::NONE, Stamp::NONE, 0, 0);
        assert!(list.remove_if_empty(&entry));
        assert!(!list.drop_below(HERE, &default, true, Stamp(20)), "the cursors do not know");
        list.forget_closed(LogId(0), |_| false);
        assert!(list.drop_below(HERE, &default, true, Stamp(20)));
        assert_eq!(list.find(HERE, &other).expect("it waits").moot_below(), Stamp(0));
    }
}
