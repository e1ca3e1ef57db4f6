//! Data directories that InfluxDB and we exchange: it opens files of ours, and we read those of its own.

use crate::support::prelude::*;
use crate::support::world::directory;
use circlet::store::compact::{Thoroughness, rewrite, tidy};
use circlet::store::foreign::{ExportOptions, FileState, export, inspect};
use circlet::store::meta::{self, DatabaseMeta, Group, Meta, PolicyMeta};
use circlet::store::tsm::{FileName, Outputs, Reader, Writer};
use circlet::store::value::{Column, FieldType, Value as Field};
use circlet::store::view::TimeRange;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const WEEK_NS: i64 = 7 * 86_400 * 1_000_000_000;
/// A Monday.
const MONDAY_NS: i64 = 1_699_833_600 * 1_000_000_000;

/// Measurement and tags as InfluxDB prints them, time, field: value, as text without loss.
type Points = BTreeMap<(String, i64, String), String>;

/// Numbers that look random, the same in every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 29
    }

    fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 8) % end
    }
}

/// A value of the kind, in one of several manners, so that every encoding is met.
fn value(dice: &mut Dice, kind: FieldType, manner: u64, at: i64) -> Field {
    match (kind, manner % 4) {
        (FieldType::Float, 0) => Field::Float(2.5),
        (FieldType::Float, 1) => Field::Float(dice.below(1000) as f64 / 10.0),
        (FieldType::Float, 2) => Field::Float(-0.0),
        (FieldType::Float, _) => {
            let value = f64::from_bits(dice.next());
            Field::Float(if value.is_finite() { value } else { 1e300 })
        }
        (FieldType::Integer, 0) => Field::Integer(at),
        (FieldType::Integer, 1) => Field::Integer(dice.below(100).cast_signed() - 50),
        (FieldType::Integer, _) => Field::Integer(dice.next().cast_signed()),
        (FieldType::Unsigned, 0) => Field::Unsigned(7),
        (FieldType::Unsigned, _) => Field::Unsigned(dice.next() ^ dice.next() << 32),
        (FieldType::Boolean, _) => Field::Boolean(dice.below(2) == 1),
        (FieldType::String, 0) => Field::String(b"up and running"[..].into()),
        (FieldType::String, _) => {
            let text =
                format!("{} \u{e4}\"\\,{}", dice.next(), "x".repeat(dice.below(90) as usize));
            Field::String(text.into_bytes().into())
        }
    }
}

fn text(value: &Field) -> String {
    match value {
        Field::Float(value) => format!("{value:?}"),
        Field::Integer(value) => value.to_string(),
        Field::Unsigned(value) => value.to_string(),
        Field::Boolean(value) => value.to_string(),
        Field::String(value) => String::from_utf8(value.to_vec()).unwrap(),
    }
}

fn column(dice: &mut Dice, kind: FieldType, begin_ns: i64, count: u64) -> Column {
    let (manner, steps) = (dice.below(4), dice.below(3));
    let mut column = Column::new(kind);
    let mut time = begin_ns + dice.below(1000).cast_signed() * 1_000_000_000;
    for at in 0..count.cast_signed() {
        column.push(time, &value(dice, kind, manner, at));
        time += match steps {
            0 => 10_000_000_000,
            1 => (1 + dice.below(30)).cast_signed() * 1_000_000_000,
            _ => 1 + dice.below(20_000_000_000).cast_signed(),
        };
    }
    column
}

const FIELDS: [(&str, FieldType); 5] = [
    ("f", FieldType::Float),
    ("i, x", FieldType::Integer),
    ("o", FieldType::Boolean),
    ("s", FieldType::String),
    ("u", FieldType::Unsigned),
];

/// As files have the series, and as InfluxDB prints it in CSV, where tags stay escaped.
const SERIES: [(&str, &str); 4] = [
    ("m", "m|"),
    ("m,h=a", "m|h=a"),
    ("m,h=b\\ c,r=\u{fc}", "m|h=b\\ c,r=\u{fc}"),
    ("n\\,\\ o,h=a", "n, o|h=a"),
];

/// Two windows of two files each that overlap, with a delete in one, and what they hold.
fn made(root: &Path, dice: &mut Dice) -> Points {
    let mut points = Points::new();
    for shard in 1..=2_i64 {
        let begin_ns = MONDAY_NS + (shard - 1) * WEEK_NS;
        let folder = root.join(format!("data/d/autogen/{shard}"));
        fs::create_dir_all(&folder).unwrap();
        for generation in 1..=2_u64 {
            let name = FileName { generation, sequence: 1 };
            let mut columns: BTreeMap<Vec<u8>, Column> = BTreeMap::new();
            for (series, printed) in SERIES {
                for (field, kind) in FIELDS {
                    let count = [3, 1000, 1700][dice.below(3) as usize];
                    let column = column(dice, kind, begin_ns, count);
                    for at in 0..column.len() {
                        let key = (printed.to_owned(), column.times[at], field.to_owned());
                        points.insert(key, text(&column.values.get(at)));
                    }
                    columns.insert(format!("{series}#!~#{field}").into(), column);
                }
            }
            let mut writer = Writer::create(&Outputs::makeshift(&folder, name)).unwrap();
            columns.iter().for_each(|(key, column)| writer.points(key, column).unwrap());
            writer.finish().unwrap();
            let path = folder.join(name.to_string());
            fs::rename(Outputs::makeshift(&folder, name), &path).unwrap();
            if (shard, generation) == (2, 2) {
                continue;
            }
            // Before the newer file comes: what it holds stays.
            let range = TimeRange { min_ns: begin_ns, max_ns: begin_ns + 1_500_000_000_000 };
            let keys = FIELDS.map(|(field, _)| format!("m,h=a#!~#{field}").into_bytes());
            let reader = Reader::open(&path).unwrap();
            assert_eq!(reader.delete(keys.iter().map(Vec::as_slice), range).unwrap(), 5);
            points.retain(|(series, time, _), _| {
                series != "m|h=a" || !(range.min_ns..=range.max_ns).contains(time)
            });
        }
    }
    points
}

fn catalogue(root: &Path) {
    let group = |id: i64| Group {
        id: id.cast_unsigned(),
        start_ns: MONDAY_NS + (id - 1) * WEEK_NS,
        end_ns: MONDAY_NS + id * WEEK_NS,
        shards: vec![id.cast_unsigned()],
        ..Group::default()
    };
    let policy = PolicyMeta {
        name: "autogen".into(),
        window_ns: WEEK_NS,
        replication: 1,
        groups: vec![group(1), group(2)],
        ..PolicyMeta::default()
    };
    let database = DatabaseMeta {
        name: "d".into(),
        default_policy: "autogen".into(),
        policies: vec![policy],
        ..DatabaseMeta::default()
    };
    let meta = Meta {
        term: 1,
        index: 1,
        cluster: 1,
        databases: vec![database],
        max_group_id: 2,
        max_shard_id: 2,
        ..Meta::default()
    };
    fs::create_dir_all(root.join("meta")).unwrap();
    meta::write(&root.join("meta/meta.db"), &meta).unwrap();
}

/// All points of a database as the server gives them; CSV, because that is without loss.
fn answered(server: &Influxd, db: &str) -> Points {
    let statement = encode("SELECT * FROM /.*/ GROUP BY *");
    let request = Request::get(&format!("/query?db={db}&epoch=ns&q={statement}"));
    let mut connection = Connection::open(server.address());
    let answer = connection.request(&request.header("Accept", "application/csv")).unwrap();
    let body = answer.expect(200).text();
    let mut points = Points::new();
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body.as_bytes());
    let mut header: Vec<String> = Vec::new();
    for record in reader.records() {
        let record = record.unwrap();
        if &record[0] == "name" && &record[1] == "tags" {
            header = record.iter().map(str::to_owned).collect();
            continue;
        }
        let tags = record[1].split(',').filter(|tag| !tag.ends_with('=')).collect::<Vec<_>>();
        let series = format!("{}|{}", &record[0], tags.join(","));
        let time = record[2].parse().unwrap();
        for (field, value) in header.iter().zip(record.iter()).skip(3) {
            if !value.is_empty() {
                points.insert((series.clone(), time, field.clone()), value.to_owned());
            }
        }
    }
    points
}

/// Floats in one spelling.
fn normal(points: Points, is_float: impl Fn(&str) -> bool) -> Points {
    let spell = |((series, time, field), value): ((String, i64, String), String)| {
        let value = match value.parse::<f64>() {
            Ok(number) if is_float(&field) => format!("{number:?}"),
            _ => value,
        };
        ((series, time, field), value)
    };
    points.into_iter().map(spell).collect()
}

#[track_caller]
fn expect_same(have: &Points, want: &Points) {
    let differs = |one: &Points, other: &Points| {
        let points = one.iter().filter(|(key, value)| other.get(*key) != Some(value));
        points.map(|(key, value)| format!("{key:?} {value}")).collect::<Vec<_>>()
    };
    let (more, less) = (differs(have, want), differs(want, have));
    assert!(
        more.is_empty() && less.is_empty(),
        "{} of {} differ: {:?}\nof {}: {:?}",
        more.len(),
        have.len(),
        &more[..more.len().min(3)],
        want.len(),
        &less[..less.len().min(3)]
    );
}

#[test]
fn influxd_opens_files_of_ours_and_answers_with_our_points() {
    let root = directory();
    let home = root.path().join("server");
    let want = made(&home, &mut Dice(20_231_114));
    assert!(want.len() > 20_000, "{}", want.len());
    catalogue(&home);
    let mut server = Influxd::start(root.path(), "server");
    let is_float = |field: &str| field == "f";
    expect_same(&normal(answered(&server, "d"), is_float), &want);
    // Its own index of fields is there now, and by then it has perhaps compacted the files.
    server.kill();
    server.restart();
    expect_same(&normal(answered(&server, "d"), is_float), &want);
}

fn lines(begin: i64, count: i64, mark: i64) -> String {
    let line = |at: i64| {
        let time = 1_700_000_000_000_000_000 + at * 10_000_000_000;
        format!(
            "cpu,host=a,region=e\\ u v={}.5,n={mark}i,ok={},s=\"{mark} \\\"at\\\" {at}\" {time}\n\
             cpu,host=b v={} {time}\nm\\,em,host=a f\\ x={at}i {}\n",
            at % 7,
            at % 3 == 0,
            at * mark,
            time + WEEK_NS
        )
    };
    (begin..begin + count).map(line).collect()
}

fn data_files(server: &Influxd, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    inspect(server.directory(), false, |view| {
        let entries = fs::read_dir(&view.folder.path).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        found.extend(names.filter(|name| name.ends_with(ending)));
    })
    .unwrap();
    found
}

/// Snapshots with overlaps, deletes by time and by tag, what its own compaction made of them, and a log on top.
fn written_by_influxd(server: &Influxd) {
    server.series("", "CREATE DATABASE d");
    let snapshot = |lines: &str, files: usize| {
        assert_eq!(server.write("d", lines).status, 204);
        until("a snapshot", seconds(20), || {
            (data_files(server, ".tsm").len() >= files).then_some(())
        });
    };
    snapshot(&lines(0, 1200, 1), 2);
    snapshot(&lines(1000, 700, 2), 4);
    server.series("d", "DELETE FROM cpu WHERE host = 'b' AND time < 1700003000000000001");
    server.series("d", "DELETE FROM \"m,em\" WHERE time >= 1700614800000000000");
    // It compacts files with deletes at once.
    until("a compaction", seconds(20), || {
        data_files(server, ".tombstone").is_empty().then_some(())
    });
    assert!(data_files(server, ".tsm").iter().any(|name| name.ends_with("-000000002.tsm")));
    server.series("d", "DELETE FROM cpu WHERE time = 1700000050000000000");
    assert_eq!(server.write("d", &lines(1690, 5, 3)).status, 204);
}

#[test]
fn a_directory_of_influxd_is_exported_as_it_answers_and_compacted_for_it() {
    let root = directory();
    let mut server = Influxd::start_eager(root.path(), "server");
    written_by_influxd(&server);
    let want = answered(&server, "d");
    assert!(want.len() > 8_000, "{}", want.len());
    server.kill();

    let mut text = Vec::new();
    let done = export(server.directory(), &ExportOptions::default(), &mut text).unwrap();
    assert_eq!(done.problems, [""; 0]);
    let other = Influxd::start(root.path(), "other");
    other.series("", "CREATE DATABASE d");
    assert_eq!(other.write("d", std::str::from_utf8(&text).unwrap()).status, 204);
    expect_same(&answered(&other, "d"), &want);

    compact_all(&server);
    server.restart();
    expect_same(&answered(&server, "d"), &want);
}

/// Makes one file of each window, as our engine does.
fn compact_all(server: &Influxd) {
    let mut folders = Vec::new();
    inspect(server.directory(), true, |view| {
        assert!(!view.is_damaged(), "{view:?}");
        let whole = |state: &FileState| matches!(state, FileState::Read { points: Some(_), .. });
        assert!(view.files.iter().all(|file| whole(&file.state)));
        folders.push(view.folder);
    })
    .unwrap();
    assert_eq!(folders.len(), 2);
    for folder in folders {
        tidy(&folder.path).unwrap();
        let files = folder.files().unwrap();
        let readers: Vec<Arc<Reader>> =
            files.iter().map(|path| Arc::new(Reader::open(path).unwrap())).collect();
        let mut made = rewrite(&folder.path, &readers, Thoroughness::Full, &|| false).unwrap();
        assert_eq!(made.publish().unwrap().len(), 1);
        made.retire().unwrap();
        assert_eq!(folder.files().unwrap().len(), 1);
        fs::remove_file(folder.path.join("fields.idx")).unwrap();
    }
}
