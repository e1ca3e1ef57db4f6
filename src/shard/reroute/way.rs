//! Who needs a run of a backend that is gone.

use crate::base::ids::BackendId;
use crate::ring::{Router, Target, Topology};
use std::sync::Arc;

/// The rings of today, and what is known of the backend that is gone. Lives on: the thread of the command.
pub struct Way {
    pub backend: BackendId,
    /// Its circle's place among those of today.
    circle: Option<usize>,
    topology: Arc<Topology>,
    /// The log's number of each backend of today, in the order of the configuration.
    ids: Vec<BackendId>,
    router: Router,
}

impl Way {
    pub fn new(
        backend: BackendId,
        circle: Option<usize>,
        topology: Arc<Topology>,
        ids: Vec<BackendId>,
    ) -> Way {
        Way { backend, circle, router: Router::new(topology.clone()), topology, ids }
    }

    /// The circle that needs a run with these targets; `None` if every circle of today has it from another one
    /// of them: then the backend's own circle is no more.
    ///
    /// A run names one backend of each circle that there was. Where nobody says which one the backend was of,
    /// it is the one that the others are not of. If these are several: their names.
    pub fn circle_of(&self, targets: &[BackendId]) -> Result<Option<usize>, Vec<&str>> {
        if self.circle.is_some() {
            return Ok(self.circle);
        }
        let is_served = |circle: &crate::ring::Circle| {
            circle.backends.clone().any(|slot| targets.contains(&self.id(slot)))
        };
        let circles = self.topology.circles();
        let left: Vec<usize> = (0..circles.len()).filter(|at| !is_served(&circles[*at])).collect();
        match left[..] {
            [] => Ok(None),
            [circle] => Ok(Some(circle)),
            _ => Err(left.iter().map(|at| &*circles[*at].name).collect()),
        }
    }

    /// The backend that owns a measurement in a circle, by its place in the configuration.
    pub fn owner(&mut self, circle: usize, target: &Target, measurement: &[u8]) -> u16 {
        let target = self.router.target(target);
        let set = self.router.route(target, measurement);
        self.router.set(set)[circle]
    }

    /// Those of today who have not been told a statement with these targets.
    pub fn not_told(&self, targets: &[BackendId]) -> Vec<BackendId> {
        self.ids.iter().copied().filter(|id| !targets.contains(id)).collect()
    }

    pub fn id(&self, slot: u16) -> BackendId {
        self.ids[usize::from(slot)]
    }

    /// The names of its circle and its own.
    pub fn label(&self, slot: u16) -> (Box<str>, Box<str>) {
        let place = &self.topology.backends()[usize::from(slot)];
        (self.topology.circles()[place.circle.index()].name.clone(), place.name.clone())
    }

    pub fn backends(&self) -> usize {
        self.ids.len()
    }
}
