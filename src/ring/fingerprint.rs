//! What a start remembers of the topology, so that the next one notices when owners would move.
//!
//! A text file, one fact on each line, words separated by one tab:
//!
//! ```text
//! circlet topology 1
//! placement    influx-proxy
//! hash_key     %idx
//! shard_key    %org,%bk,%mm
//! circle       circle-1
//! backend      influxdb-1-1    0
//! backend      influxdb-1-2    1
//! ```
//!
//! A backend's second word is its string on the ring, so that old rings can be built again from the
//! file alone. Circles and backends stand in the order of the configuration.

use std::fmt;

use smallvec::SmallVec;

use super::key::ShardKey;
use super::name::Target;
use super::topology::{CircleNodes, Placement, Topology};

const FIRST_LINE: &str = "circlet topology 1";

/// How many keys [`moved_share`] tries.
const SAMPLES: u32 = 10_000;

/// Why a fingerprint cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FingerprintError {
    /// Not a fingerprint, or one of a later format.
    UnknownFormat,
    /// The line with this number, from 1, is not what the format says.
    BadLine(usize),
    /// The text ends before the first backend of a circle, or before the first circle.
    Incomplete,
}

impl Topology {
    /// The text that [`Topology::from_fingerprint`] reads back.
    pub fn fingerprint(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\nplacement\t{}\nhash_key\t{}\nshard_key\t{}\n",
            self.placement,
            self.hash_key,
            self.shard_key.text()
        );
        for circle in self.circles() {
            text += &format!("circle\t{}\n", circle.name);
            for place in circle.backends.clone() {
                let backend = &self.backends()[usize::from(place)];
                text += &format!("backend\t{}\t{}\n", backend.name, backend.node);
            }
        }
        text
    }

    /// The topology that wrote this text. It places every key as that one did.
    pub fn from_fingerprint(text: &str) -> Result<Topology, FingerprintError> {
        let mut lines = (1..).zip(text.lines());
        if lines.next().map(|(_, line)| line) != Some(FIRST_LINE) {
            return Err(FingerprintError::UnknownFormat);
        }
        let mut fact = |word: &str| {
            let (number, line) = lines.next().ok_or(FingerprintError::Incomplete)?;
            let value = line.split_once('\t').filter(|(name, _)| *name == word);
            value.map(|(_, value)| (number, value)).ok_or(FingerprintError::BadLine(number))
        };
        let (number, placement) = fact("placement")?;
        let placement = Placement::parse(placement).ok_or(FingerprintError::BadLine(number))?;
        let (_, hash_key) = fact("hash_key")?;
        let (number, shard_key) = fact("shard_key")?;
        let shard_key =
            ShardKey::parse(shard_key).map_err(|_| FingerprintError::BadLine(number))?;
        let circles = parse_circles(lines)?;
        Ok(Topology::of_nodes(placement, hash_key.into(), shard_key, circles))
    }
}

fn parse_circles<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Vec<CircleNodes>, FingerprintError> {
    let mut circles: Vec<CircleNodes> = Vec::new();
    let mut backends = 0;
    for (number, line) in lines {
        let bad = FingerprintError::BadLine(number);
        match line.split_once('\t').ok_or(bad.clone())? {
            ("circle", name) => circles.push((name.into(), Vec::new())),
            ("backend", words) if backends < usize::from(u16::MAX) => {
                let (name, node) = words.split_once('\t').ok_or(bad.clone())?;
                circles.last_mut().ok_or(bad)?.1.push((name.into(), node.into()));
                backends += 1;
            }
            _ => return Err(bad),
        }
    }
    if circles.is_empty() || circles.iter().any(|(_, nodes)| nodes.is_empty()) {
        return Err(FingerprintError::Incomplete);
    }
    Ok(circles)
}

/// The share of keys, from 0 to 1, that some backend would own that did not own them before.
///
/// Backends are compared by name, and the order and the names of circles do not matter: a circle that
/// only got another name moves nothing, a new circle moves everything, because all must be copied to it.
/// Measured over a fixed sample, so that the same two topologies always give the same number.
pub fn moved_share(old: &Topology, new: &Topology) -> f64 {
    let moved = (0..SAMPLES)
        .filter(|number| {
            let (target, measurement) = sample(*number);
            let before = names(old, &target, &measurement);
            names(new, &target, &measurement).iter().any(|name| !before.contains(name))
        })
        .count();
    moved as f64 / f64::from(SAMPLES)
}

fn names<'a>(topology: &'a Topology, target: &Target, measurement: &str) -> SmallVec<[&'a str; 4]> {
    let owners = topology.route(target, measurement.as_bytes());
    owners.iter().map(|place| &*topology.backends()[usize::from(*place)].name).collect()
}

fn sample(number: u32) -> (Target, String) {
    let target = Target {
        org: format!("org{number}").into(),
        database: format!("database{number}").into(),
        retention_policy: if number.is_multiple_of(2) { "" } else { "weekly" }.into(),
    };
    (target, format!("measurement{number}"))
}

impl fmt::Display for FingerprintError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FingerprintError::UnknownFormat => f.write_str("not a topology of format 1"),
            FingerprintError::BadLine(number) => write!(f, "line {number} cannot be read"),
            FingerprintError::Incomplete => f.write_str("it ends too early"),
        }
    }
}

impl std::error::Error for FingerprintError {}
