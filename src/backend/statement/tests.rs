//! Statements before a model of InfluxDB 2: what it is asked, and what its answers mean.

use super::*;
use crate::base::ids::BackendId;
use crate::config::checked::{Backend, BacklogConfig, Credentials, OnFull};
use crate::proto::http::body::Body;
use crate::proto::http::request::{self, Head, Method};
use crate::proto::http::scan::Scan;
use crate::rt::net::{Listener, Stream};
use crate::rt::sim_tasks::SimTasks;
use crate::rt::{Lane, spawn};
use serde_json::json;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;

use crate::backend::Place;

/// One server of 2.x: its buckets by id, with how long they keep points, and the deletes that it was asked.
#[derive(Default)]
struct Model {
    buckets: RefCell<Vec<(String, String, Value)>>,
    made: Cell<usize>,
    deletes: RefCell<Vec<(String, Value)>>,
    /// Statuses with which it answers whatever comes, while there are any.
    trouble: RefCell<Vec<u16>>,
}

const ORG: &str = "00000000000000aa";

impl Model {
    fn has(&self, name: &str) -> bool {
        self.buckets.borrow().iter().any(|(_, known, _)| known == name)
    }

    fn add(&self, name: &str, rules: &Value) {
        self.made.set(self.made.get() + 1);
        let id = format!("{:016x}", self.made.get());
        self.buckets.borrow_mut().push((id, name.to_owned(), rules.clone()));
    }

    fn answer(&self, head: &Head, body: &[u8]) -> (u16, Value) {
        if let Some(status) = self.trouble.borrow_mut().pop() {
            return (status, json!({ "code": "trouble", "message": "trouble" }));
        }
        let params = crate::proto::http::params::Params::parse(head.query.as_bytes());
        let param = |name: &str| params.get(name).unwrap_or_default().to_owned();
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let id = head.path.strip_prefix("/api/v2/buckets/").unwrap_or_default();
        match (head.path.as_str(), head.method) {
            ("/api/v2/orgs", Method::Get) if param("org") == "o" => {
                (200, json!({ "orgs": [{ "id": ORG, "name": "o" }] }))
            }
            ("/api/v2/orgs", Method::Get) => (404, error("organization name \"x\" not found")),
            ("/api/v2/buckets", Method::Get) => (200, self.page(&param("offset"), &param("limit"))),
            ("/api/v2/buckets", Method::Post) => self.make(&body),
            ("/api/v2/delete", Method::Post) => self.delete(&param("bucket"), body),
            (_, Method::Patch) => self.alter(id, &body["retentionRules"]),
            (_, Method::Delete) => {
                self.buckets.borrow_mut().retain(|(known, ..)| known != id);
                (204, Value::Null)
            }
            (path, method) => panic!("{method:?} {path}"),
        }
    }

    fn page(&self, offset: &str, limit: &str) -> Value {
        let (offset, limit): (usize, usize) = (offset.parse().unwrap(), limit.parse().unwrap());
        assert!(limit <= 100, "2.x refuses more");
        let buckets = self.buckets.borrow();
        let page = buckets.iter().skip(offset).take(limit);
        let page: Vec<_> = page.map(|(id, name, _)| json!({ "id": id, "name": name })).collect();
        json!({ "buckets": page })
    }

    fn make(&self, body: &Value) -> (u16, Value) {
        assert_eq!(body["orgID"], ORG);
        let name = body["name"].as_str().unwrap();
        if self.has(name) {
            return (422, error(&format!("bucket with name {name} already exists")));
        }
        self.add(name, &body["retentionRules"]);
        (201, json!({}))
    }

    fn alter(&self, id: &str, rules: &Value) -> (u16, Value) {
        for bucket in self.buckets.borrow_mut().iter_mut().filter(|(known, ..)| known == id) {
            bucket.2 = rules.clone();
        }
        (200, json!({}))
    }

    fn delete(&self, bucket: &str, body: Value) -> (u16, Value) {
        if !self.has(bucket) {
            return (404, error(&format!("bucket \"{bucket}\" not found")));
        }
        for name in ["start", "stop"] {
            assert!(crate::proto::moment::rfc3339(body[name].as_str().unwrap()).is_some());
        }
        let predicate = crate::proto::predicate::parse(body["predicate"].as_str().unwrap());
        if predicate.is_err() {
            return (400, error("error decoding json body"));
        }
        self.deletes.borrow_mut().push((bucket.to_owned(), body));
        (204, Value::Null)
    }

    async fn serve(self: Rc<Self>, mut stream: Stream) {
        let mut bytes = Vec::new();
        while let Some((head, body)) = next_request(&mut stream, &mut bytes).await {
            let (status, value) = self.answer(&head, &body);
            let text = if value.is_null() { String::new() } else { value.to_string() };
            let length = match status {
                204 => String::new(),
                _ => format!("Content-Length: {}\r\n", text.len()),
            };
            let answer = format!("HTTP/1.1 {status} Text\r\n{length}\r\n{text}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    }
}

fn error(message: &str) -> Value {
    json!({ "code": "some", "message": message })
}

async fn next_request(stream: &mut Stream, bytes: &mut Vec<u8>) -> Option<(Head, Vec<u8>)> {
    let mut scan = Scan::default();
    let end = loop {
        match scan.find(bytes).unwrap() {
            Some(end) => break end,
            None => more(stream, bytes).await?,
        }
    };
    let head = request::parse(&bytes[..end]).unwrap();
    bytes.drain(..end);
    let (mut body, mut content) = (Body::new(head.body), Vec::new());
    while !body.is_done() {
        let (taken, piece) = body.take(bytes).unwrap();
        content.extend_from_slice(piece);
        bytes.drain(..taken);
        if !body.is_done() {
            more(stream, bytes).await?;
        }
    }
    Some((head, content))
}

async fn more(stream: &mut Stream, bytes: &mut Vec<u8>) -> Option<()> {
    let mut space = [0; 4096];
    let count = stream.read(&mut space).await.ok()?;
    bytes.extend_from_slice(&space[..count]);
    (count > 0).then_some(())
}

fn target(policy: &str) -> Target {
    Target { org: "o".into(), database: "d".into(), retention_policy: policy.into() }
}

fn backend() -> Backend {
    Backend {
        name: "two".to_owned(),
        circle: 0,
        url: "http://127.0.0.1:8086".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: 8086,
        kind: Kind::Influxdb2,
        credentials: Credentials::None,
        tls: None,
        write_only: false,
        backlog: BacklogConfig {
            bytes_max: None,
            age_max: None,
            on_full: OnFull::Reject,
            replay_rate: None,
        },
    }
}

/// Runs statements, one after the other, against a model with these buckets.
fn ran(model: &Rc<Model>, statements: &[(&str, Act)]) -> Vec<Verdict> {
    let tasks = SimTasks::new(7);
    let client =
        Client::new(Rc::new(Place::new(BackendId(0), &backend(), "circle-1")), tasks.clock());
    let verdicts = Rc::new(RefCell::new(Vec::new()));
    let (model, said, statements) = (model.clone(), verdicts.clone(), statements.to_vec());
    let statements: Vec<(Target, Act)> =
        statements.into_iter().map(|(policy, act)| (target(policy), act)).collect();
    let outcome = tasks.run(Duration::from_secs(60), async move {
        let address = SocketAddr::from(([127, 0, 0, 1], 8086));
        let listener = Listener::bind(address).unwrap();
        spawn(Lane::Serve, async move {
            while let Ok(stream) = listener.accept().await {
                spawn(Lane::Serve, model.clone().serve(stream));
            }
        });
        for (target, act) in statements {
            let verdict = run(&client, "as 1.x takes it", &target, &act).await.unwrap();
            said.borrow_mut().push(verdict);
        }
    });
    outcome.unwrap();
    verdicts.take()
}

fn model(buckets: &[&str]) -> Rc<Model> {
    let model = Rc::new(Model::default());
    for name in buckets {
        model.add(name, &json!([]));
    }
    model
}

fn shown(model: &Model) -> Vec<String> {
    let buckets = model.buckets.borrow();
    buckets.iter().map(|(_, name, rules)| format!("{name} {rules}")).collect()
}

#[test]
fn policies_are_made_changed_and_dropped_as_buckets() {
    let model = model(&["d"]);
    let lengths = Lengths { kept_s: Some(7200), slice_s: Some(3600) };
    let verdicts = ran(
        &model,
        &[
            ("", Act::Make(Lengths::default())),
            ("weekly", Act::Make(lengths)),
            ("daily", Act::Make(Lengths::default())),
            ("", Act::Alter(Lengths { kept_s: Some(0), slice_s: None })),
            ("daily", Act::Drop { with_policies: false }),
            ("daily", Act::Drop { with_policies: false }),
        ],
    );
    assert_eq!(verdicts, vec![Verdict::Done; 6], "what is there, or gone, already is done");
    assert_eq!(
        shown(&model),
        [
            "d [{\"type\":\"expire\",\"everySeconds\":0}]",
            "d/weekly [{\"type\":\"expire\",\"everySeconds\":7200,\"shardGroupDurationSeconds\":3600}]",
        ]
    );
    let missing = ran(&model, &[("daily", Act::Alter(lengths))]);
    assert!(matches!(&missing[0], Verdict::Refused { message } if message.contains("d/daily")));
}

#[test]
fn a_database_goes_with_the_buckets_that_are_named_after_it() {
    let names: Vec<String> = (0..230).map(|number| format!("other{number}")).collect();
    let mut all: Vec<&str> = names.iter().map(String::as_str).collect();
    all.extend(["d", "dd", "d/weekly", "x/d"]);
    let model = model(&all);
    assert_eq!(ran(&model, &[("", Act::Drop { with_policies: true })]), [Verdict::Done]);
    assert!(!model.has("d") && !model.has("d/weekly") && model.has("dd") && model.has("x/d"));
    assert_eq!(model.buckets.borrow().len(), 232);
}

fn deletion(predicates: &[&str], with_policies: bool) -> Act {
    Act::Delete(Deletion {
        start_ns: i64::MIN + 2,
        stop_ns: 1_700_000_000_000_000_005,
        predicates: predicates.iter().map(|text| (*text).to_owned()).collect(),
        with_policies,
    })
}

#[test]
fn points_are_deleted_once_for_each_predicate_and_bucket() {
    let model = model(&["d", "d/weekly"]);
    let both = ["_measurement=\"a\"", "_measurement=\"b\" AND h!=\"x\""];
    let verdicts = ran(
        &model,
        &[
            ("", deletion(&both, true)),
            ("weekly", deletion(&[""], false)),
            ("", deletion(&[], true)),
        ],
    );
    assert_eq!(verdicts, vec![Verdict::Done; 3]);
    let deletes = model.deletes.borrow();
    let asked: Vec<String> =
        deletes.iter().map(|(bucket, body)| format!("{bucket} {}", body["predicate"])).collect();
    let predicate = |text: &str| Value::from(text).to_string();
    let expected = [
        format!("d {}", predicate(both[0])),
        format!("d {}", predicate(both[1])),
        format!("d/weekly {}", predicate(both[0])),
        format!("d/weekly {}", predicate(both[1])),
        "d/weekly \"\"".to_owned(),
    ];
    assert_eq!(asked, expected);
    assert_eq!(deletes[0].1["start"], "1677-09-21T00:12:43.145224194Z");
    assert_eq!(deletes[0].1["stop"], "2023-11-14T22:13:20.000000005Z");
}

#[test]
fn nothing_is_done_where_a_server_has_not_said_so() {
    for status in [500, 503, 429, 502] {
        for act in [
            Act::Make(Lengths::default()),
            Act::Alter(Lengths::default()),
            Act::Drop { with_policies: true },
            deletion(&[""], false),
            deletion(&[""], true),
        ] {
            let model = model(&["d"]);
            model.trouble.borrow_mut().push(status);
            let verdict = ran(&model, &[("", act.clone())]).remove(0);
            let passes = matches!(verdict, Verdict::Later { .. } | Verdict::Suspect { .. });
            assert!(passes, "{status} {act:?}: {verdict:?}");
        }
    }
    let model = model(&["d"]);
    model.trouble.borrow_mut().push(401);
    let verdict = ran(&model, &[("", deletion(&[""], false))]).remove(0);
    assert!(matches!(verdict, Verdict::Parked { .. }), "{verdict:?}");
}

#[test]
fn where_there_is_no_bucket_there_is_nothing_to_delete() {
    let model = model(&["other"]);
    let acts = [deletion(&[""], false), deletion(&[""], true), Act::Drop { with_policies: true }];
    assert_eq!(ran(&model, &acts.map(|act| ("", act))), vec![Verdict::Done; 3]);
    assert!(model.deletes.borrow().is_empty() && model.has("other"));
}

#[test]
fn kinds_that_only_take_lines_say_so() {
    let drop = Act::Drop { with_policies: true };
    for kind in [Kind::LineProtocol, Kind::Influxdb3] {
        assert_eq!(refuses(kind, &Act::Make(Lengths::default())), None);
        assert!(refuses(kind, &drop).is_some() && refuses(kind, &deletion(&[""], true)).is_some());
    }
    assert!(refuses(Kind::Influxdb1, &drop).is_none() && refuses(Kind::Influxdb2, &drop).is_none());
}
