//! One run: lives of the gateway's process, one after the other, over the same disk and the same backends.

use super::backend::{Model, Mood};
use super::client::Client;
use super::node::{Node, SYNC_INTERVAL, Setup, log_directory};
use super::record::{Fate, Record};
use super::shape::{Cursors, Ends, Life, Shape};
use super::{check, rot};

use crate::base::ids::BackendId;
use crate::base::time::nanos;
use crate::config::checked::{Ack, Kind};
use crate::ingest::queue::WINDOW_BYTES_MAX;
use crate::rt::sim::{Fault, SimDisk};
use crate::rt::sim_net::Weather;
use crate::rt::sim_tasks::{Group, SimTasks};
use crate::rt::sleep;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// Virtual time of a whole run; more of it means that something never ends.
const RUN_MAX: Duration = Duration::from_secs(900);

/// Virtual time in which healthy backends take all that they are owed.
const DRAIN_MAX: Duration = Duration::from_secs(300);

/// How long a sync takes at most, and the watch over the power.
const SYNC_MAX: Duration = Duration::from_millis(30);

/// One world.
pub struct Run {
    tasks: SimTasks,
    setup: Rc<Setup>,
    record: Rc<Record>,
    models: Rc<Vec<Rc<Model>>>,
    is_healed: Rc<Cell<bool>>,
}

/// A process that runs.
struct Process {
    group: Group,
    node: Rc<Node>,
    busy: Rc<Cell<u64>>,
}

/// What was found when a run is over, and how long it lasted.
pub struct Outcome(Rc<Record>, Duration);

impl Outcome {
    pub fn violations(&self) -> Vec<String> {
        self.0.violations.borrow().clone()
    }

    /// In its own time.
    pub fn lasted(&self) -> Duration {
        self.1
    }

    /// Acknowledged points that some backend lacks.
    pub fn missing_points(&self) -> usize {
        self.0.missing_points.borrow().len()
    }

    /// Requests for which there was no room.
    pub fn refused_for_room(&self) -> usize {
        let operations = self.0.operations.borrow();
        operations.iter().filter(|operation| operation.answer.contains("is full")).count()
    }

    pub fn story(&self) -> String {
        self.0.story.borrow().join("\n")
    }
}

impl Run {
    pub fn new(seed: u64, tells: bool) -> Run {
        Run::of(seed, Shape::of(seed), tells)
    }

    /// A run of another shape than the seed's own.
    pub fn of(seed: u64, shape: Shape, tells: bool) -> Run {
        let tasks = SimTasks::new(seed);
        let record = Rc::new(Record::default());
        record.tells.set(tells);
        record.tell(0, || format!("{shape:#?}"));
        let kinds: Vec<Kind> = shape.circles.concat();
        let models = kinds.iter().enumerate().map(|(at, kind)| {
            let fates = [Fate::Conflict, Fate::Poison, Fate::Unreadable];
            let refuses = fates.into_iter().filter(|_| tasks.below(2) == 0).collect();
            let model = Model::new(at, *kind, &tasks, &record, refuses);
            for name in shape.places() {
                if !(shape.lacking && tasks.below(2) == 0) {
                    model.databases.borrow_mut().insert(name);
                }
            }
            Rc::new(model)
        });
        let models = Rc::new(models.collect::<Vec<_>>());
        record.windows.borrow_mut().resize(models.len(), Vec::new());
        let setup = Rc::new(Setup::new(&shape, &tasks));
        if shape.ack == Ack::Interval {
            record.risk.set(nanos(SYNC_INTERVAL + SYNC_MAX));
        }
        Run { tasks, setup, record, models, is_healed: Rc::default() }
    }

    pub fn play(self) -> Outcome {
        let (tasks, record) = (self.tasks.clone(), self.record.clone());
        if let Err(stuck) = tasks.run(RUN_MAX, async move { self.live().await }) {
            record.violation(format!("{stuck:?} after {} ms", tasks.now_ns() / 1_000_000));
        }
        Outcome(record, Duration::from_nanos(tasks.now_ns()))
    }

    async fn live(self) {
        let run = Rc::new(self);
        for model in run.models.iter() {
            model.set_mood(Mood::Well);
            run.tasks.spawn(run.clone().vex(model.clone()));
        }
        run.set_weather();
        let mut disk = SimDisk::default();
        let lives = run.setup.shape.lives.clone();
        for (turn, life) in lives.iter().enumerate() {
            if life.rots {
                rot::hit(&disk, &run.tasks, &run.record);
            }
            run.lose_cursors(&disk, life.cursors).await;
            let is_last = turn + 1 == lives.len();
            disk = run.clone().one_life(*life, disk, is_last).await;
        }
        for model in run.models.iter() {
            model.stop();
        }
        check::at_the_end(&run.setup, &run.models, &run.record, &disk);
    }

    fn tell(&self, text: impl FnOnce() -> String) {
        self.record.tell(self.tasks.now_ns(), text);
    }

    async fn lose_cursors(&self, disk: &SimDisk, cursors: Cursors) {
        let chosen = u16::try_from(self.tasks.below(3)).unwrap();
        if cursors == Cursors::AllLost {
            self.record.lost_all.set(self.tasks.now_ns());
        }
        let cursors_left =
            |disk: &SimDisk| disk.paths().iter().filter(|path| path.ends_with("cursors")).count();
        let before = cursors_left(disk);
        for log in 0..3 {
            let is_lost = match cursors {
                Cursors::Kept => false,
                Cursors::OneLost => log == chosen,
                Cursors::AllLost => true,
            };
            let path = log_directory(log).join("cursors");
            if is_lost && disk.bytes(&path).is_some() {
                self.tell(|| format!("the cursors of log {log} are lost"));
                let disk = crate::rt::Disk::Sim(disk.clone());
                disk.remove(&path).await.unwrap();
                disk.sync_directory(&log_directory(log)).await.unwrap();
            }
        }
        if before > 0 && cursors_left(disk) == 0 {
            self.record.has_lost_every.set(true);
        }
    }

    async fn one_life(self: Rc<Self>, life: Life, disk: SimDisk, is_last: bool) -> SimDisk {
        self.tell(|| format!("{life:?}"));
        disk.be_slow();
        self.plant(&disk, life);
        let born = self.tasks.now_ns();
        let group = self.tasks.group();
        let node = self.start(group, &disk, life).await;
        let node = match node {
            Ok(node) => node,
            Err(error) => {
                self.tell(|| format!("no start: {error}"));
                self.tasks.kill(group);
                let disk = self.after(&disk, life.ends);
                let again = Life { fault: None, cursors: Cursors::Kept, ..life };
                // It is tried again without a failing disk.
                let ends =
                    if matches!(life.ends, Ends::PowerAt(_)) { Ends::Clean } else { life.ends };
                return Box::pin(self.one_life(Life { ends, ..again }, disk, is_last)).await;
            }
        };
        let process = Process { group, node: Rc::new(node), busy: Rc::new(Cell::new(0)) };
        self.tell(|| "the gateway serves".to_owned());
        let tasks_at_start = self.tasks.tasks_in(group);
        self.send_clients(&process, life.absent);
        self.wait_for_end(&process, &disk, life.ends, born).await;
        if is_last {
            self.finish(&process, tasks_at_start).await;
        }
        if matches!(life.ends, Ends::Clean) && !disk.stopped() {
            self.end(&process).await;
        }
        self.tell(|| format!("the process ends: {:?}", life.ends));
        self.tasks.kill(process.group);
        self.after(&disk, life.ends)
    }

    fn plant(&self, disk: &SimDisk, life: Life) {
        let now = disk.operations();
        match (life.ends, life.fault) {
            (Ends::PowerAt(at), _) => disk.plant(now + at, Fault::PowerCut),
            (_, Some((from, count, fault))) => {
                disk.plant_many(now + from..now + from + count, fault);
            }
            _ => {}
        }
    }

    async fn start(&self, group: Group, disk: &SimDisk, life: Life) -> Result<Node, String> {
        let started: Rc<RefCell<Option<Result<Node, String>>>> = Rc::default();
        let (slot, setup, on) = (started.clone(), self.setup.clone(), disk.clone());
        self.tasks.spawn_in(group, async move {
            let outcome = setup.start(on, life.shards, life.absent).await;
            *slot.borrow_mut() = Some(outcome);
        });
        loop {
            if let Some(outcome) = started.take() {
                return outcome;
            }
            if disk.stopped() {
                return Err("the power is gone".to_owned());
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn send_clients(&self, process: &Process, absent: Option<usize>) {
        for _ in 0..self.setup.shape.connections {
            let connection = self.record.connections.get();
            self.record.connections.set(connection + 1);
            let shards = process.node.ingests.len() as u64;
            let shard = usize::try_from(self.tasks.below(shards)).unwrap();
            let client = Client {
                connection,
                shape: self.setup.shape.clone(),
                ingest: process.node.ingests[shard].clone(),
                absent,
                record: self.record.clone(),
                models: self.models.clone(),
                tasks: self.tasks.clone(),
            };
            let busy = process.busy.clone();
            busy.set(busy.get() + 1);
            self.tasks.spawn_in(process.group, async move {
                client.run().await;
                busy.set(busy.get() - 1);
            });
        }
    }

    /// Watches until the process is to end.
    async fn wait_for_end(&self, process: &Process, disk: &SimDisk, ends: Ends, born: u64) {
        loop {
            self.watch(process);
            let age = (self.tasks.now_ns() - born) / 1_000_000;
            let is_over = match ends {
                Ends::Clean => process.busy.get() == 0,
                Ends::Killed(ms) | Ends::Power(ms) => age >= ms,
                Ends::PowerAt(_) => {
                    // With all sent and nothing more to come the power goes anyway.
                    disk.stopped() || process.busy.get() == 0 && age > 2000
                }
            };
            if is_over || disk.stopped() {
                return;
            }
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Notes what may change and what has bounds.
    fn watch(&self, process: &Process) {
        let now = self.tasks.now_ns();
        for (at, windows) in self.record.windows.borrow_mut().iter_mut().enumerate() {
            let backend = BackendId(u16::try_from(at).unwrap());
            let window = nanos(process.node.board.order_window(backend));
            if windows.last().is_none_or(|(_, last)| *last != window) {
                windows.push((now, window));
            }
        }
        for ingest in &process.node.ingests {
            let hot = ingest.outlet.log.hot_bytes();
            let most = process.node.hot_bytes_max + crate::base::limits::FRAME_BYTES_MAX;
            if hot > most {
                self.record.violation(format!("the hot window holds {hot} bytes"));
            }
            for feed in ingest.outlets().flat_map(|outlet| outlet.feeds()) {
                let held = feed.queue.borrow().window_bytes();
                if held > WINDOW_BYTES_MAX + crate::base::limits::FRAME_BYTES_MAX {
                    self.record.violation(format!("the window of a queue holds {held} bytes"));
                }
            }
        }
    }

    /// Heals the backends and waits until nothing is owed.
    async fn finish(&self, process: &Process, tasks_at_start: usize) {
        self.is_healed.set(true);
        self.tasks.net().set_weather(Weather::CALM);
        for model in self.models.iter() {
            model.set_mood(Mood::Well);
            model.databases.borrow_mut().extend(self.setup.shape.places());
        }
        let end = self.tasks.now_ns() + nanos(DRAIN_MAX);
        let mut turn = 0;
        while !process.node.is_drained() {
            self.watch(process);
            if self.tasks.now_ns() > end {
                self.record.violation(format!("not drained: {}", owed(&process.node)));
                return;
            }
            sleep(Duration::from_millis(2)).await;
            turn += 1;
            if turn % 25 == 0 {
                // Whoever locked a database out has just let it in again: statements ask for a look.
                process.node.ingests[0].facts.asked.raise();
            }
        }
        sleep(Duration::from_secs(3)).await;
        let left = self.tasks.tasks_in(process.group);
        // A statement's or request's own tasks are gone; adopted logs have none that end.
        if left > tasks_at_start {
            self.record.violation(format!("{left} tasks are left of {tasks_at_start}"));
        }
    }

    async fn end(&self, process: &Process) {
        let (node, group) = (process.node.clone(), self.tasks.group());
        let is_done = Rc::new(Cell::new(false));
        let done = is_done.clone();
        self.tasks.spawn_in(group, async move {
            node.end().await;
            done.set(true);
        });
        let limit = self.tasks.now_ns() + nanos(Duration::from_secs(60));
        while !is_done.get() {
            if self.tasks.now_ns() > limit {
                self.record.violation("the process does not end".to_owned());
                break;
            }
            sleep(Duration::from_millis(5)).await;
        }
        self.tasks.kill(group);
    }

    /// The disk that the next life finds.
    fn after(&self, disk: &SimDisk, ends: Ends) -> SimDisk {
        let has_power = !disk.stopped() && matches!(ends, Ends::Killed(_) | Ends::Clean);
        if !has_power {
            self.record.cuts.borrow_mut().push(self.tasks.now_ns());
        }
        let all = has_power || self.tasks.below(4) == 0;
        let names = all || self.tasks.below(2) == 0;
        disk.power_cut(names, |_| all || self.tasks.below(2) == 0)
    }

    fn set_weather(&self) {
        let trouble = self.setup.shape.trouble;
        self.tasks.net().set_weather(Weather {
            delay_max: Duration::from_micros(200 + 400 * trouble),
            refuse: 10 * trouble,
            mute: if self.setup.shape.brisk { 0 } else { 5 * trouble },
            break_off: 60 * trouble,
        });
    }

    /// Gives a backend another mood from time to time.
    async fn vex(self: Rc<Self>, model: Rc<Model>) {
        if self.setup.shape.trouble == 0 {
            return;
        }
        while !self.is_healed.get() {
            let calm = 1600 / self.setup.shape.trouble;
            sleep(Duration::from_millis(self.tasks.below(calm))).await;
            if self.is_healed.get() {
                return;
            }
            let (mood, ms) = self.mood();
            model.set_mood(mood);
            sleep(Duration::from_millis(ms)).await;
            if self.is_healed.get() {
                return;
            }
            model.set_mood(Mood::Well);
        }
    }

    fn mood(&self) -> (Mood, u64) {
        let some = |bound| 20 + self.tasks.below(bound);
        let brisk = self.setup.shape.brisk;
        match self.tasks.below(8) {
            0 | 1 => (Mood::Moody, some(800)),
            2 => (Mood::Slow(if brisk { some(5) } else { some(300) }), some(600)),
            3 if brisk => (Mood::Down, some(100)),
            3 if self.tasks.below(8) == 0 => (Mood::Hanging, 10_000 + some(5000)),
            3 => (Mood::Hanging, some(1500)),
            4 | 5 => (Mood::Down, some(1500)),
            6 => (Mood::Overloaded, some(500)),
            _ => (Mood::Locked, some(300)),
        }
    }
}

fn owed(node: &Node) -> String {
    let mut text = String::new();
    for backend in 0..node.board.backends_count() {
        let backend = BackendId(u16::try_from(backend).unwrap());
        let oldest: Vec<_> = node.board.cells_of(backend).map(|cell| cell.oldest()).collect();
        let condition = node.board.condition(backend);
        let error = node.board.last_error(backend);
        text.push_str(&format!("backend {backend} {condition:?} {error:?} {oldest:?}; "));
    }
    for entry in node.board.parked.entries().iter() {
        text.push_str(&format!("parked {} {:?} {:?}", entry.backend, entry.reason, entry.oldest()));
    }
    text
}
