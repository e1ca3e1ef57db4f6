use super::{ExportOptions, Exported, FileState, export, inspect};
use crate::proto::line::Precision;
use crate::store::meta::{self, DatabaseMeta, Group, Meta, PolicyMeta};
use crate::store::store::{Options, Store, WriteRequest};
use crate::store::tsm::tests::directory;
use crate::store::tsm::{Reader, Writer};
use crate::store::value::{Column, Strings, Values};
use crate::store::view::{Catalog, Change, TimeRange};
use snap::raw::Encoder;
use std::fs;
use std::path::Path;

fn integers(points: &[(i64, i64)]) -> Column {
    let (times, values) = points.iter().copied().unzip();
    Column { times, values: Values::Integer(values) }
}

fn file(directory: &Path, name: &str, keys: &[(&str, Column)]) {
    fs::create_dir_all(directory).unwrap();
    let path = directory.join(name);
    let mut writer = Writer::create(&path.with_added_extension("tmp")).unwrap();
    keys.iter().for_each(|(key, column)| writer.points(key.as_bytes(), column).unwrap());
    writer.finish().unwrap();
    fs::rename(path.with_added_extension("tmp"), path).unwrap();
}

fn catalogue(directory: &Path, groups: Vec<Group>) {
    let policy = PolicyMeta { name: "rp".into(), groups, ..PolicyMeta::default() };
    let database = DatabaseMeta {
        name: "d".into(),
        default_policy: "rp".into(),
        policies: vec![policy],
        ..DatabaseMeta::default()
    };
    let meta = Meta { databases: vec![database], ..Meta::default() };
    fs::create_dir_all(directory.join("meta")).unwrap();
    meta::write(&directory.join("meta/meta.db"), &meta).unwrap();
}

fn group(id: u64, start_ns: i64, end_ns: i64, deleted_ns: i64) -> Group {
    Group { id, start_ns, end_ns, deleted_ns, shards: vec![id], truncated_ns: None }
}

fn exported(directory: &Path, options: &ExportOptions) -> (String, Exported) {
    let mut text = Vec::new();
    let done = export(directory, options, &mut text).unwrap();
    (String::from_utf8(text).unwrap(), done)
}

fn lines(text: &str) -> Vec<&str> {
    text.lines().filter(|line| !line.starts_with('#')).collect()
}

/// An entry of InfluxDB's log: a write of integers.
fn logged(key: &str, points: &[(i64, i64)]) -> Vec<u8> {
    let mut plain = vec![2];
    plain.extend(u16::try_from(key.len()).unwrap().to_be_bytes());
    plain.extend(key.as_bytes());
    plain.extend(u32::try_from(points.len()).unwrap().to_be_bytes());
    for (time, value) in points {
        plain.extend(time.to_be_bytes());
        plain.extend(value.to_be_bytes());
    }
    let packed = Encoder::new().compress_vec(&plain).unwrap();
    let len = u32::try_from(packed.len()).unwrap();
    [&[1], &len.to_be_bytes()[..], &packed].concat()
}

#[test]
fn the_newest_value_is_written_and_nothing_that_is_deleted() {
    let root = directory();
    let shard = root.path().join("data/d/rp/7");
    let (a, b) = ("m,h=1#!~#a", "m,h=1#!~#b");
    file(
        &shard,
        "000000001-000000001.tsm",
        &[
            (a, integers(&[(1, 1), (2, 1), (3, 1), (4, 1)])),
            (b, integers(&[(1, 1), (3, 1), (9, 1)])),
            ("z#!~#f", integers(&[(5, 5)])),
        ],
    );
    file(&shard, "000000002-000000001.tsm", &[(a, integers(&[(2, 2), (3, 2)]))]);
    let wal = root.path().join("wal/d/rp/7");
    fs::create_dir_all(&wal).unwrap();
    let torn = &logged(a, &[(8, 9)])[..10];
    fs::write(wal.join("_00001.wal"), [&logged(a, &[(3, 3), (7, 3), (7, 4)]), torn].concat())
        .unwrap();
    fs::write(wal.join("_00002.wal"), logged("n,h=2#!~#x y", &[(6, 6)])).unwrap();
    let first = Reader::open(&shard.join("000000001-000000001.tsm")).unwrap();
    let range = TimeRange { min_ns: 1, max_ns: 1 };
    first.delete([a.as_bytes()], range).unwrap();
    first.delete([&b"z#!~#f"[..]], TimeRange { min_ns: i64::MIN, max_ns: i64::MAX }).unwrap();

    let (text, done) = exported(root.path(), &ExportOptions::default());
    let want = [
        "# DML",
        "# CONTEXT-DATABASE: d",
        "# CONTEXT-RETENTION-POLICY: rp",
        "m,h=1 b=1i 1",
        "m,h=1 a=2i 2",
        "m,h=1 a=3i,b=1i 3",
        "m,h=1 a=1i 4",
        "m,h=1 a=4i 7",
        "m,h=1 b=1i 9",
        "n,h=2 x\\ y=6i 6",
    ];
    assert_eq!(text.lines().collect::<Vec<_>>(), want);
    assert_eq!((done.windows, done.lines, done.values), (1, 7, 8));
    assert_eq!(done.problems.len(), 1);
    assert!(done.problems[0].ends_with(": the entry is torn"), "{:?}", done.problems);
}

#[test]
fn values_of_every_type_are_written_as_the_grammar_has_them() {
    let root = directory();
    let mut texts = Strings::default();
    texts.push(b"a \"b\" \\ c, \n=");
    let one = |values| Column { times: vec![-1], values };
    let two = Column { times: vec![1, 2], values: Values::Float(vec![f64::INFINITY, 1e300]) };
    let key = |field: &str| format!("m\\ x,t\\,=\\=a#!~#{field}");
    file(
        &root.path().join("data/d/rp/1"),
        "000000001-000000001.tsm",
        &[
            (&*key("b"), one(Values::Boolean(vec![true]))),
            (&*key("f,="), one(Values::Float(vec![-0.0]))),
            (&*key("g"), two),
            (&*key("s"), one(Values::String(texts))),
            (&*key("u"), one(Values::Unsigned(vec![u64::MAX]))),
        ],
    );
    let (text, done) = exported(root.path(), &ExportOptions::default());
    let line = "m\\ x,t\\,=\\=a b=true,f\\,\\==-0.0,s=\"a \\\"b\\\" \\\\ c, \n=\",u=18446744073709551615u -1\n";
    assert!(text.contains(line), "{text}");
    assert!(text.ends_with("m\\ x,t\\,=\\=a g=1e300 2\n"), "{text}");
    assert_eq!((done.lines, done.values, done.unspeakable), (2, 5, 1));
}

#[test]
fn what_is_not_wanted_or_in_no_window_is_left_out() {
    let root = directory();
    let all = integers(&[(5, 1), (15, 1), (25, 1)]);
    for (place, id) in [("d/rp", 1), ("d/rp", 2), ("d/rp", 3), ("e/rp", 4), ("d/other", 5)] {
        let shard = root.path().join("data").join(place).join(id.to_string());
        file(&shard, "000000001-000000001.tsm", &[(&*format!("m{id}#!~#f"), all.clone())]);
    }
    fs::create_dir_all(root.path().join("data/d/_series/00")).unwrap();
    fs::create_dir_all(root.path().join("data/d/rp/strange")).unwrap();
    let everything = ExportOptions::default();
    let (text, done) = exported(root.path(), &everything);
    assert_eq!((done.windows, done.values), (5, 15));
    assert_eq!(lines(&text)[0], "m5 f=1i 5");
    let only = ExportOptions {
        database: Some("d".into()),
        policy: Some("rp".into()),
        range: TimeRange { min_ns: 15, max_ns: 24 },
    };
    let (text, _) = exported(root.path(), &only);
    assert_eq!(lines(&text), ["m1 f=1i 15", "m2 f=1i 15", "m3 f=1i 15"]);

    catalogue(root.path(), vec![group(2, 0, 10, 0), group(1, 10, 20, 0), group(3, 20, 30, 99)]);
    let (text, done) = exported(root.path(), &everything);
    assert_eq!(lines(&text), ["m2 f=1i 5", "m1 f=1i 15"]);
    assert_eq!(done.problems.len(), 3, "{:?}", done.problems);
}

#[test]
fn windows_are_shown_with_their_files_and_their_damages() {
    let root = directory();
    let shard = root.path().join("data/d/rp/1");
    let long: Vec<(i64, i64)> = (0..2500).map(|at| (at, at)).collect();
    file(
        &shard,
        "000000001-000000001.tsm",
        &[
            ("m,h=1#!~#a", integers(&long)),
            ("m,h=1#!~#b", integers(&[(1, 1)])),
            ("m,h=2#!~#a", integers(&[(9, 1)])),
        ],
    );
    file(&shard, "000000002-000000001.tsm", &[("m,h=2#!~#b", integers(&[(9000, 1)]))]);
    fs::write(shard.join("000000003-000000001.tsm"), b"nothing").unwrap();
    fs::write(shard.join("000000009-000000001.tsm.bad"), b"12345").unwrap();
    let wal = root.path().join("wal/d/rp/1");
    fs::create_dir_all(&wal).unwrap();
    fs::write(wal.join("_00001.wal"), [logged("k", &[(1, 1)]), vec![1]].concat()).unwrap();
    let reader = Reader::open(&shard.join("000000001-000000001.tsm")).unwrap();
    reader.delete([&b"m,h=1#!~#b"[..]], TimeRange { min_ns: 0, max_ns: 5 }).unwrap();
    let look = |verify| {
        let mut views = Vec::new();
        inspect(root.path(), verify, |view| views.push(view)).unwrap();
        assert_eq!(views.len(), 1);
        views.pop().unwrap()
    };
    let view = look(false);
    assert_eq!((view.series, view.files.len()), (2, 3));
    assert!(view.other_bytes > 5);
    assert!(view.is_damaged());
    let FileState::Read { keys, blocks, range, tombstones, points, damages } = &view.files[0].state
    else {
        panic!("{view:?}")
    };
    assert_eq!((*keys, *blocks, *tombstones, *points, damages.len()), (3, 5, 1, None, 0));
    assert_eq!(*range, TimeRange { min_ns: 0, max_ns: 2499 });
    assert!(matches!(view.files[2].state, FileState::Unreadable(_)));
    let torn = view.segments[0].torn.as_ref().unwrap();
    assert_eq!((view.segments[0].entries, torn.0), (1, logged("k", &[(1, 1)]).len()));

    let path = shard.join("000000001-000000001.tsm");
    let mut bytes = fs::read(&path).unwrap();
    bytes[10] ^= 1;
    fs::write(&path, bytes).unwrap();
    let FileState::Read { points, damages, .. } = &look(true).files[0].state else { panic!() };
    assert_eq!((*points, damages.len()), (Some(1502), 1));
    assert!(damages[0].to_string().ends_with(" at 5: the checksum of the block is wrong"));
}

#[test]
fn what_our_own_log_holds_lies_on_top_and_nothing_is_changed() {
    let root = directory();
    let store =
        Store::open(Options { background: false, ..Options::new(root.path().to_owned()) }).unwrap();
    let create = |name: &str| Change::CreateDatabase { database: name.to_owned(), policy: None };
    store.change(create("d")).unwrap();
    store.change(create("e")).unwrap();
    let write = |database: &str, body: &str| {
        store
            .write(WriteRequest {
                database,
                policy: None,
                precision: Precision::Nanoseconds,
                unsigned: true,
                all_or_nothing: false,
                body: body.as_bytes(),
                now_ns: 0,
            })
            .unwrap();
    };
    write("d", "m,h=a v=1,w=2i 10\nm,h=b v=3 20\nm\\ 2,h=a s=\"x y\" 30\n");
    write("d", "m,h=a v=4 10\nm,h=b v=5 20\nm,h=c u=6u 700000000000000000\n");
    write("e", "m,h=a v=7 10\n");
    let database = store.database("d").unwrap();
    let series = database.series_with("m", "h", "b");
    let range = TimeRange { min_ns: 0, max_ns: 25 };
    store.change(Change::Delete { database: "d".into(), series, range }).unwrap();
    write("d", "m,h=b w=8i 20\n");
    let (text, done) = exported(root.path(), &ExportOptions::default());
    let want = [
        "m,h=a v=4.0,w=2i 10",
        "m,h=b w=8i 20",
        "m\\ 2,h=a s=\"x y\" 30",
        "m,h=c u=6u 700000000000000000",
        "m,h=a v=7.0 10",
    ];
    assert_eq!(lines(&text), want);
    assert_eq!(done.problems, [""; 0]);
    let segment = fs::read_dir(root.path().join("log")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&segment).unwrap();
    bytes.extend(b"CLog and then nothing");
    fs::write(&segment, &bytes).unwrap();
    let (text, done) = exported(root.path(), &ExportOptions::default());
    assert_eq!(lines(&text), want);
    assert_eq!(done.problems.len(), 1);
    assert!(fs::read(&segment).unwrap() == bytes);
}
