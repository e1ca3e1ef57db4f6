//! Somebody who writes good lines beside every bad thing, and what error answers look like.

use super::http::{Answer, Connection, Request};
use super::wait::seconds;
use super::world::World;

pub const V1: &str = "/write?db=d";

pub const V2: &str = "/api/v2/write?bucket=d&org=default";

/// A v1 error: JSON with one line end, and the header that Telegraf logs.
#[track_caller]
pub fn expect_v1(answer: &Answer, status: u16, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some("application/json"), "{}", answer.text());
    let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
    assert!(error.contains(part), "`{error}` lacks `{part}`");
    assert!(answer.text().ends_with("}\n"), "{}", answer.text());
    if status != 401 {
        assert!(answer.header("X-Influxdb-Error").is_some(), "{:?}", answer.headers);
    }
}

/// A v2 error: JSON with the code, and the header of the same code.
#[track_caller]
pub fn expect_v2(answer: &Answer, status: u16, code: &str, part: &str) {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("Content-Type"), Some("application/json; charset=utf-8"));
    let body = answer.json();
    assert_eq!(body["code"], code, "{body}");
    assert!(
        body["message"].as_str().is_some_and(|text| text.contains(part)),
        "{body} lacks {part}"
    );
    assert_eq!(answer.header("X-Platform-Error-Code"), Some(code));
}

/// What a neighbour writes before and after each piece of bad input, over a connection of its own.
pub struct Neighbour {
    connection: Connection,
    written: i64,
}

impl Neighbour {
    pub fn new(world: &World) -> Neighbour {
        Neighbour { connection: world.connect(), written: 0 }
    }

    /// Over a connection that has written the lines up to this one already.
    pub fn of(connection: Connection, written: i64) -> Neighbour {
        Neighbour { connection, written }
    }

    /// Writes its next line, which must be acknowledged.
    #[track_caller]
    pub fn write(&mut self) {
        self.written += 1;
        let line = format!("neighbour v=1i {}", self.written);
        self.connection.request(&Request::post(V1, line)).unwrap().expect(204);
    }

    /// Every circle holds all of its lines, and nothing else.
    pub fn check(self, world: &World) {
        self.check_among(world, "");
    }

    /// The same, beside what somebody else has written to this measurement.
    pub fn check_among(self, world: &World, other: &str) {
        world.wait_drained(seconds(30));
        for circle in 0..world.circles.len() {
            let points = world.points(circle, "d");
            let own = points.keys().filter(|(name, _)| name == "neighbour").count();
            assert_eq!(own, usize::try_from(self.written).unwrap(), "circle {}", circle + 1);
            let others = points.keys().filter(|(name, _)| name == other).count();
            assert_eq!(
                own + others,
                points.len(),
                "bad input stored something: {:?}",
                points.keys()
            );
        }
        world.expect_nothing_lost();
    }
}

/// Requests answered with this code, over all endpoints.
pub fn answered(world: &World, code: &str) -> f64 {
    world.metrics().sum("circlet_http_requests_total", &[("code", code)])
}

pub fn rejected(world: &World) -> f64 {
    world.metrics().sum("circlet_http_rejected_total", &[])
}
