//! Laws of placement and naming.

use std::sync::Arc;

use serde_json::Value;

use super::crc_ring::CrcRing;
use super::even::{Even, siphash24};
use super::*;
use crate::base::checksum::crc32_ieee;

const RECORDED: &str = include_str!("../../tests/vectors/placement.jsonl");
const EVEN: &str = include_str!("../../tests/vectors/placement_even.jsonl");

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn texts(value: &Value) -> Vec<Box<str>> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap().into()).collect()
}

fn numbers(value: &Value) -> Vec<u16> {
    let values = value.as_array().unwrap().iter();
    values.map(|number| number.as_u64().unwrap().try_into().unwrap()).collect()
}

fn plan(placement: Placement, shard_key: &str, circles: &[&[&str]]) -> Plan {
    let backend =
        |name: &&str| BackendPlan { name: (*name).to_owned(), url: format!("http://{name}:8086") };
    let circle = |(index, names): (usize, &&[&str])| CirclePlan {
        name: format!("circle-{}", index + 1),
        backends: names.iter().map(backend).collect(),
    };
    Plan {
        placement,
        hash_key: HashKey::Template("%idx".into()),
        shard_key: ShardKey::parse(shard_key).unwrap(),
        circles: circles.iter().enumerate().map(circle).collect(),
    }
}

fn two_circles(placement: Placement) -> Topology {
    Topology::new(&plan(placement, "%org,%bk,%mm", &[&["a1", "a2"], &["b1", "b2", "b3"]]))
}

fn target(org: &str, database: &str, retention_policy: &str) -> Target {
    Target { org: org.into(), database: database.into(), retention_policy: retention_policy.into() }
}

#[test]
fn every_recorded_key_has_the_owner_that_influx_proxy_gives_it() {
    let mut rings = 0;
    for row in rows(RECORDED).iter().filter(|row| row["name"] != "crc32") {
        let nodes = texts(&row["nodes"]);
        let ring = CrcRing::new(&nodes);
        let owners: Vec<u16> =
            texts(&row["keys"]).iter().map(|key| ring.owner(key.as_bytes())).collect();
        assert_eq!(owners, numbers(&row["owner_index"]), "{}", row["name"]);
        rings += 1;
    }
    assert_eq!(rings, 15);
}

#[test]
fn every_recorded_point_has_its_hash() {
    let mut points = 0;
    for row in rows(RECORDED).iter().filter(|row| row["name"] == "crc32") {
        let text = row["point_text"].as_str().unwrap();
        assert_eq!(u64::from(crc32_ieee(text.as_bytes())), row["crc32"].as_u64().unwrap());
        points += 1;
    }
    assert_eq!(points, 8);
}

#[test]
fn every_word_of_hash_key_gives_the_recorded_node_strings() {
    for row in rows(RECORDED).iter().filter(|row| row["name"] != "crc32") {
        let hash_key = HashKey::parse(row["hash_key"].as_str().unwrap()).unwrap();
        for (index, node) in texts(&row["nodes"]).iter().enumerate() {
            // The rows by name and by url carry those names and urls themselves.
            assert_eq!(&*hash_key.node(index, node, node), &**node, "{}", row["name"]);
        }
    }
}

#[test]
fn the_even_placement_is_frozen() {
    let rows = rows(EVEN);
    for row in &rows {
        let even = Even::new(&texts(&row["nodes"]));
        let owners: Vec<u16> =
            texts(&row["keys"]).iter().map(|key| even.owner(key.as_bytes())).collect();
        assert_eq!(owners, numbers(&row["owner_index"]), "{}", row["name"]);
    }
    assert_eq!(rows.len(), 6);
}

#[test]
fn siphash_has_its_published_values() {
    let key = 0x0706_0504_0302_0100;
    let key_high = 0x0f0e_0d0c_0b0a_0908;
    let bytes: Vec<u8> = (0..15).collect();
    assert_eq!(siphash24(key, key_high, &bytes), 0xa129_ca61_49be_45e5);
    assert_eq!(siphash24(key, key_high, &[]), 0x726f_db47_dd0e_0e31);
}

#[test]
fn a_new_backend_takes_keys_and_nobody_else_moves_any() {
    let nodes: Vec<Box<str>> = (0..9).map(|index| format!("backend-{index}").into()).collect();
    let (before, after) = (Even::new(&nodes[..8]), Even::new(&nodes));
    let mut moved = 0;
    for number in 0..9_000 {
        let key = format!("org,bucket,measurement{number}");
        let (old, new) = (before.owner(key.as_bytes()), after.owner(key.as_bytes()));
        assert!(new == old || new == 8, "{key} moved from {old} to {new}");
        moved += usize::from(new != old);
    }
    assert!((850..1150).contains(&moved), "{moved} of 9,000, expected about 1,000");
}

#[test]
fn every_spelling_of_one_target_is_one_target() {
    let naming = Naming::new("main", &[]);
    let expected = target("main", "d", "");
    let spellings = [
        naming.v1("d", None),
        naming.v1("d", Some("")),
        naming.v1("d", Some("autogen")),
        naming.v1("d/autogen", None),
        naming.v2(None, "d"),
        naming.v2(Some(""), "d"),
        naming.v2(Some("main"), "d"),
        naming.v2(Some("0123456789abcdef"), "d"),
        naming.v2(Some("main"), "d/autogen"),
        naming.v2(Some("main"), "d/"),
    ];
    for (index, spelling) in spellings.iter().enumerate() {
        assert_eq!(spelling, &expected, "spelling {index}");
    }
    assert_eq!(naming.v1("d", Some("weekly")), naming.v2(None, "d/weekly"));
    assert_eq!(naming.v1("d", Some("weekly")).bucket(), "d/weekly");
    assert_eq!(naming.v2(Some("other"), "d"), target("other", "d", ""));
}

#[test]
fn the_table_renames_every_spelling_alike() {
    let row = |database: &str, policy: &str, bucket: &str, org: Option<&str>| Mapping {
        database: database.into(),
        retention_policy: policy.into(),
        bucket: bucket.into(),
        org: org.map(Box::from),
    };
    let naming = Naming::new(
        "main",
        &[row("old", "autogen", "new", Some("team")), row("old", "weekly", "new/long", None)],
    );
    let renamed = target("team", "new", "");
    assert_eq!(naming.v1("old", None), renamed);
    assert_eq!(naming.v1("old", Some("autogen")), renamed);
    assert_eq!(naming.v2(None, "old"), renamed);
    assert_eq!(naming.v2(Some("0123456789ABCDEF"), "old/autogen"), renamed);
    assert_eq!(naming.v2(Some("team"), "new"), renamed);
    assert_eq!(naming.v1("old", Some("weekly")), target("main", "new", "long"));
    assert_eq!(naming.v1("old", Some("daily")), target("main", "old", "daily"));
    // An org that is named stays: it is another target.
    assert_eq!(naming.v2(Some("main"), "old"), target("main", "new", ""));
}

#[test]
fn the_route_key_is_the_filled_template() {
    let key = |template: &str, policy: &str| {
        let key = ShardKey::parse(template).unwrap().fill(&target("o", "d", policy), b"a b,c");
        String::from_utf8(key.into_vec()).unwrap()
    };
    assert_eq!(key("%org,%bk,%mm", ""), "o,d,a b,c");
    assert_eq!(key("%org,%bk,%mm", "weekly"), "o,d/weekly,a b,c");
    assert_eq!(key("%db,%mm", "weekly"), "d,a b,c");
    assert_eq!(key("x-%mm-y", ""), "x-a b,c-y");
    assert_eq!(ShardKey::parse(""), Err(KeyError::NoVariable));
    assert_eq!(ShardKey::parse("db,mm"), Err(KeyError::NoVariable));
    assert_eq!(ShardKey::parse("%db,%xx"), Err(KeyError::UnknownVariable("%xx".to_owned())));
    assert_eq!(ShardKey::parse("%db\t%mm"), Err(KeyError::ControlCharacter));
    assert_eq!(HashKey::parse("backend"), Err(KeyError::NoIndex));
}

#[test]
fn a_route_has_one_backend_of_each_circle() {
    for placement in [Placement::InfluxProxy, Placement::Even] {
        let topology = two_circles(placement);
        let mut used = [0; 5];
        for number in 0..500 {
            let name = format!("m{number}");
            let owners = topology.route(&target("o", "d", ""), name.as_bytes());
            assert_eq!(owners.len(), 2);
            for (owner, circle) in owners.iter().zip(topology.circles()) {
                assert!(circle.backends.contains(owner));
                used[usize::from(*owner)] += 1;
            }
        }
        assert!(used.iter().all(|&count| count > 50), "{placement}: {used:?}");
    }
}

#[test]
fn a_fingerprint_is_read_back_as_the_same_rings() {
    for placement in [Placement::InfluxProxy, Placement::Even] {
        let topology = two_circles(placement);
        let text = topology.fingerprint();
        let again = Topology::from_fingerprint(&text).unwrap();
        assert_eq!(again.fingerprint(), text);
        assert!(moved_share(&topology, &again).abs() < f64::EPSILON);
    }
}

#[test]
fn a_fingerprint_that_is_cut_or_changed_is_an_error_and_no_panic() {
    let text = two_circles(Placement::InfluxProxy).fingerprint();
    for end in 0..text.len() {
        // A cut inside the last names gives other names; it only has to be survived.
        let _survived = Topology::from_fingerprint(&text[..end]).is_ok();
    }
    let bad =
        |from: &str, to: &str| Topology::from_fingerprint(&text.replace(from, to)).err().unwrap();
    assert_eq!(bad("topology 1", "topology 2"), FingerprintError::UnknownFormat);
    assert_eq!(bad("influx-proxy", "other"), FingerprintError::BadLine(2));
    assert_eq!(bad("%mm", "%nn"), FingerprintError::BadLine(4));
    assert_eq!(bad("circle\t", "oval\t"), FingerprintError::BadLine(5));
    assert_eq!(bad("backend\tb", "circle\tb"), FingerprintError::Incomplete);
}

#[test]
fn the_moved_share_is_what_a_change_really_moves() {
    let of = |circles: &[&[&str]]| Topology::new(&plan(Placement::Even, "%db,%mm", circles));
    let old = of(&[&["a1", "a2"], &["b1", "b2"]]);
    let share = |circles: &[&[&str]]| moved_share(&old, &of(circles));
    // Circles in another order, or one less: nobody owns more than before.
    assert!(share(&[&["b1", "b2"], &["a1", "a2"]]).abs() < f64::EPSILON);
    assert!(share(&[&["a1", "a2"]]).abs() < f64::EPSILON);
    // A third backend in one circle takes a third of it.
    assert!((share(&[&["a1", "a2"], &["b1", "b2", "b3"]]) - 1.0 / 3.0).abs() < 0.03);
    // A new circle has all to be copied.
    assert!((share(&[&["a1", "a2"], &["b1", "b2"], &["c1"]]) - 1.0).abs() < f64::EPSILON);
    // Another name is another backend.
    assert!((share(&[&["a1", "x"], &["b1", "b2"]]) - 0.5).abs() < 0.03);
    // Another key lays all out anew: a key stays in both circles by chance.
    let other_key =
        Topology::new(&plan(Placement::Even, "%mm,%db", &[&["a1", "a2"], &["b1", "b2"]]));
    assert!(moved_share(&old, &other_key) > 0.4);
}

#[test]
fn a_router_agrees_with_the_topology_and_keeps_its_numbers() {
    let topology = Arc::new(two_circles(Placement::InfluxProxy));
    let mut router = Router::new(Arc::clone(&topology));
    let targets = [target("o", "d", ""), target("o", "d", "weekly"), target("p", "d", "")];
    let numbers: Vec<TargetNo> = targets.iter().map(|it| router.target(it)).collect();
    assert_eq!(numbers, [TargetNo(0), TargetNo(1), TargetNo(2)]);
    let mut sets = Vec::new();
    // More names than both generations hold, twice over, and each twice in a row.
    for number in (0..40).chain(0..40) {
        for (no, target) in numbers.iter().zip(&targets) {
            let long_tail = "x".repeat(number * 10);
            let name = format!("m{number}{long_tail}");
            let set = router.route(*no, name.as_bytes());
            assert_eq!(router.route(*no, name.as_bytes()), set);
            assert_eq!(router.set(set), &topology.route(target, name.as_bytes())[..]);
            sets.push(set);
        }
    }
    assert_eq!(sets[..sets.len() / 2], sets[sets.len() / 2..]);
    assert!(sets.iter().all(|set| set.0 < 6), "no more sets than pairs of backends");
    assert_eq!(router.target(&targets[1]), TargetNo(1));
    assert_eq!(router.name(TargetNo(1)), &targets[1]);
}
