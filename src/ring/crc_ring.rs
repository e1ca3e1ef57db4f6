//! The ring of influx-proxy, bit for bit: CRC-32/IEEE, 256 points for each backend.
//!
//! Source of the rules: the observed behaviour of influx-proxy 2.5 and 3.0, frozen in
//! `tests/vectors/placement.jsonl`.

use crate::base::checksum::crc32_ieee;

/// Points that each backend has on the ring.
const POINTS_PER_NODE: usize = 256;

/// One circle's points, in the order of their hashes.
#[derive(Clone, Debug)]
pub struct CrcRing {
    hashes: Vec<u32>,
    /// The node of the hash at the same place.
    nodes: Vec<u16>,
}

impl CrcRing {
    /// A ring of these strings, which stand for nodes 0, 1, and so on. Where two points fall on one
    /// hash, the later node has it.
    pub fn new(nodes: &[Box<str>]) -> CrcRing {
        let mut points = Vec::with_capacity(nodes.len() * POINTS_PER_NODE);
        for (node, text) in nodes.iter().enumerate() {
            let node = u16::try_from(node).expect("a circle is smaller than 65,536");
            for point in 0..POINTS_PER_NODE {
                let hash = crc32_ieee(format!("{point}{text}").as_bytes());
                points.push((hash, node));
            }
        }
        // Of one hash, the highest node comes first and the others go.
        points.sort_unstable_by_key(|&(hash, node)| (hash, u16::MAX - node));
        points.dedup_by_key(|&mut (hash, _)| hash);
        let (hashes, nodes) = points.into_iter().unzip();
        CrcRing { hashes, nodes }
    }

    /// The share of all hashes that each node owns, 0 to 1, in the order of the nodes.
    pub fn shares(&self, nodes: usize) -> Vec<f64> {
        let mut widths = vec![0u64; nodes];
        let last = self.hashes.last().map_or(0, |hash| u64::from(*hash));
        let mut before = last;
        for (hash, node) in self.hashes.iter().zip(&self.nodes) {
            let hash = u64::from(*hash);
            // The first point owns what lies behind the last one, too.
            let width = if hash > before { hash - before } else { hash + (1 << 32) - before };
            widths[usize::from(*node)] += width;
            before = hash;
        }
        widths.iter().map(|width| *width as f64 / (1u64 << 32) as f64).collect()
    }

    /// The node whose point comes first *after* the key's hash; behind the last point, the first one.
    pub fn owner(&self, key: &[u8]) -> u16 {
        let hash = crc32_ieee(key);
        let after = self.hashes.partition_point(|&point| point <= hash);
        self.nodes[if after == self.nodes.len() { 0 } else { after }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_equal_points_the_later_node_keeps_one() {
        // "1" + "10" is "11" + "0": 16 nodes named by their index share 150 of their 4,096 points.
        let nodes: Vec<Box<str>> = (0..16).map(|index| index.to_string().into()).collect();
        let ring = CrcRing::new(&nodes);
        assert_eq!(ring.hashes.len(), 4096 - 150);
        let shared = ring.hashes.binary_search(&crc32_ieee(b"110")).unwrap();
        assert_eq!(ring.nodes[shared], 10);
    }

    #[test]
    fn a_key_behind_the_last_point_wraps_to_the_first() {
        let ring = CrcRing { hashes: vec![10, 0x3FFF_FFFF], nodes: vec![7, 8] };
        assert!(crc32_ieee(b"123456789") > 0x3FFF_FFFF);
        assert_eq!(ring.owner(b"123456789"), 7);
    }

    #[test]
    fn a_key_on_a_point_belongs_to_the_next_one() {
        let ring = CrcRing { hashes: vec![0xCBF4_3926, 0xFFFF_FFFF], nodes: vec![7, 8] };
        assert_eq!(ring.owner(b"123456789"), 8);
    }
}
