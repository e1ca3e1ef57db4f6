//! What several backends are asked.

use super::{Answer, Merged, Merger, Origin, delimiter, spread_body};
use crate::backend::crowd::Questions;
use crate::query::flux_body::{Dialect, decode};
use serde_json::{Value as Json, json};

const NOW: &str = "2026-01-01T00:00:00.000000001Z";

fn spread(kind: Option<&str>, body: &str) -> Json {
    let request = decode(kind, body.as_bytes()).unwrap();
    let now = request.now.clone().unwrap_or_else(|| NOW.to_owned());
    serde_json::from_str(&spread_body(body.as_bytes(), &request, &now)).unwrap()
}

#[test]
fn all_backends_get_one_now_and_tell_all_that_a_merger_must_see() {
    let all = json!(["datatype", "group", "default"]);
    let raw = spread(Some("application/vnd.flux"), "buckets()");
    let dialect = json!({"header": true, "delimiter": ",", "annotations": all});
    assert_eq!(raw, json!({"query": "buckets()", "type": "flux", "now": NOW, "dialect": dialect}));
    let asked = json!({"query": "x", "now": "", "extern": {"imports": [], "body": []}, "params": {"a": 1},
        "dialect": {"header": false, "delimiter": ";", "commentPrefix": "", "dateTimeFormat": "RFC3339Nano"}});
    let sent = spread(None, &asked.to_string());
    assert_eq!(
        (&sent["now"], &sent["params"], &sent["extern"]),
        (&json!(NOW), &asked["params"], &asked["extern"])
    );
    let dialect = json!({"header": true, "delimiter": ";", "commentPrefix": "#", "dateTimeFormat": "RFC3339Nano", "annotations": all});
    assert_eq!(sent["dialect"], dialect);
    let pinned = spread(None, r#"{"query": "x", "now": "2020-01-01T00:00:00Z", "dialect": null}"#);
    assert_eq!(pinned["now"], "2020-01-01T00:00:00Z");
    assert_eq!(pinned["dialect"]["annotations"], all);
}

#[test]
fn a_delimiter_is_never_taken_for_data() {
    let fits =
        |delimiter: char| super::delimiter(&Dialect { delimiter, ..Dialect::default() }).is_ok();
    for good in [',', ';', '\t', '|'] {
        assert!(fits(good), "{good:?}");
    }
    for bad in ['"', '#', '\n', '\r', '0', 'a', '.', '-', '_', ' ', 'ä'] {
        assert!(!fits(bad), "{bad:?}");
    }
    assert_eq!(delimiter(&Dialect::default()).ok(), Some(b','));
}

#[test]
fn a_question_runs_until_its_answer_is_given_up_or_out() {
    let questions = Questions::default();
    let merger = Merger::tables(&Dialect::default(), b',', 0);
    let answer = Answer::Streamed {
        status: None,
        headers: Vec::new(),
        backends: Vec::new(),
        circle: String::new(),
        body: Origin::Flux(Merged { merger, answers: Vec::new(), first: None }).into(),
        incomplete: false,
    };
    let answer = answer.within(questions.begin(1));
    assert!(questions.begin(1).is_none());
    let Answer::Streamed { body, .. } = answer else { panic!("it was made above") };
    assert_eq!(questions.running(), 1, "the body has it, wherever it goes");
    drop(body);
    assert_eq!(questions.running(), 0);
}
