//! A model of an InfluxDB server: speaks HTTP/1.1 over simulated sockets, keeps what it is sent in the
//! order in which it applied it, and misbehaves as it is told.
//!
//! Requests are applied one after the other in the order in which they arrived whole, also those whose
//! client has given up in the meantime.

use super::record::{Fate, Record, What};
use crate::config::checked::Kind;
use crate::proto::http::body::{Body, Framing};
use crate::proto::http::request::{Head, Method};
use crate::proto::http::{request, scan::Scan};
use crate::rt::net::{Listener, Stream};
use crate::rt::sim_tasks::{Group, SimTasks};
use crate::rt::{Lane, Signal, sleep, spawn, within};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

/// How a server fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// Each request may meet another trouble.
    Moody,
    /// Each write takes so many milliseconds.
    Slow(u64),
    /// Nothing is applied or answered before this mood ends.
    Hanging,
    /// Nobody listens.
    Down,
    /// Writes are answered 429 or 503.
    Overloaded,
    /// Writes are answered 401.
    Locked,
}

/// Trouble of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    None,
    Busy(u16),
    /// A part was applied, then it failed.
    HalfWay,
    /// Applied, but a gateway in between says that it was not.
    Gateway(u16),
    ResetBefore,
    ResetAfter,
}

pub struct Model {
    pub place: usize,
    pub kind: Kind,
    pub address: SocketAddr,
    pub mood: Cell<Mood>,
    pub databases: RefCell<BTreeSet<String>>,
    /// Fates that it refuses.
    pub refuses: Vec<Fate>,
    pub body_bytes_max: usize,
    /// When each point was applied last: turn and time.
    pub applied: RefCell<BTreeMap<usize, (u64, u64)>>,
    /// The same of statements.
    pub executed: RefCell<BTreeMap<usize, (u64, u64)>>,
    /// Databases that it did not take at some time.
    pub denied: RefCell<BTreeSet<String>>,
    pub record: Rc<Record>,
    tasks: SimTasks,
    group: Cell<Option<Group>>,
    turn: Cell<u64>,
    next_ticket: Cell<u64>,
    serving: Cell<u64>,
    moved: Signal,
}

/// What goes back; nothing means that the connection ends.
type Answer = Option<(u16, String)>;

impl Model {
    pub fn new(
        place: usize,
        kind: Kind,
        tasks: &SimTasks,
        record: &Rc<Record>,
        refuses: Vec<Fate>,
    ) -> Model {
        let port = 8000 + u16::try_from(place).unwrap();
        Model {
            place,
            kind,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            mood: Cell::new(Mood::Well),
            databases: RefCell::default(),
            refuses,
            body_bytes_max: usize::try_from(300 + tasks.below(6000)).unwrap(),
            applied: RefCell::default(),
            executed: RefCell::default(),
            denied: RefCell::default(),
            record: record.clone(),
            tasks: tasks.clone(),
            group: Cell::new(None),
            turn: Cell::new(0),
            next_ticket: Cell::new(0),
            serving: Cell::new(0),
            moved: Signal::new(),
        }
    }

    pub fn set_mood(self: &Rc<Self>, mood: Mood) {
        self.record.tell(self.tasks.now_ns(), || format!("backend {} is {mood:?}", self.place));
        self.mood.set(mood);
        if mood == Mood::Down {
            self.stop();
        } else if self.group.get().is_none() {
            self.start();
        }
        self.moved.raise();
    }

    fn start(self: &Rc<Self>) {
        let group = self.tasks.group();
        self.group.set(Some(group));
        let model = self.clone();
        self.tasks.spawn_in(group, async move {
            let listener = Listener::bind(model.address).unwrap();
            while let Ok(stream) = listener.accept().await {
                spawn(Lane::Serve, model.clone().serve(stream));
            }
        });
    }

    pub fn stop(&self) {
        if let Some(group) = self.group.take() {
            self.tasks.kill(group);
            self.serving.set(self.next_ticket.get());
        }
    }

    async fn serve(self: Rc<Self>, mut stream: Stream) {
        let mut bytes = Vec::new();
        let idle = Duration::from_millis(500 + self.tasks.below(60_000));
        loop {
            let next = within(idle, next_request(&mut stream, &mut bytes)).await;
            let Some(Some((head, body))) = next else { return };
            let Some((status, text)) = self.answer(&head, &body).await else { return };
            let closes = self.tasks.below(40) == 0;
            let out = response(&self.tasks, status, &text, closes);
            if stream.write_all(&out).await.is_err() || closes || !head.keep_alive {
                return;
            }
        }
    }

    async fn answer(&self, head: &Head, body: &[u8]) -> Answer {
        let params: BTreeMap<String, String> =
            form_urlencoded::parse(head.query.as_bytes()).into_owned().collect();
        match (head.path.as_str(), head.method == Method::Post) {
            ("/ping", _) => {
                while self.mood.get() == Mood::Hanging {
                    self.moved.wait().await;
                }
                Some((204, String::new()))
            }
            ("/write", true) => {
                let policy = params.get("rp").map(|policy| format!("/{policy}"));
                let place = format!("{}{}", params["db"], policy.unwrap_or_default());
                self.write(&place, body).await
            }
            ("/api/v2/write", true) => self.write(&params["bucket"], body).await,
            ("/query", false) => Some((200, self.show())),
            ("/query", true) => {
                let form: BTreeMap<_, _> = form_urlencoded::parse(body).into_owned().collect();
                let text = &form["q"];
                let name = text.split('"').nth(1).unwrap_or_default().to_owned();
                self.statement(&name, 200, "{\"results\":[{\"statement_id\":0}]}").await
            }
            ("/api/v2/buckets", false) => Some((200, self.buckets())),
            ("/api/v2/orgs", false) => Some((200, "{\"orgs\":[{\"id\":\"00ff\"}]}".to_owned())),
            ("/api/v2/buckets", true) => {
                let value: serde_json::Value = serde_json::from_slice(body).unwrap();
                let name = value["name"].as_str().unwrap().to_owned();
                self.statement(&name, 201, "{}").await
            }
            (path, _) => panic!("nobody asks a backend for {path}"),
        }
    }

    fn show(&self) -> String {
        let databases = self.databases.borrow();
        let databases = databases.iter().filter(|name| !name.contains('/'));
        let rows: Vec<_> = databases.map(|name| format!("[\"{name}\"]")).collect();
        let values = rows.join(",");
        format!(
            "{{\"results\":[{{\"series\":[{{\"name\":\"databases\",\"columns\":[\"name\"],\
             \"values\":[{values}]}}]}}]}}"
        )
    }

    fn buckets(&self) -> String {
        let rows: Vec<_> =
            self.databases.borrow().iter().map(|name| format!("{{\"name\":\"{name}\"}}")).collect();
        format!("{{\"buckets\":[{}]}}", rows.join(","))
    }

    fn next_turn(&self) -> (u64, u64) {
        self.turn.set(self.turn.get() + 1);
        (self.turn.get(), self.tasks.now_ns())
    }

    /// Waits until every request that arrived earlier is done with.
    async fn queue_up(&self) {
        let ticket = self.next_ticket.get();
        self.next_ticket.set(ticket + 1);
        while self.serving.get() < ticket || self.mood.get() == Mood::Hanging {
            self.moved.wait().await;
        }
        let wait = match self.mood.get() {
            Mood::Slow(ms) => Duration::from_millis(ms),
            _ => Duration::from_micros(100 + self.tasks.below(900)),
        };
        sleep(wait).await;
    }

    fn leave(&self) {
        self.serving.set(self.serving.get() + 1);
        self.moved.raise();
    }

    fn trouble(&self) -> Trouble {
        match self.mood.get() {
            Mood::Overloaded if self.tasks.below(2) == 0 => Trouble::Busy(503),
            Mood::Overloaded => Trouble::Busy(429),
            Mood::Moody => match self.tasks.below(14) {
                0 => Trouble::Busy(503),
                1 => Trouble::HalfWay,
                2 => Trouble::Gateway(504),
                3 => Trouble::Gateway(502),
                4 => Trouble::ResetBefore,
                5 => Trouble::ResetAfter,
                6 => Trouble::Gateway(500),
                _ => Trouble::None,
            },
            _ => Trouble::None,
        }
    }

    async fn statement(&self, name: &str, status: u16, text: &str) -> Answer {
        self.queue_up().await;
        let trouble = self.trouble();
        let applies =
            !matches!(trouble, Trouble::Busy(_) | Trouble::ResetBefore | Trouble::HalfWay);
        if applies {
            self.execute(name);
        }
        self.leave();
        match trouble {
            Trouble::None => Some((status, text.to_owned())),
            Trouble::Busy(status) => Some((status, error("busy"))),
            Trouble::HalfWay => Some((500, error("timeout"))),
            Trouble::Gateway(status) => Some((status, error("timeout"))),
            Trouble::ResetBefore | Trouble::ResetAfter => None,
        }
    }

    /// A name such as `delete-7` stands for operation 7; any other one is a database to be made.
    fn execute(&self, name: &str) {
        let Some(number) = name.strip_prefix("delete-") else {
            self.databases.borrow_mut().insert(name.to_owned());
            return;
        };
        let number: usize = number.parse().unwrap();
        let is_known = self
            .record
            .operations
            .borrow()
            .get(number)
            .is_some_and(|operation| matches!(operation.what, What::Delete(..)));
        assert!(is_known, "statement {number} was never sent");
        self.record.tell(self.tasks.now_ns(), || {
            format!("backend {} executes operation {number}", self.place)
        });
        self.executed.borrow_mut().insert(number, self.next_turn());
    }

    async fn write(&self, database: &str, body: &[u8]) -> Answer {
        self.queue_up().await;
        let answer = self.write_now(database, body);
        self.leave();
        answer
    }

    fn write_now(&self, database: &str, body: &[u8]) -> Answer {
        let text = std::str::from_utf8(body).unwrap();
        let points: Vec<usize> = text.lines().map(|line| self.read(database, line)).collect();
        if self.mood.get() == Mood::Locked {
            self.denied.borrow_mut().insert(database.to_owned());
            return Some((401, error("authorization failed")));
        }
        if body.len() > self.body_bytes_max && points.len() > 1 {
            return Some((413, error("Request Entity Too Large")));
        }
        if !self.databases.borrow().contains(database) {
            self.denied.borrow_mut().insert(database.to_owned());
            return Some(match self.kind {
                Kind::Influxdb1 => match database.split_once('/') {
                    Some((_, policy)) => {
                        (404, error(&format!("retention policy not found: {policy}")))
                    }
                    None => (404, error(&format!("database not found: {database}"))),
                },
                _ => (404, error(&format!("bucket {database} not found"))),
            });
        }
        let trouble = self.trouble();
        match trouble {
            Trouble::Busy(status) => return Some((status, error("busy"))),
            Trouble::ResetBefore => return None,
            Trouble::HalfWay => {
                let some = usize::try_from(self.tasks.below(points.len() as u64 + 1)).unwrap();
                self.apply(points[..some].iter().filter(|point| self.fate(**point) == Fate::Good));
                return Some((500, error("timeout")));
            }
            _ => {}
        }
        let answer = self.judge(&points);
        match trouble {
            Trouble::Gateway(status) => Some((status, error("timeout"))),
            Trouble::ResetAfter => None,
            _ => Some(answer),
        }
    }

    /// What it does with a point.
    fn fate(&self, point: usize) -> Fate {
        let fate = self.record.points.borrow()[point].fate;
        if self.refuses.contains(&fate) { fate } else { Fate::Good }
    }

    fn judge(&self, points: &[usize]) -> (u16, String) {
        if points.iter().any(|point| self.fate(*point) == Fate::Poison) {
            return (500, error("panic: index out of range"));
        }
        if points.iter().any(|point| self.fate(*point) == Fate::Unreadable) {
            if self.tasks.below(2) == 0 {
                self.apply(points.iter().filter(|point| self.fate(**point) == Fate::Good));
            }
            return (400, error("unable to parse a line"));
        }
        self.apply(points.iter().filter(|point| self.fate(**point) == Fate::Good));
        let conflicts: Vec<_> =
            points.iter().filter(|point| self.fate(**point) == Fate::Conflict).collect();
        let Some(first) = conflicts.first() else { return (204, String::new()) };
        let measurement = self.record.points.borrow()[**first].register.measurement.clone();
        let dropped = conflicts.len();
        let status = if self.kind == Kind::Influxdb2 { 422 } else { 400 };
        (
            status,
            error(&format!(
                "partial write: field type conflict: input field \\\"v\\\" on measurement \
                 \\\"{measurement}\\\" is type integer, already exists as type float \
                 dropped={dropped}"
            )),
        )
    }

    fn apply<'a>(&self, points: impl Iterator<Item = &'a usize>) {
        let mut seen = Vec::new();
        for point in points {
            self.applied.borrow_mut().insert(*point, self.next_turn());
            seen.push(*point);
        }
        let now = self.tasks.now_ns();
        self.record.tell(now, || format!("backend {} applies points {seen:?}", self.place));
    }

    /// The number of the point that a line is, which must be as it was sent.
    fn read(&self, database: &str, line: &str) -> usize {
        let value = line.split("v=").nth(1).and_then(|rest| rest.split('i').next());
        let number: usize = value.and_then(|value| value.parse().ok()).unwrap_or(usize::MAX);
        let points = self.record.points.borrow();
        let sent = points.get(number).map(|point| (point.register.place(), point.line(number)));
        let came = (database.to_owned(), line.to_owned());
        if sent.as_ref() != Some(&came) {
            self.record
                .violation(format!("{came:?} came to backend {}, sent was {sent:?}", self.place));
        }
        number
    }
}

fn error(message: &str) -> String {
    format!("{{\"error\":\"{message}\"}}")
}

fn response(tasks: &SimTasks, status: u16, text: &str, closes: bool) -> Vec<u8> {
    let close = if closes { "Connection: close\r\n" } else { "" };
    let after = match status {
        429 | 503 if tasks.below(2) == 0 => "Retry-After: 1\r\n",
        _ => "",
    };
    let head = format!("HTTP/1.1 {status} Text\r\nX-Influxdb-Version: model\r\n{close}{after}");
    if status == 204 {
        return format!("{head}\r\n").into_bytes();
    }
    if tasks.below(3) == 0 && !text.is_empty() {
        let len = text.len();
        return format!("{head}Transfer-Encoding: chunked\r\n\r\n{len:x}\r\n{text}\r\n0\r\n\r\n")
            .into_bytes();
    }
    format!("{head}Content-Length: {}\r\n\r\n{text}", text.len()).into_bytes()
}

async fn next_request(stream: &mut Stream, bytes: &mut Vec<u8>) -> Option<(Head, Vec<u8>)> {
    let mut scan = Scan::default();
    let end = loop {
        if let Some(end) = scan.find(bytes).unwrap() {
            break end;
        }
        more(stream, bytes).await?;
    };
    let head = request::parse(&bytes[..end]).unwrap();
    bytes.drain(..end);
    let mut body = Body::new(head.body);
    let mut content = Vec::new();
    while !body.is_done() {
        let (taken, piece) = body.take(bytes).unwrap();
        content.extend_from_slice(piece);
        bytes.drain(..taken);
        if !body.is_done() {
            more(stream, bytes).await?;
        }
    }
    assert!(matches!(head.body, Framing::None | Framing::Length(_)));
    Some((head, content))
}

async fn more(stream: &mut Stream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut space = [0; 4096];
    let count = stream.read(&mut space).await.ok()?;
    bytes.extend_from_slice(&space[..count]);
    (count > 0).then_some(())
}
