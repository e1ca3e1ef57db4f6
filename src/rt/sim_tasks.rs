//! An executor whose time and order are made from a seed: the same seed is the same run.
//!
//! One thread, one task at a time, the next one chosen by the seed among those that are ready. Time stands
//! still while a task computes, but for a moment after each poll, and jumps to the next timer when nothing
//! is ready. Tasks belong to groups; killing a group is what the end of a process is to its tasks.

use super::Clock;
use super::sim_net::SimNet;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Polls between two timers; more of them is a livelock.
const POLLS_MAX: u64 = 200_000;

/// Time after each poll, in nanoseconds: below this.
const POLL_NS: u64 = 2_000;

/// A timer comes late by less than this, in nanoseconds.
const LATE_NS: u64 = 50_000;

/// What ends together. The first task is in group 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Group(pub u32);

/// Why a run did not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stuck {
    /// Nothing is ready and no timer runs.
    Deadlock,
    /// Tasks wake each other and time does not go on.
    Livelock,
    /// The given time is over.
    Late,
}

/// Clones share it.
#[derive(Clone)]
pub struct SimTasks(Rc<Inner>);

struct Inner {
    now: Rc<Cell<u64>>,
    random: Cell<u64>,
    tasks: RefCell<BTreeMap<u64, Task>>,
    next_task: Cell<u64>,
    group: Cell<Group>,
    next_group: Cell<u32>,
    ready: RefCell<Vec<u64>>,
    woken: Receiver<u64>,
    wake: Sender<u64>,
    timers: RefCell<BTreeMap<(u64, u64), Waker>>,
    next_timer: Cell<u64>,
    net: SimNet,
}

struct Task {
    group: Group,
    /// Taken out while it is polled.
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    bell: Arc<Bell>,
}

/// Puts its task on the list of ready ones, once until it is polled.
struct Bell {
    task: u64,
    is_rung: AtomicBool,
    wake: Sender<u64>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        if !self.is_rung.swap(true, Ordering::Relaxed) {
            // The executor may have ended before a task that somebody still wants to wake.
            self.wake.send(self.task).unwrap_or(());
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<SimTasks>> = const { RefCell::new(None) };
}

/// The executor whose task is running on this thread.
pub fn current() -> Option<SimTasks> {
    CURRENT.with(|current| current.borrow().clone())
}

impl SimTasks {
    pub fn new(seed: u64) -> SimTasks {
        let (wake, woken) = channel();
        SimTasks(Rc::new(Inner {
            now: Rc::new(Cell::new(1_000_000_000)),
            random: Cell::new(seed.wrapping_mul(0xD6E8_FEB8_6659_FD93)),
            tasks: RefCell::default(),
            next_task: Cell::new(0),
            group: Cell::new(Group(0)),
            next_group: Cell::new(1),
            ready: RefCell::default(),
            woken,
            wake,
            timers: RefCell::default(),
            next_timer: Cell::new(0),
            net: SimNet::default(),
        }))
    }

    pub fn clock(&self) -> Clock {
        Clock::Sim(self.0.now.clone())
    }

    pub fn now_ns(&self) -> u64 {
        self.0.now.get()
    }

    pub fn net(&self) -> &SimNet {
        &self.0.net
    }

    /// A number below `bound`, by the seed.
    pub fn below(&self, bound: u64) -> u64 {
        let state = self.0.random.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.0.random.set(state);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }

    /// A group that nobody is in.
    pub fn group(&self) -> Group {
        let number = self.0.next_group.get();
        self.0.next_group.set(number + 1);
        Group(number)
    }

    /// Starts a task in the group of the one that runs.
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.spawn_in(self.0.group.get(), task);
    }

    pub fn spawn_in(&self, group: Group, task: impl Future<Output = ()> + 'static) {
        let number = self.0.next_task.get();
        self.0.next_task.set(number + 1);
        let bell = Bell { task: number, is_rung: AtomicBool::new(true), wake: self.0.wake.clone() };
        let task = Task { group, future: Some(Box::pin(task)), bell: Arc::new(bell) };
        self.0.tasks.borrow_mut().insert(number, task);
        self.0.ready.borrow_mut().push(number);
    }

    /// Drops every task of a group. Not to be called by one of them.
    pub fn kill(&self, group: Group) {
        let mut dead = Vec::new();
        self.0.tasks.borrow_mut().retain(|_, task| {
            let lives = task.group != group;
            if !lives {
                dead.push(task.future.take());
            }
            lives
        });
        // Dropped when the list is free again: what they held may wake others.
        drop(dead);
    }

    pub fn tasks_in(&self, group: Group) -> usize {
        self.0.tasks.borrow().values().filter(|task| task.group == group).count()
    }

    /// Runs `main` to its end; then every other task is dropped.
    pub fn run(
        &self,
        limit: Duration,
        main: impl Future<Output = ()> + 'static,
    ) -> Result<(), Stuck> {
        CURRENT.with(|current| *current.borrow_mut() = Some(self.clone()));
        let is_done = Rc::new(Cell::new(false));
        let done = is_done.clone();
        self.spawn_in(Group(0), async move {
            main.await;
            done.set(true);
        });
        let end = self.now_ns() + u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX / 2);
        let outcome = self.run_until(&is_done, end);
        let left = std::mem::take(&mut *self.0.tasks.borrow_mut());
        drop(left);
        CURRENT.with(|current| *current.borrow_mut() = None);
        outcome
    }

    fn run_until(&self, is_done: &Cell<bool>, end: u64) -> Result<(), Stuck> {
        let mut polls = 0;
        while !is_done.get() {
            if let Some(task) = self.next_ready() {
                self.poll(task);
                polls += 1;
                if polls > POLLS_MAX {
                    return Err(Stuck::Livelock);
                }
                self.0.now.set(self.now_ns() + self.below(POLL_NS));
            } else if !self.next_timer() {
                return Err(Stuck::Deadlock);
            } else {
                polls = 0;
            }
            if self.now_ns() > end {
                return Err(Stuck::Late);
            }
        }
        Ok(())
    }

    fn next_ready(&self) -> Option<u64> {
        self.ring_timers();
        let mut ready = self.0.ready.borrow_mut();
        ready.extend(self.0.woken.try_iter());
        if ready.is_empty() {
            return None;
        }
        let at = usize::try_from(self.below(ready.len() as u64)).unwrap_or(0);
        Some(ready.swap_remove(at))
    }

    fn poll(&self, number: u64) {
        let taken = {
            let mut tasks = self.0.tasks.borrow_mut();
            tasks.get_mut(&number).and_then(|task| {
                task.bell.is_rung.store(false, Ordering::Relaxed);
                Some((task.future.take()?, task.group, Waker::from(task.bell.clone())))
            })
        };
        // A killed task may still be on the list.
        let Some((mut future, group, waker)) = taken else { return };
        self.0.group.set(group);
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(()) => drop(self.0.tasks.borrow_mut().remove(&number)),
            Poll::Pending => {
                if let Some(task) = self.0.tasks.borrow_mut().get_mut(&number) {
                    task.future = Some(future);
                }
            }
        }
    }

    fn next_timer(&self) -> bool {
        let next = self.0.timers.borrow().keys().next().copied();
        let Some((at, _)) = next else { return false };
        self.0.now.set(at.max(self.now_ns()));
        self.ring_timers();
        true
    }

    fn ring_timers(&self) {
        let later = {
            let mut timers = self.0.timers.borrow_mut();
            let later = timers.split_off(&(self.now_ns() + 1, 0));
            std::mem::replace(&mut *timers, later)
        };
        for waker in later.into_values() {
            waker.wake();
        }
    }

    /// Ends after `wait`, and a moment late, as timers do.
    pub fn sleep(&self, wait: Duration) -> Sleep {
        let wait = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX / 4).min(u64::MAX / 4);
        let at = self.now_ns() + wait + self.below(LATE_NS);
        Sleep { tasks: self.clone(), at, timer: None }
    }

    /// Ends after a time below `limit`.
    pub fn dawdle(&self, limit: Duration) -> Sleep {
        let limit = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Sleep { tasks: self.clone(), at: self.now_ns() + self.below(limit), timer: None }
    }
}

/// A timer.
pub struct Sleep {
    tasks: SimTasks,
    at: u64,
    timer: Option<(u64, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let inner = self.tasks.0.clone();
        if inner.now.get() >= self.at {
            return Poll::Ready(());
        }
        let key = *self.timer.get_or_insert_with(|| {
            let number = inner.next_timer.get();
            inner.next_timer.set(number + 1);
            (0, number)
        });
        let key = (self.at, key.1);
        self.timer = Some(key);
        inner.timers.borrow_mut().insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.timer {
            self.tasks.0.timers.borrow_mut().remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rt::{Lane, Signal, sleep, spawn, within};

    const LONG: Duration = Duration::from_secs(1000);

    fn order_of(seed: u64) -> Vec<u32> {
        let tasks = SimTasks::new(seed);
        let order = Rc::new(RefCell::new(Vec::new()));
        let seen = order.clone();
        tasks
            .run(LONG, async move {
                for number in 0..8 {
                    let seen = seen.clone();
                    spawn(Lane::Serve, async move { seen.borrow_mut().push(number) });
                }
                sleep(Duration::from_secs(1)).await;
            })
            .unwrap();
        order.take()
    }

    #[test]
    fn a_seed_is_one_order_and_another_seed_another() {
        assert_eq!(order_of(1), order_of(1));
        assert!((2..9).any(|seed| order_of(seed) != order_of(1)));
        let mut all = order_of(3);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn time_jumps_to_the_next_timer() {
        let tasks = SimTasks::new(1);
        let clock = tasks.clock();
        let begun = clock.mono();
        tasks
            .run(LONG, async {
                assert!(within(Duration::from_secs(3), sleep(LONG)).await.is_none());
                assert!(
                    within(Duration::from_secs(3), sleep(Duration::from_secs(1))).await.is_some()
                );
            })
            .unwrap();
        let took = clock.mono().since(begun);
        assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(5), "{took:?}");
    }

    #[test]
    fn what_stands_still_or_runs_in_circles_is_told() {
        let stuck = |seed| SimTasks::new(seed).run(LONG, async { Signal::new().wait().await });
        assert_eq!(stuck(1), Err(Stuck::Deadlock));
        let circle = SimTasks::new(1).run(LONG, async {
            loop {
                futures_lite::future::yield_now().await;
            }
        });
        assert!(matches!(circle, Err(Stuck::Livelock)));
        let late = SimTasks::new(1).run(Duration::from_secs(1), sleep(LONG));
        assert_eq!(late, Err(Stuck::Late));
    }

    #[test]
    fn a_killed_group_drops_what_it_held() {
        let tasks = SimTasks::new(1);
        let (held, seen) = (Rc::new(()), tasks.clone());
        tasks
            .run(LONG, async move {
                let group = seen.group();
                let inside = held.clone();
                seen.spawn_in(group, async move {
                    let child = inside.clone();
                    spawn(Lane::Serve, async move {
                        sleep(LONG).await;
                        drop(child);
                    });
                    sleep(LONG).await;
                    drop(inside);
                });
                sleep(Duration::from_millis(1)).await;
                assert_eq!((seen.tasks_in(group), Rc::strong_count(&held)), (2, 3));
                seen.kill(group);
                assert_eq!((seen.tasks_in(group), Rc::strong_count(&held)), (0, 1));
            })
            .unwrap();
    }
}
