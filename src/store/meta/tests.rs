use super::{
    ContinuousQuery, DatabaseMeta, Group, Meta, MetaError, PolicyMeta, Subscription, UserMeta,
    read, write,
};
use proptest::prelude::*;

const WEEK_NS: i64 = 7 * 86_400 * 1_000_000_000;

fn recorded() -> (Vec<u8>, Meta) {
    let mut bytes = Vec::new();
    let mut hex = |text: &str| {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        bytes.extend(pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()));
    };
    hex("0800 1004 18cb8af6c8cfe6e49b09");
    hex("2a61 0a026431 12076175746f67656e 1a52");
    hex("0a076175746f67656e 1000 188080a4c9ffc18901 2001");
    hex("2a1c 0802 108080d0f7f3b0aec917 188080f4c0f3f2b7ca17 2000 2a020802");
    hex("2a1c 0801 108080988af3b4c1cb17 188080bcd3f2f6cacc17 2000 2a020801");
    hex("3800 4002 4802");
    let group = |id: u64, start_ns: i64| Group {
        id,
        start_ns,
        end_ns: start_ns + WEEK_NS,
        shards: vec![id],
        ..Group::default()
    };
    let policy = PolicyMeta {
        name: "autogen".into(),
        window_ns: WEEK_NS,
        replication: 1,
        groups: vec![group(2, 1_698_624_000_000_000_000), group(1, 1_699_833_600_000_000_000)],
        ..PolicyMeta::default()
    };
    let database = DatabaseMeta {
        name: "d1".into(),
        default_policy: "autogen".into(),
        policies: vec![policy],
        ..DatabaseMeta::default()
    };
    let meta = Meta {
        index: 4,
        cluster: 661_264_990_000_055_627,
        databases: vec![database],
        max_group_id: 2,
        max_shard_id: 2,
        ..Meta::default()
    };
    (bytes, meta)
}

#[test]
fn what_influxd_wrote_is_read_and_written_again_to_the_same_bytes() {
    let (bytes, mut meta) = recorded();
    let have = Meta::decode(&bytes).unwrap();
    meta.cluster = have.cluster;
    assert_eq!(have, meta);
    assert_eq!(meta.encode(), bytes);
}

fn text() -> impl Strategy<Value = String> {
    "[a-zäß \"]{0,12}"
}

fn group() -> impl Strategy<Value = Group> {
    let times = (any::<i64>(), any::<i64>(), any::<i64>());
    let shards = proptest::collection::vec(any::<u64>(), 0..3);
    (any::<u64>(), times, shards, proptest::option::of(any::<i64>())).prop_map(
        |(id, (start_ns, end_ns, deleted_ns), shards, truncated_ns)| Group {
            id,
            start_ns,
            end_ns,
            deleted_ns,
            shards,
            truncated_ns,
        },
    )
}

fn policy() -> impl Strategy<Value = PolicyMeta> {
    let groups = proptest::collection::vec(group(), 0..3);
    let destinations = proptest::collection::vec(text(), 0..3);
    let subscription = (text(), text(), destinations)
        .prop_map(|(name, mode, destinations)| Subscription { name, mode, destinations });
    let subscriptions = proptest::collection::vec(subscription, 0..2);
    (text(), any::<i64>(), any::<i64>(), any::<u32>(), groups, subscriptions).prop_map(
        |(name, duration_ns, window_ns, replication, groups, subscriptions)| PolicyMeta {
            name,
            duration_ns,
            window_ns,
            replication,
            groups,
            subscriptions,
        },
    )
}

fn meta() -> impl Strategy<Value = Meta> {
    let query = (text(), text()).prop_map(|(name, query)| ContinuousQuery { name, query });
    let database =
        (
            text(),
            text(),
            proptest::collection::vec(policy(), 0..3),
            proptest::collection::vec(query, 0..2),
        )
            .prop_map(|(name, default_policy, policies, continuous_queries)| {
                DatabaseMeta { name, default_policy, policies, continuous_queries }
            });
    let user =
        (text(), text(), any::<bool>(), proptest::collection::vec((text(), any::<i32>()), 0..2))
            .prop_map(|(name, hash, is_admin, privileges)| UserMeta {
                name,
                hash,
                is_admin,
                privileges,
            });
    let databases = proptest::collection::vec(database, 0..3);
    let users = proptest::collection::vec(user, 0..3);
    (databases, users, any::<[u64; 6]>()).prop_map(|(databases, users, numbers)| Meta {
        term: numbers[0],
        index: numbers[1],
        cluster: numbers[2],
        databases,
        users,
        max_node_id: numbers[3],
        max_group_id: numbers[4],
        max_shard_id: numbers[5],
    })
}

proptest! {
    #[test]
    fn a_catalogue_comes_back_as_it_was(meta in meta()) {
        assert_eq!(Meta::decode(&meta.encode()).unwrap(), meta);
    }

    #[test]
    fn a_damaged_catalogue_is_refused_or_read_but_never_panics(
        meta in meta(),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = meta.encode();
        for (at, byte) in damages {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        drop(Meta::decode(&bytes));
    }

    #[test]
    fn any_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Meta::decode(&bytes));
    }
}

#[test]
fn fields_that_are_not_known_are_skipped() {
    let (bytes, meta) = recorded();
    // A node, a number, eight bytes and four.
    let mut more = vec![0x22, 3, 8, 1, 16, 0x78, 9, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7d, 1, 2, 3, 4];
    more.extend(&bytes);
    assert_eq!(Meta::decode(&more).unwrap().databases, meta.databases);
    assert!(Meta::decode(&bytes[..bytes.len() - 1]).is_err());
    assert!(Meta::decode(&[0x0a]).is_err());
    assert!(Meta::decode(&[0x0b, 1]).is_err());
    assert!(
        Meta::decode(&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).is_err()
    );
}

#[test]
fn a_file_is_replaced_and_a_missing_one_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("meta.db");
    assert!(read(&path).unwrap().is_none());
    let (_, mut meta) = recorded();
    write(&path, &meta).unwrap();
    assert_eq!(read(&path).unwrap(), Some(meta.clone()));
    meta.index += 1;
    write(&path, &meta).unwrap();
    assert_eq!(read(&path).unwrap(), Some(meta));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    std::fs::write(&path, [0x0a]).unwrap();
    assert!(matches!(read(&path), Err(MetaError::Malformed { .. })));
}

#[test]
fn windows_begin_where_influxdb_lets_them_begin() {
    let seconds = |start: i64, end: i64| (start * 1_000_000_000, end * 1_000_000_000);
    let week = seconds(1_699_833_600, 1_700_438_400);
    assert_eq!(Group::bounds(1_700_000_000_000_000_000, WEEK_NS), week);
    assert_eq!(Group::bounds(-1, WEEK_NS), seconds(-259_200, 345_600));
    assert_eq!(Group::bounds(3_600_000_000_000, 3_600_000_000_000), seconds(3600, 7200));
    let of = |time_ns| {
        let (start_ns, end_ns) = Group::bounds(time_ns, WEEK_NS);
        Group { start_ns, end_ns, ..Group::default() }
    };
    let first = of(i64::MIN + 2);
    assert_eq!(
        (first.start_ns, first.end_ns),
        (9_223_284_873_709_551_616, -9_222_854_400_000_000_000)
    );
    assert!(first.holds(i64::MIN + 2) && !first.holds(first.end_ns));
    let last = of(i64::MAX - 1);
    assert_eq!(last.end_ns, i64::MAX);
    assert!(last.holds(i64::MAX - 1) && last.holds(last.start_ns) && !last.holds(0));
}
