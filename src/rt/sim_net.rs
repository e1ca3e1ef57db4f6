//! Sockets in memory: bytes arrive late and in pieces; connections are refused, time out, or break at any
//! byte, as the seed and the weather say.

use super::sim_tasks::SimTasks;
use super::{Signal, within};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// Bytes that a connection holds before its writer waits.
const PIPE_BYTES_MAX: usize = 16 * 1024;

/// A connection that breaks does so within this many bytes of either side.
const BREAK_BYTES_MAX: u64 = 6_000;

/// How the network fares. Chances are in a thousand.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub delay_max: Duration,
    /// A connection that is asked for is refused.
    pub refuse: u64,
    /// Nobody answers to a connection that is asked for.
    pub mute: u64,
    /// A connection breaks at some byte.
    pub break_off: u64,
}

impl Weather {
    pub const CALM: Weather =
        Weather { delay_max: Duration::from_micros(200), refuse: 0, mute: 0, break_off: 0 };
}

/// All listeners and the weather of one simulated world.
pub struct SimNet {
    listeners: RefCell<BTreeMap<SocketAddr, Rc<Door>>>,
    weather: Cell<Weather>,
    ends: RefCell<BTreeMap<u64, End>>,
    next_end: Cell<u64>,
}

/// What can be stopped by its number.
enum End {
    Stream([Rc<Pipe>; 2]),
    Listener(SocketAddr, Rc<Door>),
}

/// Where connections wait to be accepted.
struct Door {
    waiting: RefCell<VecDeque<SimStream>>,
    knock: Signal,
    is_closed: Cell<bool>,
}

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    /// When each piece arrives, and the piece.
    pieces: RefCell<VecDeque<(u64, Vec<u8>)>>,
    bytes: Cell<usize>,
    written: Cell<u64>,
    breaks_at: Cell<Option<u64>>,
    is_ended: Cell<bool>,
    is_broken: Cell<bool>,
    /// Nobody will read what comes.
    is_deaf: Cell<bool>,
    changed: Signal,
    drained: Signal,
}

pub struct SimListener {
    tasks: SimTasks,
    number: u64,
    address: SocketAddr,
    door: Rc<Door>,
}

pub struct SimStream {
    tasks: SimTasks,
    number: u64,
    input: Rc<Pipe>,
    output: Rc<Pipe>,
    read_limit: Cell<Option<Duration>>,
    write_limit: Cell<Option<Duration>>,
    peer: SocketAddr,
}

enum Next {
    Bytes(usize),
    At(u64),
    Wait,
}

impl Default for SimNet {
    fn default() -> SimNet {
        SimNet {
            listeners: RefCell::default(),
            weather: Cell::new(Weather::CALM),
            ends: RefCell::default(),
            next_end: Cell::new(0),
        }
    }
}

impl SimNet {
    pub fn set_weather(&self, weather: Weather) {
        self.weather.set(weather);
    }

    /// Ends of connections that are open.
    pub fn open_ends(&self) -> usize {
        self.ends.borrow().len()
    }

    fn number(&self) -> u64 {
        self.next_end.set(self.next_end.get() + 1);
        self.next_end.get()
    }

    /// Ends a connection or stops a listener by its number.
    pub(super) fn stop(&self, number: u64) {
        match self.ends.borrow().get(&number) {
            Some(End::Stream(pipes)) => pipes.iter().for_each(|pipe| pipe.end()),
            Some(End::Listener(address, door)) => {
                self.listeners.borrow_mut().remove(address);
                door.close();
            }
            None => {}
        }
    }
}

impl SimListener {
    pub(super) fn bind(tasks: &SimTasks, address: SocketAddr) -> io::Result<SimListener> {
        let mut listeners = tasks.net().listeners.borrow_mut();
        if listeners.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let door = Rc::new(Door {
            waiting: RefCell::default(),
            knock: Signal::new(),
            is_closed: Cell::new(false),
        });
        listeners.insert(address, door.clone());
        let number = tasks.net().number();
        let end = End::Listener(address, door.clone());
        tasks.net().ends.borrow_mut().insert(number, end);
        Ok(SimListener { tasks: tasks.clone(), number, address, door })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn accept(&self) -> io::Result<SimStream> {
        loop {
            let next = self.door.waiting.borrow_mut().pop_front();
            if let Some(stream) = next {
                return Ok(stream);
            }
            if self.door.is_closed.get() {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            self.door.knock.wait().await;
        }
    }
}

impl Door {
    fn close(&self) {
        self.is_closed.set(true);
        self.knock.raise();
    }
}

impl Drop for SimListener {
    fn drop(&mut self) {
        let net = self.tasks.net();
        net.stop(self.number);
        net.ends.borrow_mut().remove(&self.number);
        let left = self.door.waiting.take();
        drop(left);
    }
}

impl SimStream {
    pub(super) async fn connect(
        tasks: &SimTasks,
        address: SocketAddr,
        limit: Duration,
    ) -> io::Result<SimStream> {
        let weather = tasks.net().weather.get();
        if tasks.below(1000) < weather.mute {
            tasks.sleep(limit).await;
            return Err(io::ErrorKind::TimedOut.into());
        }
        tasks.dawdle(weather.delay_max).await;
        let door = tasks.net().listeners.borrow().get(&address).cloned();
        let refused = tasks.below(1000) < weather.refuse;
        let Some(door) = door.filter(|door| !refused && !door.is_closed.get()) else {
            return Err(io::ErrorKind::ConnectionRefused.into());
        };
        let (there, back) = (Rc::new(Pipe::default()), Rc::new(Pipe::default()));
        if tasks.below(1000) < weather.break_off {
            let at = Some(tasks.below(BREAK_BYTES_MAX));
            if tasks.below(2) == 0 { &there } else { &back }.breaks_at.set(at);
        }
        door.waiting.borrow_mut().push_back(SimStream::new(tasks, &there, &back, address));
        door.knock.raise();
        Ok(SimStream::new(tasks, &back, &there, address))
    }

    fn new(tasks: &SimTasks, input: &Rc<Pipe>, output: &Rc<Pipe>, peer: SocketAddr) -> SimStream {
        let number = tasks.net().number();
        let (input, output) = (input.clone(), output.clone());
        tasks.net().ends.borrow_mut().insert(number, End::Stream([input.clone(), output.clone()]));
        let (read_limit, write_limit) = (Cell::new(None), Cell::new(None));
        SimStream { tasks: tasks.clone(), number, input, output, read_limit, write_limit, peer }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn peer_address(&self) -> SocketAddr {
        self.peer
    }

    pub(super) fn set_read_timeout(&self, limit: Option<Duration>) {
        self.read_limit.set(limit);
    }

    pub(super) fn set_write_timeout(&self, limit: Option<Duration>) {
        self.write_limit.set(limit);
    }

    pub(super) async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let work = async {
            loop {
                match self.input.take(self.tasks.now_ns(), buffer)? {
                    Next::Bytes(count) => return Ok(count),
                    Next::At(at) => {
                        let wait = Duration::from_nanos(at - self.tasks.now_ns());
                        self.tasks.sleep(wait).await;
                    }
                    Next::Wait => self.input.changed.wait().await,
                }
            }
        };
        in_time(self.read_limit.get(), work).await
    }

    pub(super) async fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let all = rest.len() as u64;
            let some = if self.tasks.below(3) > 0 { all } else { 1 + self.tasks.below(all) };
            let (piece, later) = rest.split_at(usize::try_from(some).unwrap_or(rest.len()));
            in_time(self.write_limit.get(), self.room()).await?;
            let delay = self.tasks.net().weather.get().delay_max;
            let delay = u64::try_from(delay.as_nanos()).unwrap_or(0);
            let at = self.tasks.now_ns() + self.tasks.below(delay);
            if !self.output.put(at, piece) {
                self.input.break_off();
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            rest = later;
            if !rest.is_empty() {
                self.tasks.dawdle(Duration::from_micros(50)).await;
            }
        }
        Ok(())
    }

    async fn room(&self) -> io::Result<()> {
        loop {
            if self.output.is_broken.get() {
                return Err(io::ErrorKind::ConnectionReset.into());
            }
            if self.output.is_deaf.get() || self.output.is_ended.get() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if self.output.bytes.get() < PIPE_BYTES_MAX {
                return Ok(());
            }
            self.output.drained.wait().await;
        }
    }

    pub(super) fn finish_writing(&self) {
        self.output.end();
    }
}

async fn in_time<T>(
    limit: Option<Duration>,
    work: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    match limit {
        Some(limit) => within(limit, work).await.unwrap_or(Err(io::ErrorKind::TimedOut.into())),
        None => work.await,
    }
}

impl Drop for SimStream {
    fn drop(&mut self) {
        self.output.end();
        self.input.is_deaf.set(true);
        self.input.drained.raise();
        self.tasks.net().ends.borrow_mut().remove(&self.number);
    }
}

impl Pipe {
    fn take(&self, now: u64, buffer: &mut [u8]) -> io::Result<Next> {
        let mut pieces = self.pieces.borrow_mut();
        let Some((at, piece)) = pieces.front_mut() else {
            return match (self.is_broken.get(), self.is_ended.get()) {
                (true, _) => Err(io::ErrorKind::ConnectionReset.into()),
                (false, true) => Ok(Next::Bytes(0)),
                (false, false) => Ok(Next::Wait),
            };
        };
        if *at > now {
            return Ok(Next::At(*at));
        }
        let count = piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&piece[..count]);
        piece.drain(..count);
        if piece.is_empty() {
            pieces.pop_front();
        }
        self.bytes.set(self.bytes.get() - count);
        self.drained.raise();
        Ok(Next::Bytes(count))
    }

    /// Returns whether the connection still holds.
    fn put(&self, at: u64, piece: &[u8]) -> bool {
        let room = self.breaks_at.get().map_or(u64::MAX, |end| end - self.written.get());
        let count = piece.len().min(usize::try_from(room).unwrap_or(usize::MAX));
        if count > 0 {
            let mut pieces = self.pieces.borrow_mut();
            let at = pieces.back().map_or(at, |(last, _)| at.max(*last));
            pieces.push_back((at, piece[..count].to_vec()));
        }
        self.bytes.set(self.bytes.get() + count);
        self.written.set(self.written.get() + count as u64);
        if count < piece.len() {
            self.break_off();
        }
        self.changed.raise();
        count == piece.len()
    }

    fn break_off(&self) {
        self.is_broken.set(true);
        self.changed.raise();
        self.drained.raise();
    }

    fn end(&self) {
        self.is_ended.set(true);
        self.changed.raise();
        self.drained.raise();
    }
}
