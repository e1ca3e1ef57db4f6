//! Finding the owners of a measurement: the router of a shard, against what it replaces, which is the CRC-32 and the
//! binary search of influx-proxy for every circle, and against a plain map of std, which hashes with SipHash.

use circlet::ring::crc_ring::CrcRing;
use circlet::ring::{
    BackendPlan, CirclePlan, HashKey, Placement, Plan, Router, ShardKey, Target, Topology,
};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::sync::Arc;

const BACKENDS: usize = 8;
const LOOKUPS: usize = 4096;

fn topology(placement: Placement) -> Arc<Topology> {
    let circle = |name: &str| CirclePlan {
        name: name.to_owned(),
        backends: (0..BACKENDS)
            .map(|number| BackendPlan {
                name: format!("{name}-{number}"),
                url: format!("http://{name}-{number}"),
            })
            .collect(),
    };
    Arc::new(Topology::new(&Plan {
        placement,
        hash_key: HashKey::Index,
        shard_key: ShardKey::parse("%db,%mm").expect("it is the default"),
        circles: vec![circle("one"), circle("two")],
    }))
}

/// Names in an order without a pattern, which no branch predictor learns.
fn names(count: usize) -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % count
    };
    (0..LOOKUPS).map(|_| format!("measurement_{}", next()).into_bytes()).collect()
}

#[expect(clippy::disallowed_types, reason = "this is what it is held against")]
fn map_of_std(names: &[Vec<u8>]) -> std::collections::HashMap<Vec<u8>, u32> {
    names.iter().map(|name| (name.clone(), 7)).collect()
}

fn ring(criterion: &mut Criterion) {
    let target = Target { org: "".into(), database: "db".into(), retention_policy: "".into() };
    let mut group = criterion.benchmark_group("ring");
    group.throughput(Throughput::Elements(LOOKUPS as u64));
    for count in [10, 1000, 100_000] {
        let names = names(count);
        let mut router = Router::new(topology(Placement::InfluxProxy));
        let number = router.target(&target);
        group.bench_function(BenchmarkId::new("circlet", count), |bench| {
            bench.iter(|| {
                names.iter().map(|name| router.route(number, black_box(name)).0).sum::<u32>()
            });
        });
        let map = map_of_std(&names);
        group.bench_function(BenchmarkId::new("map of std", count), |bench| {
            bench.iter(|| names.iter().map(|name| map[black_box(name)]).sum::<u32>());
        });
        let nodes: Vec<Box<str>> = (0..BACKENDS).map(|node| node.to_string().into()).collect();
        let circles = [CrcRing::new(&nodes), CrcRing::new(&nodes)];
        let mut key = Vec::new();
        group.bench_function(BenchmarkId::new("influx-proxy", count), |bench| {
            bench.iter(|| {
                let owners = names.iter().map(|name| {
                    key.clear();
                    key.extend_from_slice(b"db,");
                    key.extend_from_slice(black_box(name));
                    circles.iter().map(|circle| u32::from(circle.owner(&key))).sum::<u32>()
                });
                owners.sum::<u32>()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ring);
criterion_main!(benches);
