//! Laws over windows of time and borders of blocks; the twin's blocks hold three points.

use crate::proto::results::Form;
use crate::store::guard::{Guard, Stopped};
use crate::store::influxql::{Question, answer};
use crate::store::twin::Twin;
use crate::store::view::{Catalog, Change};

const DAY_NS: i64 = 86_400_000_000_000;

/// Thirty days, a point a day in each of two series: five windows of the twin.
fn twin() -> Twin {
    let twin = Twin::default();
    twin.change(Change::CreateDatabase { database: "d".to_owned(), policy: None }).unwrap();
    for day in 0..30 {
        let time = day * DAY_NS;
        twin.write("d", None, &format!("m,h=a v={day}i {time}\nm,h=b v={}i {time}", day + 100));
    }
    twin
}

fn ask(text: &str, bytes_max: u64) -> String {
    let question = Question {
        text: text.to_owned(),
        database: "d".to_owned(),
        policy: String::new(),
        params: None,
        form: Form::Csv,
        epoch: None,
        chunk_size: None,
        now_ns: 40 * DAY_NS,
        writes_allowed: true,
    };
    let mut said = String::new();
    let mut out = |text: &str| -> Result<(), Stopped> {
        said.push_str(text);
        Ok(())
    };
    answer(&twin(), &question, &Guard::new(None, bytes_max), &mut out).unwrap();
    said
}

fn values(text: &str) -> Vec<i64> {
    let value = |line: &str| line.rsplit(',').next().and_then(|cell| cell.parse().ok());
    ask(text, 1 << 20).lines().filter_map(value).collect()
}

#[test]
fn points_of_several_windows_come_in_order_and_backwards_in_the_opposite_one() {
    let forwards = values("SELECT v FROM m WHERE h = 'a'");
    assert_eq!(forwards, (0..30).collect::<Vec<i64>>());
    let mut backwards = values("SELECT v FROM m WHERE h = 'a' ORDER BY time DESC");
    backwards.reverse();
    assert_eq!(forwards, backwards);
    assert_eq!(
        values("SELECT v FROM m WHERE h = 'a' ORDER BY time DESC LIMIT 4"),
        [29, 28, 27, 26]
    );
}

#[test]
fn folding_blocks_gives_what_going_point_by_point_gives() {
    for function in ["count", "sum", "mean", "min", "max", "first", "last"] {
        // A condition on the field takes the way point by point.
        for rest in
            ["", " GROUP BY time(5d)", " GROUP BY time(11d), h", " GROUP BY h ORDER BY time DESC"]
        {
            let folded =
                ask(&format!("SELECT {function}(v) FROM m WHERE time < 30d{rest}"), 1 << 20);
            let walked = ask(
                &format!("SELECT {function}(v) FROM m WHERE time < 30d AND v >= 0{rest}"),
                1 << 20,
            );
            assert_eq!(folded, walked, "{function}{rest}");
            assert!(folded.lines().count() > 1);
        }
    }
}

#[test]
fn what_a_question_holds_is_bounded() {
    assert_eq!(ask("SELECT mean(v) FROM m GROUP BY h", 64), "");
}
