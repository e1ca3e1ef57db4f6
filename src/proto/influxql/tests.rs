//! The grammar against what a real server answered, and against what no server should meet.

use proptest::prelude::*;
use serde_json::Value as Json;

use super::{Params, ParseError, parse};

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

fn parse_row(row: &Row) -> Result<Vec<super::Statement>, ParseError> {
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

/// Rows whose fault only a regular expression engine or a list of time zones can see; the backend
/// that is asked finds it.
const LEFT_TO_THE_BACKEND: [&str; 1] = ["perr_076"];

/// Refused here, too, but with other words: a comment where a regular expression may begin is one
/// with a fault for InfluxDB, which reads the expression first.
const OTHER_WORDS: [&str; 1] = ["lex_023"];

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
            Err(_) if OTHER_WORDS.contains(&row.name.as_str()) => {}
            Err(error) => {
                differing.push(format!("{} {}\n {error}\n {expected}", row.name, row.text));
            }
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(agreed, 88);
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
    ];
    for (text, name) in cases {
        let statements = parse(text, &Params::default()).unwrap();
        let found = statements[0].measurements();
        assert_eq!(found.len(), 1, "{text}");
        assert_eq!(found[0].plain_name(), Some(name), "{text}");
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
        prop_assert_eq!(&statements, &vec![super::Statement::DropMeasurement(name)]);
    }
}
