//! A client, a connection and a write path that keeps its lines in a list.

use crate::backend::Cancel;
use crate::config::{Auth, Secret, ServerConfig};
use crate::ingest::accept::{Accepted, BadLines, Failure};
use crate::proto::http::request::Method;
use crate::proto::http::response::{self, Reader, Whole};
use crate::proto::line::{Lines, Rules};
use crate::ring::{Naming, Target};
use crate::rt::Clock;
use crate::server::answer::{self, Answer, Voice};
use crate::server::budget::Budget;
use crate::server::conn::About;
use crate::server::endpoint::{self, Call, Job};
use crate::server::front::{Role, Settings};
use crate::server::machine::{Machine, Request, Want};
use crate::server::{buckets, delete, health, page, ping, query, write};
use std::time::Duration;

pub struct World {
    pub settings: Settings,
    pub budget: Budget,
    pub databases: Vec<String>,
    /// Every line that was kept, with its database.
    pub kept: Vec<String>,
    /// Every InfluxQL text that came through.
    pub asked: Vec<String>,
}

/// What a client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub answers: Vec<Received>,
    pub interim: usize,
    /// The server ended the connection while the client would still have listened.
    pub closed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Those of a gateway that is open to everybody.
pub fn settings() -> Settings {
    let server = ServerConfig {
        body_bytes_max: 1_000_000,
        inflated_body_bytes_max: 2_000_000,
        header_timeout: Duration::from_secs(10),
        idle_timeout: Duration::from_secs(60),
        body_timeout: Duration::from_secs(30),
        body_rate_min: 1024,
        connections_max: 100,
        connections_per_address_max: None,
        shutdown_timeout: Duration::from_secs(30),
        memory_bytes: 8_000_000,
    };
    Settings {
        role: Role::Gateway,
        auth: Auth::Open,
        metrics_need_token: false,
        naming: Naming::new("default", &[]),
        server,
        accept_partial: false,
        debug_headers: false,
        shard: 0,
        shards: 1,
    }
}

impl World {
    pub fn new(tokens: &[&str], databases: &[&str]) -> World {
        let auth = if tokens.is_empty() {
            Auth::Open
        } else {
            Auth::of_secrets(tokens.iter().copied().map(Secret::new))
        };
        World {
            settings: Settings { auth, ..settings() },
            budget: Budget::new(8_000_000),
            databases: databases.iter().map(|name| (*name).to_owned()).collect(),
            kept: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Sends `input` in pieces and listens to the end. `hangs_up`: the client then sends its FIN.
    pub fn talk(&mut self, input: &[u8], piece: usize, hangs_up: bool) -> Seen {
        let mut session = Session {
            machine: Machine::default(),
            about: About::default(),
            call: None,
            out: Vec::new(),
            methods: Vec::new(),
        };
        let mut rest = input;
        let mut has_hung_up = false;
        let closed = loop {
            match session.machine.turn() {
                Want::Read(_) if rest.is_empty() && (!hangs_up || has_hung_up) => break false,
                Want::Read(_) => {
                    let space = session.machine.space();
                    let count = piece.min(rest.len()).min(space.len());
                    assert!(!space.is_empty());
                    space[..count].copy_from_slice(&rest[..count]);
                    session.machine.arrived(count);
                    has_hung_up = rest.is_empty();
                    rest = &rest[count..];
                }
                Want::Close => break !has_hung_up || !rest.is_empty(),
                want => session.step(self, want),
            }
        };
        let mut seen = read_answers(&session.out, &session.methods);
        seen.closed = closed || seen.answers.last().is_some_and(says_close);
        seen
    }

    /// One request, one answer.
    pub fn ask(&mut self, input: &[u8]) -> Received {
        let mut seen = self.talk(input, input.len(), false);
        assert_eq!(seen.answers.len(), 1, "{seen:?}");
        seen.answers.remove(0)
    }

    fn serve(&mut self, call: Call, request: &Request) -> Answer {
        let voice = call.voice;
        match call.job {
            Job::Write(plan) => {
                let outcome = self.lines(&plan, &request.body);
                write::conclude(&plan, outcome)
            }
            Job::Ping { is_verbose } => ping::handle(voice, is_verbose),
            Job::Setup { is_tried } => ping::setup(voice, is_tried),
            Job::Delete(params) => {
                match delete::read(&self.settings, voice, &params, &request.body) {
                    Ok(wanted) if self.knows(&wanted.target) => answer::empty(voice),
                    Ok(wanted) => answer::unknown_database(voice, &wanted.name),
                    Err(answer) => answer,
                }
            }
            Job::Buckets(..) => answer::not_yet(voice, "buckets"),
            Job::Orgs(params) => buckets::orgs(&self.settings.naming, voice, &params),
            Job::Mappings => buckets::mappings(&self.settings.naming),
            Job::Status => health::status(&health::Facts::default()),
            Job::Complete { backend } => answer::found("application/json", backend),
            Job::Reload => answer::found("application/json", "{}"),
            Job::Route(_) => answer::found("application/json", "{}"),
            Job::Tap(_) => answer::found("text/plain", ""),
            Job::Log => answer::found("text/plain", ""),
            Job::Page(part) => page::serve(part),
            Job::Health => health::health(&health::Facts::default()),
            Job::Ready => health::ready(&health::Facts::default()),
            Job::Metrics => answer::found("text/plain", "metrics\n"),
            Job::InfluxQl(params) => match query::read(params, request, &Cancel::default()) {
                Some(asked) => {
                    self.asked.push(asked.text);
                    answer::not_yet(voice, "queries")
                }
                None => query::no_question(voice),
            },
            Job::Flux(_) => answer::not_yet(voice, "queries"),
        }
    }

    fn knows(&self, target: &Target) -> bool {
        self.databases.iter().any(|known| **known == *target.database)
    }

    fn lines(&mut self, plan: &write::Plan, body: &[u8]) -> Result<Accepted, Failure> {
        if !self.knows(&plan.target) {
            return Err(Failure::UnknownDatabase);
        }
        let is_v2 = plan.bad_lines == BadLines::RefuseAll;
        let rules = Rules { precision: plan.precision, unsigned: true, nul_tag_key: true };
        let (mut good, mut bad, mut dropped) = (Vec::new(), Vec::new(), 0);
        for line in Lines::new(body, rules) {
            match line {
                Ok(line) => good.push(String::from_utf8_lossy(line.head).into_owned()),
                Err(error) => {
                    let error = if is_v2 { error.v2() } else { error };
                    dropped += u64::from(error.dropped());
                    bad.push(error.to_string());
                }
            }
        }
        let texts = bad.join("\n");
        if !bad.is_empty() && (is_v2 || good.is_empty()) {
            return Err(Failure::BadLines { texts, dropped });
        }
        let lines = good.len() as u64;
        self.kept.extend(good.into_iter().map(|line| format!("{}: {line}", plan.target.database)));
        let bad_lines = (!bad.is_empty()).then_some(texts);
        Ok(Accepted { lines, bad_lines, dropped, pending: Vec::new(), refused: Vec::new() })
    }
}

fn says_close(answer: &Received) -> bool {
    answer.field("connection") == Some("close")
}

/// What `conn` does, without its waiting.
struct Session {
    machine: Machine,
    about: About,
    call: Option<Call>,
    out: Vec<u8>,
    /// Of the requests, in order: an answer to HEAD has no body.
    methods: Vec<Method>,
}

impl Session {
    fn step(&mut self, world: &mut World, want: Want) {
        match want {
            Want::Breathe => {}
            Want::Continue => self.out.extend_from_slice(b"HTTP/1.1 100 Continue\r\n\r\n"),
            Want::Judge => self.judge(world),
            Want::Serve(request) => {
                let call = self.call.take().unwrap();
                let answer = world.serve(call, &request);
                self.answer(world, &answer);
            }
            Want::RefuseHead(error) => {
                self.about = About::default();
                self.methods.push(Method::Other);
                self.answer(world, &answer::bad_head(error));
            }
            Want::RefuseBody(fault) => {
                let answer = answer::bad_body(self.about.voice(), fault);
                self.answer(world, &answer);
            }
            Want::Read(_) | Want::Close => unreachable!("the client does these"),
        }
    }

    fn judge(&mut self, world: &World) {
        let head = self.machine.head().unwrap().clone();
        self.methods.push(head.method);
        match endpoint::judge(&world.settings, &head, &Clock::Real) {
            Ok(call) => {
                self.about = About::new(&head, call.endpoint);
                self.call = Some(call);
                let lease = world.budget.lease();
                if let Err(fault) = self.machine.admit(world.settings.limits(), lease) {
                    let voice: Voice = self.about.voice();
                    self.answer(world, &answer::bad_body(voice, fault));
                }
            }
            Err(refused) => {
                self.about = About::new(&head, refused.endpoint);
                self.answer(world, &refused.answer);
            }
        }
    }

    fn answer(&mut self, world: &World, answer: &Answer) {
        let keeps = self.machine.will_keep(!answer.closes);
        let own_id = || "own-id".to_owned();
        let frame = self.about.frame(&world.settings, "now".to_owned(), own_id, keeps);
        self.out.extend(answer.encode(&frame));
        self.machine.answered();
    }
}

fn read_answers(out: &[u8], methods: &[Method]) -> Seen {
    let mut answers = Vec::new();
    let mut at = 0;
    for method in methods {
        let mut reader = Reader::new(*method == Method::Head);
        let Some((head, length)) = reader.push(&out[at..]).expect("an answer") else { break };
        at += length;
        let mut whole = Whole::new(head);
        at += whole.push(&out[at..]).expect("a body");
        assert!(whole.is_done(), "every answer of ours says its length");
        let response::Head { status, fields, .. } = whole.head;
        answers.push(Received { status, fields, body: String::from_utf8(whole.content).unwrap() });
    }
    assert_eq!(at, out.len(), "nothing but answers: {}", String::from_utf8_lossy(&out[at..]));
    let interim = memchr::memmem::find_iter(out, b"HTTP/1.1 100 ").count();
    Seen { answers, interim, closed: false }
}
