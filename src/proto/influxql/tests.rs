//! The grammar against what a real server answered, and against what no server should meet.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{MeasurementName, Params, ParseError, Source, Statement, parse};

/// A recorded statement: its name, its text, the request's `params`, status and body.
struct Row {
    name: String,
    text: String,
    params: Option<String>,
    status: u64,
    body: String,
}

fn rows() -> Vec<Row> {
    let recorded = include_str!("../../../tests/vectors/influxql_1_6.jsonl");
    let rows = recorded.lines().map(|line| serde_json::from_str::<Json>(line).unwrap());
    let rows: Vec<Row> = rows
        .filter(|row| row["q"].is_string())
        .map(|row| Row {
            name: row["name"].as_str().unwrap().to_owned(),
            text: row["q"].as_str().unwrap().to_owned(),
            params: row["params"]["params"].as_str().map(str::to_owned),
            status: row["status"].as_u64().unwrap(),
            body: row["body"].as_str().unwrap().to_owned(),
        })
        .collect();
    assert!(rows.len() >= 794, "{} rows", rows.len());
    rows
}

fn parse_row(row: &Row) -> Result<Vec<Statement>, ParseError> {
    let params =
        row.params.as_deref().map_or_else(Params::default, |json| Params::from_json(json).unwrap());
    parse(&row.text, &params)
}

/// The error text that the server gave, without its prefix.
fn recorded_error(row: &Row) -> Option<String> {
    let text = match serde_json::from_str::<Json>(&row.body) {
        Ok(body) => body["error"].as_str()?.to_owned(),
        Err(_) => row.body.lines().nth(1)?.trim_matches('"').to_owned(),
    };
    text.strip_prefix("error parsing query: ").map(str::to_owned)
}

#[test]
fn what_the_server_parsed_is_parsed() {
    let refused: Vec<String> = rows()
        .iter()
        .filter(|row| row.status == 200)
        .filter_map(|row| parse_row(row).err().map(|e| format!("{} {}: {e}", row.name, row.text)))
        .collect();
    assert!(refused.is_empty(), "{refused:#?}");
}

/// A row whose fault only a list of time zones can show; the backend that is asked finds it.
const LEFT_TO_THE_BACKEND: [&str; 1] = ["perr_076"];

#[test]
fn parse_errors_have_the_servers_text_and_position() {
    let mut agreed = 0;
    let mut differing = Vec::new();
    for row in rows().iter().filter(|row| row.status == 400) {
        let Some(expected) = recorded_error(row) else { continue };
        match parse_row(row) {
            Ok(_) if LEFT_TO_THE_BACKEND.contains(&row.name.as_str()) => {}
            Ok(_) => differing.push(format!("{} {}: parsed", row.name, row.text)),
            Err(error) if error.to_string() == expected => agreed += 1,
            Err(error) => {
                differing.push(format!("{} {}\n {error}\n {expected}", row.name, row.text));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(agreed, 89);
}

/// Statements beyond the recorded rows: the words are the server's, the places follow its rule.
#[test]
fn each_clause_has_its_own_words() {
    let cases = [
        ("SELECT", "found EOF, expected identifier, string, number, bool at line 1, char 8"),
        ("SELECT n", "found EOF, expected FROM at line 1, char 10"),
        ("SELECT n)", "found ), expected FROM at line 1, char 9"),
        ("SELECT n FROM 'seq'", "found seq, expected identifier at line 1, char 14"),
        (
            "SELECT n FROM seq WHERE n =",
            "found EOF, expected identifier, string, number, bool at line 1, char 28",
        ),
        ("SELECT n FROM seq WHERE NOT n = 1", "found n, expected ; at line 1, char 29"),
        ("SELECT n FROM seq WHERE host IN ('a')", "found IN, expected ; at line 1, char 30"),
        ("SELECT n FROM seq WHERE host =~ 'a'", "found a, expected regex at line 1, char 32"),
        (
            "SELECT n FROM seq WHERE host = /a/",
            "found /, expected identifier, string, number, bool at line 1, char 32",
        ),
        ("SELECT n FROM seq ORDER BY time, n", "only ORDER BY time supported at this time"),
        ("SELECT n FROM seq ORDER BY TIME", "only ORDER BY time supported at this time"),
        ("SELECT n FROM seq LIMIT 1.5", "found 1.5, expected integer at line 1, char 25"),
        ("SELECT n FROM seq LIMIT 10,5", "found ,, expected ; at line 1, char 27"),
        ("SELECT n FROM seq OFFSET 1 LIMIT 1", "found LIMIT, expected ; at line 1, char 28"),
        ("SELECT n AS FROM seq", "found FROM, expected identifier at line 1, char 13"),
        ("SELECT mean(n FROM seq", "found FROM, expected ) at line 1, char 15"),
        (
            "SELECT mean(n,) FROM seq",
            "found ), expected identifier, string, number, bool at line 1, char 15",
        ),
        ("SELECT mean (n) FROM seq", "found (, expected FROM at line 1, char 13"),
        ("SELECT n FROM a.b.c.d", "too many segments in \"a\".\"b\".\"c\".d at line 1, char 1"),
        (
            "SELECT n FROM seq WHERE n < 18446744073709551616",
            "unable to parse integer at line 1, char 29",
        ),
        ("SELECT n FROM seq tz()", "tz requires exactly one argument"),
        (
            "SELECT n\nFROM seq\n  WHERE",
            "found EOF, expected identifier, string, number, bool at line 3, char 9",
        ),
        ("SELECT n FROM seq WHERE $ = 1", "empty bound parameter"),
        ("SHOW FIELD KEYS WHERE a = 'b'", "found WHERE, expected ; at line 1, char 17"),
        ("SHOW MEASUREMENTS FROM cpu", "found FROM, expected ; at line 1, char 19"),
        (
            "SHOW TAG VALUES FROM cpu WITH KEY = 'host'",
            "found host, expected identifier at line 1, char 36",
        ),
        ("DELETE FROM a..m", "database not supported at line 1, char 1"),
        ("DELETE FROM rp.m", "retention policy not supported at line 1, char 1"),
        ("GRANT READ TO u", "found TO, expected ON at line 1, char 12"),
        ("GRANT", "found EOF, expected READ, WRITE, ALL [PRIVILEGES] at line 1, char 7"),
        (
            "CREATE DATABASE x WITH",
            "found EOF, expected DURATION, NAME, REPLICATION, SHARD at line 1, char 24",
        ),
        ("EXPLAIN SHOW DATABASES", "found SHOW, expected SELECT at line 1, char 9"),
    ];
    for (text, message) in cases {
        let error = parse(text, &Params::default()).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn the_rendered_text_parses_to_the_same_statements() {
    for row in rows() {
        let Ok(statements) = parse_row(&row) else { continue };
        let rendered: Vec<String> = statements.iter().map(ToString::to_string).collect();
        let text = rendered.join("; ");
        let again = parse(&text, &Params::default());
        assert_eq!(again.as_ref().map(Vec::len), Ok(statements.len()), "{text}");
        let twice: Vec<String> = again.unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(twice, rendered, "{}", row.text);
    }
}

#[test]
fn statements_render_in_canonical_form() {
    let cases = [
        (r#"create database "telegraf""#, "CREATE DATABASE telegraf"),
        (r#"CREATE DATABASE "a \"b\"" "#, r#"CREATE DATABASE "a \"b\"""#),
        (
            "create database d with duration 72h replication 1 shard duration 90m name \"select\"",
            "CREATE DATABASE d WITH DURATION 3d REPLICATION 1 SHARD DURATION 90m NAME \"select\"",
        ),
        ("create database d with duration inf", "CREATE DATABASE d WITH DURATION INF"),
        (
            "select -n, mean(x)*2 from d..m where (a='it\\'s' or b=~/a\\/b/) and time>now()-1h",
            "SELECT -1 * n, mean(x) * 2 FROM d..m \
             WHERE (a = 'it\\'s' OR b =~ /a\\/b/) AND time > now() - 1h",
        ),
        ("delete from cpu where host = 'a'", "DELETE FROM cpu WHERE host = 'a'"),
        ("select 2/-n from m", "SELECT 2 / (-1 * n) FROM m"),
    ];
    for (text, canonical) in cases {
        let statements = parse(text, &Params::default()).unwrap();
        assert_eq!(statements.len(), 1);
        assert_eq!(statements[0].to_string(), canonical);
    }
}

#[test]
fn names_keep_their_characters() {
    let cases = [
        ("select v from cpu", "cpu"),
        ("select v FROM\tcpu\nwhere x = 1", "cpu"),
        ("select mean(v)FROM cpu", "cpu"),
        ("-- from x\nselect v from cpu", "cpu"),
        (r#"select v from "disk io,x""#, "disk io,x"),
        (r#"select v from "a\"b\\c\n'""#, "a\"b\\c\n'"),
        (r#"select v from "größe""#, "größe"),
        (r#"select v from d.r."select""#, "select"),
        ("select v from d..cpu", "cpu"),
        ("select 'from x' from cpu", "cpu"),
        ("select v from seq\"q\"", "q"),
    ];
    for (text, name) in cases {
        let statements = parse(text, &Params::default()).unwrap();
        let Statement::Select(select) = &statements[0] else { panic!("{text}") };
        let [Source::Measurement(measurement)] = select.sources.as_slice() else {
            panic!("{text}")
        };
        assert_eq!(measurement.name, MeasurementName::Name(name.to_owned()), "{text}");
    }
}

#[test]
fn deep_nesting_is_refused_and_long_chains_are_not() {
    let deep = format!("select {}n{} from m", "(".repeat(5_000), ")".repeat(5_000));
    assert!(parse(&deep, &Params::default()).is_err());
    let deep = format!("select {} from m", "abs(".repeat(5_000));
    assert!(parse(&deep, &Params::default()).is_err());
    let deep = format!("select n from {}m", "(select n from ".repeat(5_000));
    assert!(parse(&deep, &Params::default()).is_err());
    let deep = format!("select {}n from m", "-".repeat(100_000));
    assert!(parse(&deep, &Params::default()).is_err());
    let long = format!("select n from m where n = 1{}", " or n = 2".repeat(20_000));
    let statements = parse(&long, &Params::default()).unwrap();
    assert_eq!(statements[0].to_string().matches(" OR ").count(), 20_000);
}

/// Pieces that a hostile or a broken client may join in any order.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("select ".to_owned()),
        Just(" from ".to_owned()),
        Just(" where ".to_owned()),
        Just("show tag values with key ".to_owned()),
        Just("create retention policy ".to_owned()),
        Just(" group by time(1h), * fill(0) ".to_owned()),
        Just("/".to_owned()),
        Just("\"".to_owned()),
        Just("'".to_owned()),
        Just("\\".to_owned()),
        Just("(".to_owned()),
        Just("$a".to_owned()),
        Just("9999999999w".to_owned()),
        Just("\r\n".to_owned()),
        "[a-z.:=~,;() ]{0,6}",
        "\\PC{0,4}",
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in pieces()) {
        if let Ok(statements) = parse(&text, &Params::default()) {
            let rendered: Vec<String> = statements.iter().map(ToString::to_string).collect();
            prop_assert!(parse(&rendered.join(";"), &Params::default()).is_ok(), "{:?}", rendered);
        }
    }

    #[test]
    fn any_name_survives_quoting(name in "\\PC{0,12}") {
        let text = format!("drop measurement {}", super::identifier(&name));
        let statements = parse(&text, &Params::default()).unwrap();
        prop_assert_eq!(&statements, &vec![Statement::DropMeasurement(name)]);
    }
}
