//! All circles together, built once at the start and never changed.

use std::fmt;
use std::ops::Range;

use smallvec::SmallVec;

use super::crc_ring::CrcRing;
use super::even::Even;
use super::key::{HashKey, ShardKey};
use super::name::Target;
use crate::base::ids::CircleId;

/// One backend for each circle: places in [`Topology::backends`].
pub type Owners = SmallVec<[u16; 4]>;

/// A circle's name, and the name and the string on the ring of each backend.
pub(super) type CircleNodes = (Box<str>, Vec<(Box<str>, Box<str>)>);

/// How keys are laid out over the backends of a circle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The ring of influx-proxy, bit for bit.
    InfluxProxy,
    /// Equal shares; see [`Even`].
    Even,
}

/// What a [`Topology`] is built from: the configuration's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub placement: Placement,
    pub hash_key: HashKey,
    pub shard_key: ShardKey,
    pub circles: Vec<CirclePlan>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CirclePlan {
    pub name: String,
    pub backends: Vec<BackendPlan>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackendPlan {
    pub name: String,
    pub url: String,
}

/// Circles and their rings.
#[derive(Clone, Debug)]
pub struct Topology {
    pub(super) placement: Placement,
    pub(super) hash_key: Box<str>,
    pub(super) shard_key: ShardKey,
    circles: Vec<Circle>,
    backends: Vec<BackendPlace>,
}

/// One complete copy of all data.
#[derive(Clone, Debug)]
pub struct Circle {
    pub name: Box<str>,
    /// Its backends' places in [`Topology::backends`].
    pub backends: Range<u16>,
    ring: Ring,
}

/// One backend and where it stands.
#[derive(Clone, Debug)]
pub struct BackendPlace {
    pub circle: CircleId,
    pub name: Box<str>,
    /// The string that stands for it on its ring.
    pub node: Box<str>,
}

#[derive(Clone, Debug)]
enum Ring {
    Crc(CrcRing),
    Even(Even),
}

impl Topology {
    /// Builds the rings. A plan has at least one circle, and each circle at least one backend; the
    /// configuration's check sees to both.
    pub fn new(plan: &Plan) -> Topology {
        let circles = plan.circles.iter().map(|circle| {
            let nodes = circle.backends.iter().enumerate().map(|(index, backend)| {
                let node = plan.hash_key.node(index, &backend.name, &backend.url);
                (Box::from(backend.name.as_str()), Box::from(node))
            });
            (Box::from(circle.name.as_str()), nodes.collect())
        });
        Topology::of_nodes(
            plan.placement,
            plan.hash_key.to_string().into(),
            plan.shard_key.clone(),
            circles.collect(),
        )
    }

    /// The same from strings that are already made.
    pub(super) fn of_nodes(
        placement: Placement,
        hash_key: Box<str>,
        shard_key: ShardKey,
        circles_of_nodes: Vec<CircleNodes>,
    ) -> Topology {
        assert!(!circles_of_nodes.is_empty(), "a topology has a circle");
        let mut circles = Vec::new();
        let mut backends = Vec::new();
        for (circle_index, (name, nodes)) in circles_of_nodes.into_iter().enumerate() {
            assert!(!nodes.is_empty(), "a circle has a backend");
            let circle = CircleId(dense(circle_index));
            let first = dense(backends.len());
            let strings: Vec<Box<str>> = nodes.iter().map(|(_, node)| node.clone()).collect();
            backends.extend(nodes.into_iter().map(|(name, node)| BackendPlace {
                circle,
                name,
                node,
            }));
            let ring = match placement {
                Placement::InfluxProxy => Ring::Crc(CrcRing::new(&strings)),
                Placement::Even => Ring::Even(Even::new(&strings)),
            };
            circles.push(Circle { name, backends: first..dense(backends.len()), ring });
        }
        Topology { placement, hash_key, shard_key, circles, backends }
    }

    /// The owner of a measurement in every circle, in the order of the circles.
    ///
    /// `measurement` is the name as the servers decode it.
    pub fn route(&self, target: &Target, measurement: &[u8]) -> Owners {
        self.owners(&self.shard_key.fill(target, measurement))
    }

    /// The bytes that are hashed for a measurement.
    pub fn route_key(&self, target: &Target, measurement: &[u8]) -> Vec<u8> {
        self.shard_key.fill(target, measurement).into_vec()
    }

    /// The owner of a route key in every circle.
    pub fn owners(&self, key: &[u8]) -> Owners {
        self.circles
            .iter()
            .map(|circle| {
                circle.backends.start
                    + match &circle.ring {
                        Ring::Crc(ring) => ring.owner(key),
                        Ring::Even(even) => even.owner(key),
                    }
            })
            .collect()
    }

    /// All backends, circle after circle, in the order of the configuration.
    pub fn backends(&self) -> &[BackendPlace] {
        &self.backends
    }

    pub fn circles(&self) -> &[Circle] {
        &self.circles
    }
}

impl Circle {
    /// The share of all keys that each of its backends owns, 0 to 1, in their order.
    pub fn shares(&self) -> Vec<f64> {
        match &self.ring {
            Ring::Crc(ring) => ring.shares(self.backends.len()),
            // Every backend draws for every key with the same luck.
            Ring::Even(_) => vec![1.0 / self.backends.len() as f64; self.backends.len()],
        }
    }
}

fn dense(index: usize) -> u16 {
    u16::try_from(index).expect("the configuration's check bounds circles and backends")
}

impl Placement {
    pub fn parse(word: &str) -> Option<Placement> {
        [Placement::InfluxProxy, Placement::Even].into_iter().find(|it| it.word() == word)
    }

    /// As the configuration says it.
    pub fn word(self) -> &'static str {
        match self {
            Placement::InfluxProxy => "influx-proxy",
            Placement::Even => "even",
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
