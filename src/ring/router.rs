//! One shard's memory of where measurements go.

use std::sync::Arc;

use super::name::Target;
use super::short::{Key, Short};
use super::topology::{Owners, Topology};
use crate::base::map::FastMap;
use crate::base::short_name::ShortName;

/// A target, numbered by one [`Router`] for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetNo(pub u32);

/// One backend for each circle, numbered by one [`Router`] for as long as it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetSetNo(pub u32);

/// Measurements remembered in each of the two generations.
const GENERATION_ENTRIES: usize = if cfg!(test) { 8 } else { 16_384 };

/// Longer names are routed anew each time, so that foreign names cannot fill the memory.
const CACHED_NAME_BYTES_MAX: usize = 256;

/// Routes, and remembers what it routed. Lives on one shard.
///
/// The numbers that it gives are dense from 0 and never change their meaning. Remembered routes are
/// bounded: when the young generation is full it becomes the old one, and the old one is forgotten.
pub struct Router {
    topology: Arc<Topology>,
    targets: Vec<Target>,
    target_numbers: FastMap<Target, TargetNo>,
    sets: Vec<Owners>,
    set_numbers: FastMap<Owners, TargetSetNo>,
    /// Routes of short names, in front of the maps.
    short: Short,
    young: FastMap<Box<[u8]>, TargetSetNo>,
    old: FastMap<Box<[u8]>, TargetSetNo>,
    /// Number of the target and name of the measurement that were asked for last, as the maps' key.
    last_key: Vec<u8>,
    last_set: Option<TargetSetNo>,
}

impl Router {
    pub fn new(topology: Arc<Topology>) -> Router {
        Router {
            topology,
            targets: Vec::new(),
            target_numbers: FastMap::default(),
            sets: Vec::new(),
            set_numbers: FastMap::default(),
            short: Short::default(),
            young: FastMap::default(),
            old: FastMap::default(),
            last_key: Vec::new(),
            last_set: None,
        }
    }

    /// The number of a target; a new one for one that was never seen.
    pub fn target(&mut self, target: &Target) -> TargetNo {
        if let Some(&number) = self.target_numbers.get(target) {
            return number;
        }
        let number = TargetNo(number_of(self.targets.len()));
        self.targets.push(target.clone());
        self.target_numbers.insert(target.clone(), number);
        number
    }

    /// Where a measurement goes; its name is given as the servers decode it.
    #[inline]
    pub fn route(&mut self, target: TargetNo, measurement: &[u8]) -> TargetSetNo {
        let name = ShortName::of(measurement);
        if let Some(set) = name.and_then(|name| self.known(target, name)) {
            return set;
        }
        let set = self.route_by_text(target, measurement);
        if let Some(name) = name {
            self.short.put(Key { name, target: target.0 }, set);
        }
        set
    }

    /// Where a measurement goes, if that is known already and it has a short name.
    #[inline]
    pub fn known(&self, target: TargetNo, measurement: ShortName) -> Option<TargetSetNo> {
        self.short.get(&Key { name: measurement, target: target.0 })
    }

    fn route_by_text(&mut self, target: TargetNo, measurement: &[u8]) -> TargetSetNo {
        let number = target.0.to_le_bytes();
        if let Some(set) = self.last_set
            && self.last_key[..4] == number
            && &self.last_key[4..] == measurement
        {
            return set;
        }
        self.last_key.clear();
        self.last_key.extend_from_slice(&number);
        self.last_key.extend_from_slice(measurement);
        let set = self.remembered().unwrap_or_else(|| self.route_anew(target, measurement));
        self.last_set = Some(set);
        set
    }

    fn remembered(&mut self) -> Option<TargetSetNo> {
        if let Some(&set) = self.young.get(&self.last_key[..]) {
            return Some(set);
        }
        let set = *self.old.get(&self.last_key[..])?;
        self.remember(set);
        Some(set)
    }

    fn route_anew(&mut self, target: TargetNo, measurement: &[u8]) -> TargetSetNo {
        let owners = self.topology.route(self.name(target), measurement);
        let set = self.set_number(owners);
        if measurement.len() <= CACHED_NAME_BYTES_MAX {
            self.remember(set);
        }
        set
    }

    fn set_number(&mut self, owners: Owners) -> TargetSetNo {
        if let Some(&number) = self.set_numbers.get(&owners) {
            return number;
        }
        let number = TargetSetNo(number_of(self.sets.len()));
        self.sets.push(owners.clone());
        self.set_numbers.insert(owners, number);
        number
    }

    fn remember(&mut self, set: TargetSetNo) {
        if self.young.len() == GENERATION_ENTRIES {
            // The memory of the one that is forgotten is used again.
            std::mem::swap(&mut self.old, &mut self.young);
            self.young.clear();
        }
        self.young.insert(self.last_key.clone().into(), set);
    }

    /// The backends of a set, one for each circle: places in [`Topology::backends`].
    pub fn set(&self, number: TargetSetNo) -> &[u16] {
        &self.sets[number.0 as usize]
    }

    /// The target of a number that this router gave.
    pub fn name(&self, number: TargetNo) -> &Target {
        &self.targets[number.0 as usize]
    }

    pub fn topology(&self) -> &Topology {
        &self.topology
    }
}

fn number_of(length: usize) -> u32 {
    u32::try_from(length).expect("memory ends before 4 billion names")
}
