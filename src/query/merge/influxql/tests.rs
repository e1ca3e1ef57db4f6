//! However series are split over backends and into pieces, the same answer comes out.

use proptest::prelude::*;

use super::{Conflict, Key, Merge, Turn, Way};
use crate::proto::results::{Form, Rows, Series, Writer};
use std::collections::VecDeque;

fn series(name: &str, tag: Option<&str>, rows: &[&str]) -> Series {
    let mut all = Rows::default();
    rows.iter().for_each(|row| all.push(row));
    Series {
        name: name.to_owned(),
        tags: tag.map(|value| ("k".to_owned(), value.to_owned())).into_iter().collect(),
        columns: vec!["time".to_owned(), "v".to_owned()],
        rows: Some(all),
        partial: false,
    }
}

/// Feeds each source its pieces one by one, as they are asked for.
fn merged(way: Way, sources: Vec<Vec<Series>>) -> Result<Vec<Series>, Conflict> {
    let mut sources: Vec<VecDeque<Series>> = sources.into_iter().map(VecDeque::from).collect();
    let mut merge = Merge::new(way, sources.len());
    let mut out = Vec::new();
    loop {
        match merge.turn()? {
            Turn::Need(at) => match sources[at].pop_front() {
                Some(piece) => merge.feed(at, vec![piece]),
                None => merge.end(at),
            },
            Turn::Piece(piece) => out.push(piece),
            Turn::Done => return Ok(out),
        }
    }
}

fn text(pieces: &[Series]) -> String {
    let (mut writer, mut out) =
        (Writer::new(Form::Json { pretty: false, chunked: false }), String::new());
    writer.statement(true, &mut out);
    pieces.iter().for_each(|piece| writer.piece(piece.clone(), &mut out));
    writer.end(None, &mut out);
    writer.finish(&mut out);
    out
}

/// A series in pieces of so many rows.
fn pieces(whole: &Series, size: usize) -> Vec<Series> {
    let rows: Vec<&str> = whole.rows.iter().flat_map(Rows::iter).collect();
    let chunks = rows.chunks(size);
    let last = chunks.len().saturating_sub(1);
    let piece = |(at, rows): (usize, &[&str])| {
        let mut part = Rows::default();
        rows.iter().for_each(|row| part.push(row));
        Series { rows: Some(part), partial: at < last, ..whole.head() }
    };
    chunks.enumerate().map(piece).collect()
}

#[test]
fn a_series_of_two_backends_is_no_answer() {
    let one = series("m", None, &["[1,2]"]);
    let way = Way::Side { descending: false };
    assert_eq!(merged(way, vec![vec![one.clone()], vec![one]]), Err(Conflict::Twice("m".into())));
}

#[test]
fn other_columns_are_no_answer() {
    let one = series("a", None, &["[1,2]"]);
    let mut other = series("b", None, &["[1,2]"]);
    other.columns.push("w".to_owned());
    let way = Way::Side { descending: false };
    assert_eq!(merged(way, vec![vec![one.clone()], vec![other]]), Err(Conflict::Columns));
    let tagged = series("b", Some("x"), &["[1,2]"]);
    let way = Way::Side { descending: false };
    assert_eq!(merged(way, vec![vec![one], vec![tagged]]), Err(Conflict::Columns));
}

#[test]
fn a_series_that_breaks_off_is_no_answer() {
    let mut one = series("a", None, &["[1,2]"]);
    one.partial = true;
    let way = Way::Side { descending: false };
    assert_eq!(merged(way, vec![vec![one], vec![]]), Err(Conflict::Order));
}

#[test]
fn counts_are_added_and_keys_united() {
    let counts = |count: &str| vec![series("", None, &[count])];
    let sum = merged(Way::Sum, vec![counts("[9007199254740993]"), counts("[2]")]).unwrap();
    assert_eq!(sum, counts("[9007199254740995]"));
    let big = vec![counts("[9223372036854775807]"), counts("[1]")];
    assert_eq!(merged(Way::Sum, big), Err(Conflict::Count));
    let keys = |rows: &[&str]| vec![series("m", None, rows)];
    let union =
        merged(Way::Union, vec![keys(&["[\"a\"]", "[\"c\"]"]), keys(&["[\"a\"]", "[\"b\"]"])]);
    assert_eq!(union.unwrap(), keys(&["[\"a\"]", "[\"b\"]", "[\"c\"]"]));
}

#[test]
fn what_all_must_know_alike_comes_once_or_not_at_all() {
    let said = vec![series("u", None, &["[1,2]"]), series("v", None, &["[3,4]"])];
    assert_eq!(merged(Way::Equal, vec![said.clone(), said.clone()]).unwrap(), said);
    assert_eq!(merged(Way::Equal, vec![said, vec![]]), Err(Conflict::Unequal));
}

#[test]
fn series_keys_are_sorted_by_their_measurement_without_escapes() {
    let keys = |rows: &[&str]| vec![series("", None, rows)];
    let way = Way::Rows { key: Key::SeriesKey, offset: 0, limit: None, piece_rows: 9 };
    let some = keys(&["[\"a\\\\ b,t=1\"]", "[\"c\"]"]);
    let others = keys(&["[\"a,z=1\"]", "[\"a#,t=1\"]"]);
    let sorted = keys(&["[\"a,z=1\"]", "[\"a\\\\ b,t=1\"]", "[\"a#,t=1\"]", "[\"c\"]"]);
    assert_eq!(merged(way, vec![some, others]).unwrap(), sorted);
}

/// Names, a tag for each, and how many rows.
fn tables() -> impl Strategy<Value = Vec<Series>> {
    let table = ("[a-c]{1,2}", "[a-c]{0,2}", 1..7_usize);
    proptest::collection::vec(table, 0..12).prop_map(|tables| {
        let make = |(at, (name, tag, count)): (usize, (String, String, usize))| {
            let rows: Vec<String> = (0..count).map(|row| format!("[{at},\"{row}<\"]")).collect();
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            series(&name, Some(&tag), &rows)
        };
        let mut all: Vec<Series> = tables.into_iter().enumerate().map(make).collect();
        all.sort_by(super::compare);
        all.dedup_by(|a, b| a.is_same(b));
        all
    })
}

proptest! {
    #[test]
    fn any_split_of_any_series_merges_back_to_the_same_bytes(
        all in tables(),
        descending: bool,
        size in 1..8_usize,
        split in proptest::collection::vec(0..4_usize, 12),
    ) {
        let mut all = all;
        if descending {
            all.reverse();
        }
        // All series of a measurement lie on one backend.
        let owner = |series: &Series| {
            split[series.name.bytes().map(usize::from).sum::<usize>() % split.len()]
        };
        let mut sources = vec![Vec::new(); 4];
        for series in &all {
            sources[owner(series)].extend(pieces(series, size));
        }
        let merged = merged(Way::Side { descending }, sources).unwrap();
        prop_assert_eq!(text(&merged), text(&all));
        let whole: Vec<Series> = all.iter().flat_map(|series| pieces(series, size)).collect();
        prop_assert_eq!(merged, whole);
    }

    #[test]
    fn a_list_is_the_sorted_union_and_its_limit_is_of_the_whole(
        names in proptest::collection::btree_set("[a-f]{1,3}", 0..30),
        split in proptest::collection::vec(0..8_u8, 30),
        (offset, limit) in (0..12_u64, proptest::option::of(1..12_u64)),
        (size, piece_rows) in (1..6_usize, 1..6_usize),
    ) {
        let rows: Vec<String> = names.iter().map(|name| format!("[\"{name}\"]")).collect();
        let mut sources: Vec<Vec<Series>> = Vec::new();
        for bit in 0..3 {
            // A row may be known to several, while data moves.
            let known = |at: &usize| split[*at] & (1 << bit) != 0 || split[*at] == 0 && bit == 1;
            let known: Vec<&str> =
                (0..rows.len()).filter(known).map(|at| rows[at].as_str()).collect();
            sources.push(pieces(&series("l", None, &known), size));
        }
        let way = Way::Rows { key: Key::Name, offset, limit, piece_rows };
        let merged = merged(way, sources).unwrap();
        let found: Vec<&str> =
            merged.iter().flat_map(|piece| piece.rows.iter().flat_map(Rows::iter)).collect();
        let skip = usize::try_from(offset).unwrap();
        let take = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
        let expected: Vec<&str> = rows.iter().map(String::as_str).skip(skip).take(take).collect();
        prop_assert_eq!(found, expected);
        let last = merged.len().saturating_sub(1);
        for (at, piece) in merged.iter().enumerate() {
            prop_assert_eq!(piece.partial, at < last);
            prop_assert!(piece.rows.as_ref().is_some_and(|rows| rows.len() <= piece_rows));
        }
    }
}
