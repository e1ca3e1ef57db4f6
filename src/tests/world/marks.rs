//! A backend that is marked *incomplete* stays so, whatever the disk does when the mark is written.

use super::node::Setup;
use super::shape::Shape;
use crate::base::ids::BackendId;
use crate::rt::sim::{Fault, SimDisk};
use crate::rt::sim_tasks::SimTasks;
use std::rc::Rc;
use std::time::Duration;

const POINTS: u64 = 3;

/// Marks a backend on a disk that fails from then on for so many operations; gives how many of two
/// checkpoints were written, and whether the mark is there after a power cut behind each of them.
async fn marked(setup: Rc<Setup>, failing: u64) -> (usize, Vec<bool>) {
    let disk = SimDisk::default();
    let node = setup.clone().start(disk.clone(), 1, None).await.unwrap();
    let outlet = node.ingests[0].outlet.clone();
    outlet.checkpoint().await.unwrap();
    let now = disk.operations();
    disk.plant_many(now + 1..now + 1 + failing, Fault::InputOutput);
    outlet.mark_incomplete(BackendId(0), "a test says so", POINTS);
    let (mut written, mut told) = (0, Vec::new());
    for _ in 0..2 {
        let was_written = outlet.checkpoint().await.is_ok();
        let after = disk.power_cut(false, |_| false);
        let is_told = setup.incomplete(&after, 0).is_some_and(|mark| mark.points == POINTS);
        assert!(is_told || !was_written, "cursors passed what no mark tells of");
        written += usize::from(was_written);
        told.push(is_told);
    }
    (written, told)
}

#[test]
fn a_mark_that_could_not_be_written_holds_the_cursors_until_it_is() {
    for (failing, expected) in [(0, (2, vec![true, true])), (1, (1, vec![false, true]))] {
        let tasks = SimTasks::new(1);
        let setup = Rc::new(Setup::new(&Shape::plain(1), &tasks));
        let main = async move { assert_eq!(marked(setup, failing).await, expected) };
        tasks.run(Duration::from_secs(10), main).unwrap();
    }
}
