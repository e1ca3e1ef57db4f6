//! The one assertion at the end of a world: what was accepted is delivered or rejected, and every point
//! has the value that the order promise names.

use super::backend::Model;
use super::budgets;
use super::node::{DATA, Setup};
use super::record::{Fate, Operation, Point, Record, Register, What};
use super::shape::Cursors;
use crate::backend::board::Incomplete;
use crate::rt::sim::SimDisk;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

/// One write or delete of one register on one backend.
struct Step {
    name: String,
    operation: usize,
    /// Where in its request.
    at: usize,
    is_statement: bool,
    /// When it was applied last: turn and time.
    applied: (u64, u64),
}

/// Points in the rejects of a backend, and whether the text names them alone.
fn rejected(disk: &SimDisk, backend: usize) -> BTreeMap<usize, bool> {
    let directory = Path::new(DATA).join("rejects").join(format!("backend-{backend}"));
    let mut found = BTreeMap::new();
    for path in disk.paths().iter().filter(|path| path.parent() == Some(&directory)) {
        let text = String::from_utf8(disk.bytes(path).unwrap()).unwrap();
        let mut is_alone = true;
        for line in text.lines() {
            if line.starts_with('#') {
                is_alone = !line.contains("one of these");
                continue;
            }
            let value = line.split("v=").nth(1).and_then(|rest| rest.split('i').next());
            if let Some(number) = value.and_then(|value| value.parse().ok()) {
                found.insert(number, is_alone);
            }
        }
    }
    found
}

pub fn at_the_end(setup: &Setup, models: &[Rc<Model>], record: &Record, disk: &SimDisk) {
    budgets::note_given_up(record);
    let all: Vec<_> = models.iter().map(|model| rejected(disk, model.place)).collect();
    record.has_doubtful_rejects.set(all.iter().flat_map(BTreeMap::values).any(|alone| !alone));
    for (model, rejected) in models.iter().zip(&all) {
        nothing_is_lost(setup, model, record, rejected);
        only_bad_lines_are_rejected(model, record, rejected);
        the_order_holds(model, record, rejected);
        let flag = setup.incomplete(disk, model.place);
        the_flag_has_a_reason(setup, model, models, record, rejected, flag.as_ref());
        whoever_lacks_something_says_so(setup, model, models, record, rejected, flag.is_some());
    }
    budgets::what_is_missing_is_told(setup, models, record, disk);
}

/// Whether the model was to get this point.
fn is_owner(setup: &Setup, model: &Model, record: &Record, point: &Point) -> bool {
    let absent = record.operations.borrow()[point.operation].absent;
    let Register { database, measurement, .. } = &point.register;
    setup.config(absent).is_owner(model.place, database, measurement)
}

/// `incomplete` is never said without a reason.
///
/// Where databases were parked, a backend may be blamed for a line that the other one refused later.
fn the_flag_has_a_reason(
    setup: &Setup,
    model: &Model,
    models: &[Rc<Model>],
    record: &Record,
    rejected: &BTreeMap<usize, bool>,
    flag: Option<&Incomplete>,
) {
    let Some(flag) = flag.filter(|_| setup.shape.budget.is_none()) else { return };
    let power = record.risk.get() > 0 && !record.cuts.borrow().is_empty();
    let has_reason = match flag.reason.as_str() {
        "a line or statement was refused here and taken elsewhere" => {
            models.iter().any(|model| !model.denied.borrow().is_empty())
                || rejected.keys().any(|point| is_elsewhere(model, models, *point))
                || record.has_doubtful_rejects.get()
                // Then the product cannot know what the other one has, and says so rather than not.
                || record.rotten_frames.get() > 0
                || setup.shape.lives.iter().any(|life| life.cursors != Cursors::Kept)
        }
        "frames of the log are damaged" => record.rotten_frames.get() > 0 || power,
        "all cursors were lost" => record.has_lost_every.get(),
        _ => false,
    };
    if !has_reason {
        record.violation(format!("backend {} is incomplete for nothing: {flag:?}", model.place));
    }
}

fn is_elsewhere(model: &Model, models: &[Rc<Model>], point: usize) -> bool {
    let others = models.iter().filter(|other| other.place != model.place);
    others.clone().any(|other| other.applied.borrow().contains_key(&point))
}

/// Whoever lacks what another circle has, or what rot took, is incomplete.
fn whoever_lacks_something_says_so(
    setup: &Setup,
    model: &Model,
    models: &[Rc<Model>],
    record: &Record,
    rejected: &BTreeMap<usize, bool>,
    is_incomplete: bool,
) {
    for (number, point) in record.points.borrow().iter().enumerate() {
        let lacks = is_owner(setup, model, record, point)
            && record.is_acknowledged(number)
            && !model.applied.borrow().contains_key(&number);
        if !lacks || is_incomplete {
            continue;
        }
        if rejected.contains_key(&number) && is_elsewhere(model, models, number) {
            record.violation(format!(
                "point {number} was refused by backend {} only, which is not incomplete",
                model.place
            ));
        }
        if !rejected.contains_key(&number)
            && record.rotten_points.borrow().get(&number) == Some(&true)
        {
            record.violation(format!(
                "rot took point {number} from backend {}, which is not incomplete",
                model.place
            ));
        }
    }
}

fn nothing_is_lost(
    setup: &Setup,
    model: &Model,
    record: &Record,
    rejected: &BTreeMap<usize, bool>,
) {
    let applied = model.applied.borrow();
    for (number, point) in record.points.borrow().iter().enumerate() {
        let owns = is_owner(setup, model, record, point);
        let is_there = applied.contains_key(&number);
        if is_there && !owns {
            record.violation(format!("point {number} went to backend {} by mistake", model.place));
        }
        let may_lack = rejected.contains_key(&number)
            || record.rotten_points.borrow().contains_key(&number)
            || record.was_at_risk(&record.operations.borrow()[point.operation]);
        if owns && !is_there && !may_lack {
            record.missing_points.borrow_mut().push((model.place, number));
            if !setup.shape.gives_up() {
                record.violation(format!("lost: point {number} on backend {}", model.place));
            }
        }
    }
    let executed = model.executed.borrow();
    for (number, operation) in record.operations.borrow().iter().enumerate() {
        let is_due = matches!(operation.what, What::Delete(..))
            && setup.config(operation.absent).names(model.place)
            && !record.was_at_risk(operation)
            && !record.rotten_statements.borrow().contains_key(&number);
        if is_due && !executed.contains_key(&number) {
            record.missing_statements.borrow_mut().push((model.place, number));
            if !setup.shape.gives_up() {
                record.violation(format!("lost: statement {number} on backend {}", model.place));
            }
        }
    }
}

fn only_bad_lines_are_rejected(model: &Model, record: &Record, rejected: &BTreeMap<usize, bool>) {
    for (number, is_alone) in rejected {
        let fate = record.points.borrow()[*number].fate;
        let is_bad = model.refuses.contains(&fate);
        if *is_alone && !is_bad {
            record.violation(format!(
                "point {number} is in the rejects of backend {}, which takes it",
                model.place
            ));
        }
        if is_bad && fate != Fate::Good && model.applied.borrow().contains_key(number) {
            record.violation(format!("point {number} is bad and was applied"));
        }
    }
}

fn the_order_holds(model: &Model, record: &Record, rejected: &BTreeMap<usize, bool>) {
    let points = record.points.borrow();
    let mut registers = BTreeSet::new();
    registers.extend(points.iter().map(|point| point.register.clone()));
    for register in registers {
        let mut steps = Vec::new();
        for (number, applied) in model.applied.borrow().iter() {
            if points[*number].register == register && !rejected.contains_key(number) {
                steps.push(Step {
                    name: format!("point {number}"),
                    operation: points[*number].operation,
                    at: *number,
                    is_statement: false,
                    applied: *applied,
                });
            }
        }
        for (number, applied) in model.executed.borrow().iter() {
            let what = &record.operations.borrow()[*number].what;
            let touches = matches!(what, What::Delete(database, measurement)
                if *database == register.database && *measurement == register.measurement);
            if touches {
                steps.push(Step {
                    name: format!("statement {number}"),
                    operation: *number,
                    at: 0,
                    is_statement: true,
                    applied: *applied,
                });
            }
        }
        compare(model, record, &steps);
    }
}

fn compare(model: &Model, record: &Record, steps: &[Step]) {
    let operations = record.operations.borrow();
    for first in steps {
        for second in steps {
            if first.applied < second.applied || first.at == second.at && first.name == second.name
            {
                continue;
            }
            // `first` was applied after `second`: was it to come before it?
            if budgets::is_given_up(model, record, second.operation, second.at, second.is_statement)
            {
                // It may have been applied before a crash, and its repetition been given up.
                continue;
            }
            if second_must_win(model, record, &operations, first, second) {
                let (one, other) = (&operations[first.operation], &operations[second.operation]);
                record.violation(format!(
                    "order: on backend {} {} of operation {} (sent {}, acknowledged {:?}) was applied \
                     at {}, after {} of operation {} (sent {}, acknowledged {:?}) at {}; the window was {}",
                    model.place,
                    first.name,
                    first.operation,
                    one.sent,
                    one.acknowledged,
                    first.applied.1,
                    second.name,
                    second.operation,
                    other.sent,
                    other.acknowledged,
                    second.applied.1,
                    record.window(model.place, one.sent, first.applied.1),
                ));
            }
        }
    }
}

fn second_must_win(
    model: &Model,
    record: &Record,
    operations: &[Operation],
    first: &Step,
    second: &Step,
) -> bool {
    let (one, other) = (&operations[first.operation], &operations[second.operation]);
    if other.acknowledged.is_none_or(|at| at < record.lost_all.get()) {
        return false;
    }
    // What the log has lost cannot be repeated behind what it repeats.
    let is_rotten = match second.is_statement {
        true => record.rotten_statements.borrow().contains_key(&second.operation),
        false => record.rotten_points.borrow().contains_key(&second.at),
    };
    if is_rotten || record.was_at_risk(other) {
        return false;
    }
    let is_statement = first.is_statement || second.is_statement;
    if first.operation == second.operation {
        return first.at < second.at;
    }
    if one.connection == other.connection {
        return one.sent < other.sent;
    }
    let Some(acknowledged) = one.acknowledged else { return false };
    let window = record.window(model.place, one.sent, first.applied.1);
    other.sent >= acknowledged + window || is_statement && other.sent > acknowledged
}
