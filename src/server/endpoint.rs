//! The table of endpoints: which path and method mean what, and what is refused before any body is read.

use super::answer::{self, Answer, Dialect, Voice};
use super::auth::{self, Grant};
use super::front::{Role, Settings};
use super::meter::Rejection;
use super::{buckets, complete, page, query, write};
use crate::config::Auth;
use crate::config::token::Need;
use crate::proto::http::body::Framing;
use crate::proto::http::params::Params;
use crate::proto::http::request::{Encoding, Head, Method};
use crate::rt::Clock;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Endpoint {
    WriteV1,
    WriteV2,
    QueryV1,
    QueryV2,
    Ping,
    Health,
    Ready,
    Metrics,
    Setup,
    Delete,
    Buckets,
    /// One bucket, by its id.
    Bucket,
    Orgs,
    Mappings,
    /// What `circlet status` prints.
    Status,
    /// `circlet backend mark-complete`.
    Complete,
    /// Where a measurement lives.
    Route,
    /// The last lines of the process's own log.
    Log,
    /// A sample of the lines that pass.
    Tap,
    /// The configuration is read again.
    Reload,
    /// The status page.
    Page,
    /// Known paths of 2.x that are still to come.
    Later,
    /// Everything else.
    Other,
}

impl Endpoint {
    fn find(path: &str) -> Endpoint {
        match path {
            "/write" => Endpoint::WriteV1,
            "/query" => Endpoint::QueryV1,
            "/ping" | "/status" => Endpoint::Ping,
            "/health" => Endpoint::Health,
            "/ready" => Endpoint::Ready,
            "/metrics" => Endpoint::Metrics,
            "/api/v2/write" => Endpoint::WriteV2,
            "/api/v2/query" => Endpoint::QueryV2,
            "/api/v2/setup" => Endpoint::Setup,
            "/-/status" => Endpoint::Status,
            "/-/route" => Endpoint::Route,
            "/-/log" => Endpoint::Log,
            "/-/tap" => Endpoint::Tap,
            "/-/reload" => Endpoint::Reload,
            "/api/v2/delete" => Endpoint::Delete,
            "/api/v2/buckets" => Endpoint::Buckets,
            "/api/v2/orgs" => Endpoint::Orgs,
            "/api/v2/dbrps" => Endpoint::Mappings,
            "/api/v2/query/ast" | "/api/v2/query/analyze" => Endpoint::Later,
            path if buckets::id_of(path).is_some() => Endpoint::Bucket,
            path if page::Part::of(path).is_some() => Endpoint::Page,
            path if complete::backend_of(path).is_some() => Endpoint::Complete,
            _ => Endpoint::Other,
        }
    }

    /// What only a gateway has is no path of a store.
    fn of(role: Role, path: &str) -> Endpoint {
        let endpoint = Endpoint::find(path);
        let is_there = match role {
            Role::Gateway => true,
            Role::Data => !endpoint.is_for_operators(),
            Role::Admin => endpoint.is_for_operators() || endpoint.is_a_probe(),
            Role::Store => endpoint == Endpoint::Metrics || !endpoint.is_for_operators(),
        };
        if is_there { endpoint } else { Endpoint::Other }
    }

    /// What goes with the listener of operators, where there is one.
    fn is_for_operators(self) -> bool {
        match self {
            Endpoint::Metrics | Endpoint::Status | Endpoint::Complete => true,
            Endpoint::Route | Endpoint::Reload | Endpoint::Page => true,
            Endpoint::Log | Endpoint::Tap => true,
            Endpoint::WriteV1 | Endpoint::WriteV2 | Endpoint::QueryV1 | Endpoint::QueryV2 => false,
            Endpoint::Ping | Endpoint::Health | Endpoint::Ready | Endpoint::Setup => false,
            Endpoint::Delete | Endpoint::Buckets | Endpoint::Bucket => false,
            Endpoint::Orgs | Endpoint::Mappings | Endpoint::Later | Endpoint::Other => false,
        }
    }

    /// What changes how this gateway works, and no data.
    fn changes_the_gateway(self) -> bool {
        matches!(self, Endpoint::Complete | Endpoint::Reload)
    }

    /// What every listener answers.
    fn is_a_probe(self) -> bool {
        matches!(self, Endpoint::Ping | Endpoint::Health | Endpoint::Ready)
    }

    /// As metrics and logs spell it.
    pub fn word(self) -> &'static str {
        match self {
            Endpoint::WriteV1 => "/write",
            Endpoint::WriteV2 => "/api/v2/write",
            Endpoint::QueryV1 => "/query",
            Endpoint::QueryV2 => "/api/v2/query",
            Endpoint::Ping => "/ping",
            Endpoint::Health => "/health",
            Endpoint::Ready => "/ready",
            Endpoint::Metrics => "/metrics",
            Endpoint::Setup => "/api/v2/setup",
            Endpoint::Delete => "/api/v2/delete",
            Endpoint::Buckets | Endpoint::Bucket => "/api/v2/buckets",
            Endpoint::Orgs => "/api/v2/orgs",
            Endpoint::Mappings => "/api/v2/dbrps",
            Endpoint::Status => "/-/status",
            Endpoint::Complete => "/-/backend/complete",
            Endpoint::Route => "/-/route",
            Endpoint::Log => "/-/log",
            Endpoint::Tap => "/-/tap",
            Endpoint::Reload => "/-/reload",
            Endpoint::Page => "/-/",
            Endpoint::Later => "later",
            Endpoint::Other => "other",
        }
    }

    /// The methods that it takes, as `Allow` says it; nothing if it takes all.
    fn allow(self) -> Option<&'static str> {
        match self {
            Endpoint::WriteV1 | Endpoint::WriteV2 => Some("OPTIONS, POST"),
            Endpoint::QueryV2 | Endpoint::Delete => Some("OPTIONS, POST"),
            Endpoint::Bucket => Some("DELETE, GET, OPTIONS, PATCH"),
            Endpoint::Orgs | Endpoint::Mappings => Some("GET, OPTIONS"),
            Endpoint::QueryV1 | Endpoint::Buckets => Some("GET, OPTIONS, POST"),
            Endpoint::Ping | Endpoint::Health | Endpoint::Ready | Endpoint::Metrics => {
                Some("GET, HEAD")
            }
            Endpoint::Setup => Some("GET, POST"),
            Endpoint::Status | Endpoint::Route | Endpoint::Log | Endpoint::Tap => Some("GET"),
            Endpoint::Page => Some("GET, HEAD"),
            Endpoint::Complete | Endpoint::Reload => Some("POST"),
            Endpoint::Later | Endpoint::Other => None,
        }
    }

    fn takes(self, method: Method) -> bool {
        let name = match method {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Options => "OPTIONS",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
            Method::Put | Method::Other => "",
        };
        self.allow().is_none_or(|allow| allow.split(", ").any(|allowed| allowed == name))
    }

    fn wants(self, settings: &Settings) -> Wants {
        match self {
            Endpoint::Metrics if settings.metrics_need_token => Wants::Token,
            Endpoint::Ping | Endpoint::Health | Endpoint::Ready | Endpoint::Metrics => {
                Wants::Nothing
            }
            // The page knows nothing; what it asks for wants a token.
            Endpoint::Setup | Endpoint::Other | Endpoint::Page => Wants::Nothing,
            Endpoint::Complete | Endpoint::Status | Endpoint::Route => Wants::Admin,
            Endpoint::Log | Endpoint::Tap | Endpoint::Reload => Wants::Admin,
            Endpoint::WriteV1 | Endpoint::WriteV2 | Endpoint::Later => Wants::Token,
            Endpoint::QueryV1 | Endpoint::QueryV2 | Endpoint::Delete => Wants::Token,
            Endpoint::Buckets | Endpoint::Bucket | Endpoint::Orgs | Endpoint::Mappings => {
                Wants::Token
            }
        }
    }
}

/// What an endpoint wants to be shown before anything else. What a token may do to which database is known later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wants {
    Nothing,
    Token,
    Admin,
}

/// A request that may send its body.
#[derive(Debug)]
pub struct Call {
    pub endpoint: Endpoint,
    pub voice: Voice,
    pub grant: Grant,
    pub job: Job,
}

/// What is to be done once the body is there.
#[derive(Debug)]
pub enum Job {
    Write(write::Plan),
    InfluxQl(Params),
    Flux(query::FluxPlan),
    Ping {
        is_verbose: bool,
    },
    Health,
    Ready,
    Metrics,
    Setup {
        /// Somebody wants to make the first user.
        is_tried: bool,
    },
    Delete(Params),
    Buckets(buckets::Job, Params),
    Orgs(Params),
    Mappings,
    Status,
    Complete {
        backend: String,
    },
    Route(Params),
    Log,
    Tap(Params),
    Reload,
    Page(page::Part),
}

/// A request that is answered without its body.
#[derive(Debug)]
pub struct Refused {
    pub endpoint: Endpoint,
    pub answer: Answer,
    pub why: Option<Rejection>,
}

/// Everything that the head alone decides.
pub fn judge(settings: &Settings, head: &Head, clock: &Clock) -> Result<Call, Refused> {
    let voice = Voice::of(&head.path, head.fields.accept.as_deref());
    let path = match page::is_for_a_browser(&head.path, head.fields.accept.as_deref()) {
        true => "/-/",
        false => head.path.as_str(),
    };
    let endpoint = Endpoint::of(settings.role, path);
    let refuse = |answer: Answer, why: Option<Rejection>| Refused { endpoint, answer, why };
    if head.method == Method::Options {
        return Err(refuse(answer::preflight(voice), None));
    }
    if endpoint == Endpoint::Other {
        if let Some(location) = redirect(head) {
            return Err(refuse(answer::moved(location), None));
        }
        return Err(refuse(answer::no_such_path(voice), Some(Rejection::UnknownPath)));
    }
    if let (false, Some(allow)) = (endpoint.takes(head.method), endpoint.allow()) {
        return Err(refuse(answer::wrong_method(voice, allow), Some(Rejection::WrongMethod)));
    }
    let params = Params::parse(head.query.as_bytes());
    let grant = admit(settings, endpoint, head, &params, clock)
        .map_err(|(answer, why)| refuse(answer, Some(why)))?;
    if let (Encoding::Other(name), true) = (&head.encoding, head.body != Framing::None) {
        let answer = answer::unknown_encoding(voice, name);
        return Err(refuse(answer, Some(Rejection::UnknownEncoding)));
    }
    let job = job(settings, endpoint, voice, head, params).map_err(|answer| {
        let why = (endpoint != Endpoint::Later).then_some(Rejection::BadParameter);
        refuse(answer, why)
    })?;
    if let Job::Write(plan) = &job {
        may_write(&grant, plan, clock).map_err(|(answer, why)| refuse(answer, Some(why)))?;
    }
    Ok(Call { endpoint, voice, grant, job })
}

/// Who comes in, as far as the head alone tells.
fn admit(
    settings: &Settings,
    endpoint: Endpoint,
    head: &Head,
    params: &Params,
    clock: &Clock,
) -> Result<Grant, (Answer, Rejection)> {
    let wants = endpoint.wants(settings);
    if wants == Wants::Nothing {
        return Ok(Grant::Open);
    }
    let voice = Voice::of(&head.path, head.fields.accept.as_deref());
    if endpoint.changes_the_gateway() && settings.auth == Auth::Open && head.fields.origin.is_some()
    {
        // Whoever opens a foreign page on this machine must not be its hand.
        let answer = answer::forbidden(voice, "without tokens no page of a browser may do this");
        return Err((answer, Rejection::Forbidden));
    }
    let authorization = head.fields.authorization.as_deref();
    let grant = auth::check(&settings.auth, authorization, params, clock.unix())
        .map_err(|denied| (answer::denied(voice, denied), Rejection::Unauthorized))?;
    if wants == Wants::Admin && !grant.allows(&Need::Admin) {
        let text = format!("{} needs the scope admin", endpoint.word());
        return Err((answer::forbidden(voice, &text), Rejection::Forbidden));
    }
    Ok(grant)
}

fn may_write(grant: &Grant, plan: &write::Plan, clock: &Clock) -> Result<(), (Answer, Rejection)> {
    if !grant.may_write(&plan.target) {
        let answer = answer::may_not_write(plan.voice, grant.name(), &plan.name);
        return Err((answer, Rejection::Forbidden));
    }
    match grant.wait(clock.mono()) {
        None => Ok(()),
        Some(wait) => Err((answer::over_rate(plan.voice, wait), Rejection::OverRate)),
    }
}

fn job(
    settings: &Settings,
    endpoint: Endpoint,
    voice: Voice,
    head: &Head,
    params: Params,
) -> Result<Job, Answer> {
    Ok(match endpoint {
        Endpoint::WriteV1 => Job::Write(write::plan_v1(settings, voice, &params)?),
        Endpoint::WriteV2 => Job::Write(write::plan_v2(settings, voice, &params)?),
        Endpoint::QueryV1 => Job::InfluxQl(params),
        Endpoint::QueryV2 => Job::Flux(query::plan_flux(head, &params)),
        Endpoint::Ping => Job::Ping { is_verbose: is_verbose(&head.path, &params) },
        Endpoint::Health => Job::Health,
        Endpoint::Ready => Job::Ready,
        Endpoint::Metrics => Job::Metrics,
        Endpoint::Setup => Job::Setup { is_tried: head.method == Method::Post },
        Endpoint::Delete => Job::Delete(params),
        Endpoint::Buckets | Endpoint::Bucket => Job::Buckets(bucket_job(head), params),
        Endpoint::Orgs => Job::Orgs(params),
        Endpoint::Mappings => Job::Mappings,
        Endpoint::Status => Job::Status,
        Endpoint::Route => Job::Route(params),
        Endpoint::Log => Job::Log,
        Endpoint::Tap => Job::Tap(params),
        Endpoint::Reload => Job::Reload,
        Endpoint::Page => Job::Page(page::Part::of(&head.path).unwrap_or(page::Part::Page)),
        Endpoint::Complete => {
            Job::Complete { backend: complete::backend_of(&head.path).unwrap_or_default() }
        }
        Endpoint::Later | Endpoint::Other => return Err(answer::not_yet(voice, &head.path)),
    })
}

fn bucket_job(head: &Head) -> buckets::Job {
    match (buckets::id_of(&head.path), head.method) {
        (None, Method::Post) => buckets::Job::Make,
        (None, _) => buckets::Job::List,
        (Some(id), Method::Patch) => buckets::Job::Alter { id },
        (Some(id), Method::Delete) => buckets::Job::Remove { id },
        (Some(id), _) => buckets::Job::Get { id },
    }
}

/// A path of 2.x with a slash too much; 1.x has no such kindness.
fn redirect(head: &Head) -> Option<String> {
    let path = head.path.strip_suffix('/')?;
    let is_v2 = Voice::of(path, None).dialect == Dialect::V2;
    if !is_v2 || Endpoint::find(path) == Endpoint::Other {
        return None;
    }
    let mark = if head.query.is_empty() { "" } else { "?" };
    Some(format!("{path}{mark}{}", head.query))
}

fn is_verbose(path: &str, params: &Params) -> bool {
    let verbose = params.get("verbose").unwrap_or_default();
    path == "/ping" && !matches!(verbose, "" | "0" | "false")
}
