//! What a seed decides before its world begins: how many of everything, and what goes wrong when.

use super::budgets::Budget;
use super::client::POLICY;
use crate::config::checked::{Ack, Kind};
use crate::rt::sim::Fault;

/// A small generator of numbers, for choices that a seed repeats.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0xA076_1D64_78BD_642F) ^ 0xE703_7ED1_A0B4_28DB)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }

    pub fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }
}

/// How the life of a process ends.
#[derive(Clone, Copy, Debug)]
pub enum Ends {
    /// Told to stop, and let finish.
    Clean,
    /// Killed after so many milliseconds: what was written stays.
    Killed(u64),
    /// The power goes after so many milliseconds.
    Power(u64),
    /// The power goes at an operation of the disk, counted from the start of this life.
    PowerAt(u64),
}

/// What happens to the cursors before a life begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursors {
    Kept,
    OneLost,
    AllLost,
}

/// One life of the gateway's process.
#[derive(Clone, Copy, Debug)]
pub struct Life {
    pub shards: u16,
    pub cursors: Cursors,
    /// From which operation on, how many, and what.
    pub fault: Option<(u64, u64, Fault)>,
    pub ends: Ends,
    /// A backend that the configuration does not name in this life.
    pub absent: Option<usize>,
    /// A bit of a segment flips before it.
    pub rots: bool,
}

/// A world, but for what its own dice decide on the way.
#[derive(Clone, Debug)]
pub struct Shape {
    pub circles: Vec<Vec<Kind>>,
    pub lives: Vec<Life>,
    pub ack: Ack,
    pub connections: u64,
    pub requests: u64,
    pub databases: u64,
    pub measurements: u64,
    pub series: u64,
    pub times: u64,
    /// In a hundred: statements, lines that some backend refuses.
    pub statements: u64,
    pub bad: u64,
    /// Databases that some backends lack at first.
    pub lacking: bool,
    /// Small commits share a request where nobody waits for it.
    pub lingers: bool,
    /// Databases have a second retention policy.
    pub policies: bool,
    /// How rough backends and network are: 0 is calm.
    pub trouble: u64,
    /// Requests are cut or answered too late so rarely that the order window stays small.
    pub brisk: bool,
    pub segment_pages: u64,
    pub hot_pages: u64,
    /// What logs and backlogs may take; nothing in an ordinary world.
    pub budget: Option<Budget>,
}

impl Shape {
    pub fn of(seed: u64) -> Shape {
        let mut shape = Shape::plain(seed);
        // Other dice, so that what a seed decides here leaves the rest of its world as it is.
        let dice = &mut Dice::new(!seed);
        if dice.one_in(5) {
            shape.sync_lazily();
        }
        if dice.one_in(4) {
            for life in shape.lives.iter_mut().skip(1) {
                life.rots = dice.one_in(2);
            }
        }
        if dice.one_in(4) {
            shape.leave_out(dice);
        }
        if dice.one_in(3) {
            shape.state_where_databases_wait(dice);
        }
        shape.lingers = dice.one_in(2);
        shape
    }

    /// Answers when it is written. One trouble of the disk at a time: a failing one keeps what was answered in
    /// memory until it works again, and then a power cut takes more than the last moments.
    fn sync_lazily(&mut self) {
        self.ack = Ack::Interval;
        for life in &mut self.lives {
            life.fault = life.fault.filter(|_| !matches!(life.ends, Ends::Power(_)));
        }
    }

    /// Backends lack databases or one of their policies, and clients delete in them meanwhile.
    fn state_where_databases_wait(&mut self, dice: &mut Dice) {
        (self.lacking, self.policies) = (true, dice.one_in(2));
        self.statements = dice.of(&[10, 20]);
    }

    /// A backend leaves the configuration for a life and returns.
    fn leave_out(&mut self, dice: &mut Dice) {
        let backends = self.circles.concat().len();
        let absent = usize::try_from(dice.below(backends as u64)).unwrap();
        let all_but_last = self.lives.len() - 1;
        for life in &mut self.lives[..all_but_last] {
            if backends > 1 && dice.one_in(2) {
                life.absent = Some(absent);
            }
        }
    }

    /// Without what came to the worlds later: ack `interval`, rot, backends that leave.
    pub fn plain(seed: u64) -> Shape {
        let mut dice = Dice::new(seed);
        let circles = (0..1 + dice.below(2)).map(|_| circle(&mut dice)).collect();
        let crashes = dice.of(&[0, 0, 1, 1, 2, 2, 3]);
        let first = 1 + dice.below(3);
        let mut lives: Vec<Life> =
            (0..=crashes).map(|turn| life(&mut dice, first, turn > 0)).collect();
        let last = lives.last_mut().unwrap();
        last.ends = Ends::Clean;
        Shape {
            circles,
            lives,
            ack: if dice.one_in(4) { Ack::Durable } else { Ack::Delivered },
            connections: 2 + dice.below(3),
            requests: dice.of(&[6, 12, 20]),
            databases: 1 + dice.below(2),
            measurements: 1 + dice.below(2),
            series: 1,
            times: 1 + dice.below(3),
            statements: dice.of(&[0, 0, 5, 15]),
            bad: dice.of(&[0, 0, 0, 8]),
            lacking: dice.one_in(3),
            policies: false,
            lingers: false,
            trouble: dice.of(&[0, 1, 1, 2, 3]),
            brisk: !dice.one_in(3),
            segment_pages: 12 + dice.below(6),
            hot_pages: 2 + dice.below(12),
            budget: None,
        }
    }
}

impl Shape {
    /// Databases and their policies, as 2.x names them.
    pub fn places(&self) -> Vec<String> {
        let databases = (0..self.databases).map(|number| format!("db{number}"));
        let policies = databases.clone().filter(|_| self.policies);
        databases.chain(policies.map(|name| format!("{name}/{POLICY}"))).collect()
    }

    /// Many short lives, many statements, backends that come and go: what a start does again is cut short
    /// by the next end.
    pub fn restless(seed: u64) -> Shape {
        let mut dice = Dice::new(seed);
        let mut shape = Shape::plain(seed);
        let shards = 2 + u16::try_from(dice.below(2)).unwrap();
        let mut lives = Vec::new();
        for _ in 0..5 {
            let ends = Ends::Killed(20 + dice.below(400));
            lives.push(Life {
                shards,
                cursors: Cursors::Kept,
                fault: None,
                ends,
                absent: None,
                rots: false,
            });
        }
        lives.push(Life { ends: Ends::Clean, ..lives[0] });
        (shape.lives, shape.circles) = (lives, vec![vec![Kind::Influxdb1]]);
        (shape.statements, shape.trouble, shape.brisk) = (20, 3, true);
        (shape.lacking, shape.bad, shape.times, shape.measurements) = (false, 0, 1, 1);
        (shape.connections, shape.requests, shape.databases) = (4, 12, 1);
        shape
    }

    /// The same where lines wait for a database while statements come and go.
    pub fn parking(seed: u64) -> Shape {
        let mut shape = Shape::restless(seed);
        shape.state_where_databases_wait(&mut Dice::new(!seed));
        shape
    }
}

fn circle(dice: &mut Dice) -> Vec<Kind> {
    (0..1 + dice.below(2))
        .map(|_| if dice.one_in(2) { Kind::Influxdb1 } else { Kind::Influxdb2 })
        .collect()
}

fn life(dice: &mut Dice, first: u64, is_later: bool) -> Life {
    let shards = if is_later && dice.one_in(3) { 1 + dice.below(3) } else { first };
    let cursors = match dice.below(8) {
        0 if is_later => Cursors::AllLost,
        1 | 2 if is_later => Cursors::OneLost,
        _ => Cursors::Kept,
    };
    let fault = dice.one_in(6).then(|| {
        let fault = dice.of(&[Fault::InputOutput, Fault::Full, Fault::ShortWrite]);
        (30 + dice.below(300), 1 + dice.below(8), fault)
    });
    // A short one ends while it still repeats what the one before left unconfirmed.
    let span = if dice.one_in(3) { 40 } else { 1500 };
    let ends = match dice.below(5) {
        0 => Ends::PowerAt(20 + dice.below(400)),
        1 | 2 => Ends::Power(10 + dice.below(span)),
        3 => Ends::Clean,
        _ => Ends::Killed(10 + dice.below(span)),
    };
    // One trouble of the disk at a time: it can only be planted once.
    let fault = fault.filter(|_| !matches!(ends, Ends::PowerAt(_)));
    let shards = u16::try_from(shards).unwrap();
    Life { shards, cursors, fault, ends, absent: None, rots: false }
}
