//! One connection: reads for the machine, serves what it brings, writes what is answered.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use super::answer::{self, Answer, Frame, Voice};
use super::endpoint::{self, Call, Endpoint, Job};
use super::front::{Behind, Front, Settings};
use super::gateway::Gateway;
use super::intake::Fault;
use super::machine::{Machine, Request, Wait, Want};
use super::meter::Rejection;
use super::pace::Pace;
use super::presence::Presence;
use super::query::Reply;
use super::{
    buckets, complete, delete, health, page, ping, query, reload, route, store, tap, write,
};
use crate::backend::Cancel;
use crate::backend::crowd::Guest;
use crate::base::time::Mono;
use crate::proto::http::request::{Encoding, Head, Method};
use crate::rt::breathe;
use crate::rt::net::Stream;
use crate::rt::tls::Refused;
use crate::telemetry::logs;

/// A client that sends nothing for so long in the middle of a body is a slow one.
const PAUSE: Duration = Duration::from_millis(50);

/// How long, and how much in bytes, a closing connection is read so that the client can read its answer.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What answers need to know of the request that they answer.
#[derive(Clone, Debug)]
pub struct About {
    endpoint: Endpoint,
    voice: Voice,
    version_11: bool,
    method: Method,
    request_id: Option<String>,
    origin: Option<String>,
}

impl Default for About {
    fn default() -> About {
        About {
            endpoint: Endpoint::Other,
            voice: Voice::default(),
            version_11: true,
            method: Method::Other,
            request_id: None,
            origin: None,
        }
    }
}

impl About {
    pub fn new(head: &Head, endpoint: Endpoint) -> About {
        let fields = &head.fields;
        About {
            endpoint,
            voice: Voice::of(&head.path, fields.accept.as_deref()),
            version_11: head.version_11,
            method: head.method,
            request_id: fields.x_request_id.clone().or_else(|| fields.request_id.clone()),
            origin: fields.origin.clone(),
        }
    }

    /// What the answer says besides its own fields. 1.x gives every request an id.
    pub fn frame(
        &self,
        settings: &Settings,
        date: String,
        own_id: impl FnOnce() -> String,
        keeps: bool,
    ) -> Frame {
        let is_v1 = self.voice.dialect == answer::Dialect::V1 && self.endpoint != Endpoint::Other;
        Frame {
            version_11: self.version_11,
            is_head: self.method == Method::Head,
            keeps,
            date,
            request_id: self.request_id.clone().or_else(|| is_v1.then(own_id)),
            origin: self.origin.clone(),
            is_preflight: self.method == Method::Options,
            voice: self.voice,
            shard: settings.debug_headers.then_some(settings.shard),
        }
    }

    pub fn voice(&self) -> Voice {
        self.voice
    }

    pub(super) fn frame_of(&self, front: &Front, keeps: bool) -> Frame {
        self.frame(&front.settings.get(), front.date(), || front.request_id(), keeps)
    }
}

/// Serves one connection, which has entered, to its end. Its address has it until then.
pub async fn serve(front: Rc<Front>, stream: Stream, guest: Option<Guest>) {
    let number = front.number();
    let Some(stream) = secure(&front, stream, number).await else { return front.left() };
    let mut connection = Connection {
        front: &front,
        stream,
        machine: Machine::default(),
        about: About::default(),
        call: None,
        number,
        has_served: false,
        pauses: false,
        head_began: None,
        pace: Pace::default(),
    };
    if connection.run().await.is_some() {
        connection.linger().await;
    }
    drop(connection);
    drop(guest);
    front.left();
}

/// The stream itself where the listener is plain; nothing if there is no handshake in time. Until then nothing was
/// asked, so that a drain may end it like an idle one.
async fn secure(front: &Front, stream: Stream, number: u64) -> Option<Stream> {
    let Some(door) = &front.door else { return Some(stream) };
    if front.is_draining() {
        return None;
    }
    front.is_idle(number, stream.stopper());
    let limit = front.settings.get().server.header_timeout;
    let frame = About::default().frame_of(front, false);
    let told = answer::no_tls().encode(&frame);
    let secured = stream.accept_tls(door, &front.clock, limit, &told).await;
    front.is_busy(number);
    match secured {
        Ok(stream) => return Some(stream),
        Err(Refused::Plain) => front.meters.rejected(Rejection::PlainHttp.word()),
        Err(Refused::Failed(error)) => {
            tracing::debug!(%error, "no handshake");
            front.meters.rejected(Rejection::BadHandshake.word());
        }
    }
    None
}

struct Connection<'a> {
    front: &'a Front,
    stream: Stream,
    machine: Machine,
    about: About,
    /// What the request whose body is coming in wants.
    call: Option<Call>,
    number: u64,
    has_served: bool,
    /// The client that sends a body has paused in it.
    pauses: bool,
    /// When the head that is coming in began.
    head_began: Option<Mono>,
    /// Of the body that is coming in.
    pace: Pace,
}

/// `None` ends the connection at once, without a farewell.
type Going = Option<()>;

impl Connection<'_> {
    async fn run(&mut self) -> Going {
        // An answer is a body, too: the client has to read on.
        self.stream.set_write_timeout(Some(self.front.settings.get().server.body_timeout)).ok()?;
        loop {
            match self.machine.turn() {
                Want::Read(wait) => {
                    if !self.read(wait).await? {
                        return Some(());
                    }
                }
                Want::Breathe => breathe().await,
                Want::Continue => {
                    self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
                }
                Want::Judge => self.judge().await?,
                Want::Serve(request) => self.work(*request).await?,
                Want::RefuseHead(error) => {
                    self.about = About::default();
                    self.reject(answer::bad_head(error), Rejection::BadHead).await?;
                }
                Want::RefuseBody(fault) => self.refuse_body(fault).await?,
                Want::Close => return Some(()),
            }
        }
    }

    /// Reads once; false if the client is too slow and was told.
    async fn read(&mut self, wait: Wait) -> Option<bool> {
        let Some(limit) = self.time_left(wait) else { return self.too_slow(wait).await };
        if wait == Wait::Idle {
            if self.front.is_draining() {
                return None;
            }
            self.front.is_idle(self.number, self.stream.stopper());
        }
        let began = self.front.clock.mono();
        let outcome = self.read_much(limit).await;
        match wait {
            Wait::Idle => self.front.is_busy(self.number),
            Wait::Head => {}
            Wait::Body => self.pace.waited(self.front.clock.mono().since(began)),
        }
        match outcome {
            Ok(count) => {
                self.machine.arrived(count);
                Some(true)
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => self.too_slow(wait).await,
            Err(_) => None,
        }
    }

    /// Reads once within `limit`. While much of a body is sure to come it is not woken for little, but whoever
    /// pauses in the middle is heard for every piece from then on.
    async fn read_much(&mut self, limit: Duration) -> io::Result<usize> {
        let awaited = self.machine.awaited();
        if awaited > 1 && !self.pauses {
            self.stream.wait_for(awaited);
            self.stream.set_read_timeout(Some(limit.min(PAUSE)))?;
            match self.stream.read(self.machine.space()).await {
                Err(error) if error.kind() == io::ErrorKind::TimedOut => self.pauses = true,
                outcome => return outcome,
            }
        }
        self.stream.wait_for(1);
        self.stream.set_read_timeout(Some(limit))?;
        self.stream.read(self.machine.space()).await
    }

    /// How long this read may take; nothing if the client has used up its time.
    fn time_left(&mut self, wait: Wait) -> Option<Duration> {
        let settings = self.front.settings.get();
        let server = &settings.server;
        match wait {
            Wait::Idle if self.has_served => Some(server.idle_timeout),
            // A new connection has to say something soon.
            Wait::Idle => Some(server.header_timeout),
            Wait::Head => {
                let now = self.front.clock.mono();
                let spent = now.since(*self.head_began.get_or_insert(now));
                server.header_timeout.checked_sub(spent).filter(|left| !left.is_zero())
            }
            Wait::Body => {
                let (bytes, grace) = (self.machine.body_bytes(), server.body_timeout);
                let is_slow = self.pace.is_slow(bytes, grace, server.body_rate_min);
                (!is_slow).then_some(grace)
            }
        }
    }

    /// Says so, unless the client only kept an idle connection.
    async fn too_slow(&mut self, wait: Wait) -> Option<bool> {
        if wait == Wait::Idle {
            return None;
        }
        if wait == Wait::Head {
            self.about = About::default();
        }
        self.front.meters.rejected(Rejection::TooSlow.word());
        self.send(&answer::too_slow(self.about.voice), false).await?;
        Some(false)
    }

    async fn judge(&mut self) -> Going {
        let head = self.machine.head().expect("the machine asks to judge a head");
        (self.head_began, self.pace) = (None, Pace::default());
        let settings = self.front.settings.get();
        // It may have changed since the connection began.
        self.stream.set_write_timeout(Some(settings.server.body_timeout)).ok()?;
        match endpoint::judge(&settings, head, &self.front.clock) {
            Ok(call) => {
                self.about = About::new(head, call.endpoint);
                self.call = Some(call);
                self.pauses = false;
                let lease = self.front.budget.lease();
                match self.machine.admit(settings.limits(), lease) {
                    Ok(()) => Some(()),
                    Err(fault) => self.refuse_body(fault).await,
                }
            }
            Err(refused) => {
                self.about = About::new(head, refused.endpoint);
                if let Some(why) = refused.why {
                    self.front.meters.rejected(why.word());
                }
                self.answer(refused.answer).await
            }
        }
    }

    async fn refuse_body(&mut self, fault: Fault) -> Going {
        let why = match fault {
            Fault::Framing(_) => Rejection::BadFraming,
            Fault::Gzip(_) => Rejection::BadGzip,
            Fault::TooLarge => Rejection::TooLarge,
            Fault::NoBudget => Rejection::NoBudget,
        };
        self.reject(answer::bad_body(self.about.voice, fault), why).await
    }

    async fn reject(&mut self, answer: Answer, why: Rejection) -> Going {
        self.front.meters.rejected(why.word());
        self.answer(answer).await
    }

    async fn work(&mut self, request: Request) -> Going {
        self.has_served = true;
        self.count(&request);
        let call = self.call.take().expect("a request was judged before its body came");
        if let Job::Write(_) = call.job {
            call.grant.has_written(request.wire_bytes, self.front.clock.mono());
        }
        let presence = Presence::new(&self.stream, &call.job);
        match dispatch(self.front, call, request, &presence.asker).await {
            Reply::Whole(answer) => {
                if answer.status == answer::FORBIDDEN {
                    self.front.meters.rejected(Rejection::Forbidden.word());
                }
                self.answer(answer).await
            }
            Reply::Streamed { status, fields, mut body } => {
                let keeps = self.machine.will_keep(self.may_keep() && self.about.version_11);
                let frame = self.about.frame_of(self.front, keeps);
                self.front.meters.request(self.about.endpoint.word(), status);
                let streamed =
                    answer::stream(&mut self.stream, &frame, status, &fields, &mut body).await;
                if let Err(broken) = streamed {
                    tracing::debug!(?broken, "an answer ended early");
                    if !self.about.version_11 {
                        // In HTTP/1.0 the end of a connection is the end of a whole answer.
                        self.stream.reset();
                    }
                    return None;
                }
                self.machine.answered();
                Some(())
            }
        }
    }

    fn count(&self, request: &Request) {
        let encoding = match request.head.encoding {
            Encoding::Gzip => "gzip",
            Encoding::Identity | Encoding::Other(_) => "identity",
        };
        self.front.meters.body_bytes(encoding, request.wire_bytes as u64);
    }

    fn may_keep(&self) -> bool {
        !self.front.is_draining()
    }

    async fn answer(&mut self, answer: Answer) -> Going {
        // What is read away afterwards has time of its own.
        self.pace = Pace::default();
        let keeps = self.machine.will_keep(!answer.closes && self.may_keep());
        self.send(&answer, keeps).await?;
        self.machine.answered();
        Some(())
    }

    async fn send(&mut self, answer: &Answer, keeps: bool) -> Going {
        self.front.meters.request(self.about.endpoint.word(), answer.status);
        let bytes = answer.encode(&self.about.frame_of(self.front, keeps));
        self.stream.write_all(&bytes).await.ok()
    }

    /// A connection that is closed with unread bytes is reset, and the reset can overtake the answer.
    async fn linger(&mut self) {
        self.stream.finish_writing();
        let deadline = self.front.clock.mono().after(LINGER);
        let mut bytes = 0;
        let mut buffer = vec![0; 64 * 1024];
        while bytes < LINGER_BYTES_MAX && self.front.clock.mono() < deadline {
            let timed = self.stream.set_read_timeout(Some(LINGER)).is_ok();
            match self.stream.read(&mut buffer).await {
                Ok(count) if count > 0 && timed => bytes += count,
                _ => return,
            }
        }
    }
}

async fn dispatch(front: &Front, call: Call, request: Request, asker: &Cancel) -> Reply {
    if matches!(call.job, Job::Metrics) {
        let text = (front.metrics)();
        return Reply::Whole(answer::found("text/plain; version=0.0.4; charset=utf-8", text));
    }
    match &front.behind {
        Behind::Gateway(gateway) => of_gateway(gateway, call, request, asker).await,
        Behind::Store(node) => store::handle(node, call, request, asker).await,
    }
}

async fn of_gateway(gateway: &Gateway, call: Call, request: Request, asker: &Cancel) -> Reply {
    let (voice, grant) = (call.voice, &call.grant);
    Reply::Whole(match call.job {
        Job::Write(plan) => write::handle(gateway, &plan, &request).await,
        Job::InfluxQl(params) => {
            return query::handle(gateway, voice, grant, params, request, asker).await;
        }
        Job::Flux(plan) => {
            return query::handle_flux(gateway, voice, grant, plan, request, asker).await;
        }
        Job::Ping { is_verbose } => ping::handle(voice, is_verbose),
        Job::Setup { is_tried } => ping::setup(voice, is_tried),
        Job::Delete(params) => delete::handle(gateway, voice, grant, &params, &request.body).await,
        Job::Buckets(job, params) => {
            buckets::handle(gateway, voice, grant, &job, &params, &request.body).await
        }
        Job::Orgs(params) => buckets::orgs(&gateway.settings.get().naming, voice, &params),
        Job::Mappings => buckets::mappings_for(&gateway.settings.get().naming, grant),
        Job::Status => health::status(&(gateway.facts)()),
        Job::Complete { backend } => complete::handle(gateway, voice, &backend).await,
        Job::Route(params) => {
            let topology = &gateway.ingest.facts.topology;
            route::handle(voice, &gateway.settings.get().naming, topology, &params)
        }
        Job::Tap(params) => return tap::handle(gateway, voice, grant, &params, asker),
        Job::Log => answer::found("text/plain; charset=utf-8", logs::recent()),
        Job::Page(part) => page::serve(part),
        Job::Reload => reload::handle(gateway, voice).await,
        Job::Health => health::health(&(gateway.facts)()),
        Job::Ready => health::ready(&(gateway.facts)()),
        Job::Metrics => unreachable!("answered for every role"),
    })
}
