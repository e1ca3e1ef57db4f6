//! The plan for Flux.

use super::Refusal;
use crate::proto::flux::{
    self as language, Measurements, Names, Outcome, Read, Reads, Shape, Uncertain,
};
use crate::query::flux_body::FluxRequest;
use crate::ring::tag::NAME_BYTES_MAX;
use crate::ring::{Naming, Target};
use std::collections::BTreeSet;

/// Who answers a script, and what becomes of the answers.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// The owner of one measurement, in one circle.
    Owner { target: Target, measurement: Vec<u8> },
    /// Any backend: the script reads no measurement.
    AnyBackend,
    /// Several backends of one circle, unless that circle has one for all of it.
    Spread { wanted: Wanted, merging: Merging },
}

/// The backends of a circle that a script needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Wanted {
    /// The owners of these measurements.
    Owners(Vec<(Target, Vec<u8>)>),
    /// All of them; the target, if all that is read is of one.
    Everything(Option<Target>),
}

/// What becomes of the answers of several backends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merging {
    /// Their tables, side by side.
    Tables,
    /// The set of their names.
    Names(Names),
    /// Nothing: the stage that takes all rows in one place.
    Never { stage: String },
}

/// Who answers a Flux request; `org` is that of the URL, absent if it is given as an id.
pub fn plan(request: &FluxRequest, org: Option<&str>, naming: &Naming) -> Result<Plan, Refusal> {
    let file = language::parse(&request.query)
        .map_err(|error| Refusal::Parse { message: format!("compilation failed: {error}") })?;
    let reads = language::reads(&file, &request.variables);
    match &reads.doubt {
        Some(Uncertain::Effect(what)) => {
            let why = format!("{what}: it must not run twice, nor past the log");
            return Err(Refusal::CannotMerge { why });
        }
        Some(Uncertain::Opaque(what)) => return Ok(unclear(what)),
        None if request.opaque_extern => return Ok(unclear("statements beside the script")),
        None => {}
    }
    let targets = reads.reads.iter().map(|read| target_of(read, org, naming));
    let targets = targets.collect::<Result<Vec<_>, _>>()?;
    let wanted = wanted(&reads, &targets);
    match wanted {
        // No row is admitted: every backend answers the same.
        Wanted::Owners(owned) if owned.is_empty() => Ok(Plan::AnyBackend),
        Wanted::Owners(mut owned) if owned.len() == 1 => {
            let (target, measurement) = owned.remove(0);
            Ok(Plan::Owner { target, measurement })
        }
        wanted => Ok(Plan::Spread { wanted, merging: merging(&reads, &targets) }),
    }
}

/// A script that only a backend with all data surely answers rightly.
fn unclear(what: &str) -> Plan {
    let merging = Merging::Never { stage: what.to_owned() };
    Plan::Spread { wanted: Wanted::Everything(None), merging }
}

fn target_of(read: &Read, org: Option<&str>, naming: &Naming) -> Result<Target, Refusal> {
    let org = read.org.as_deref().or(org);
    if read.bucket.len().max(org.map_or(0, str::len)) > NAME_BYTES_MAX {
        let why = "no bucket or organization has a name that long".to_owned();
        return Err(Refusal::CannotMerge { why });
    }
    let target = naming.v2(org, &read.bucket);
    let bucket = read.bucket.strip_suffix("/autogen").unwrap_or(&read.bucket);
    match *bucket == *target.bucket() {
        true => Ok(target),
        false => Err(Refusal::not_yet("a Flux query that spells the name of a renamed bucket")),
    }
}

fn wanted(reads: &Reads, targets: &[Target]) -> Wanted {
    let mut owned = Vec::new();
    let mut seen = BTreeSet::new();
    for (read, target) in reads.reads.iter().zip(targets) {
        let Measurements::Only(names) = &read.measurements else {
            let first = targets.first().filter(|first| targets.iter().all(|one| one == *first));
            return Wanted::Everything(first.cloned());
        };
        for name in names {
            if seen.insert((target.to_tag(), name)) {
                owned.push((target.clone(), name.as_bytes().to_vec()));
            }
        }
    }
    Wanted::Owners(owned)
}

/// What may be done with the answers of backends of which none has everything.
fn merging(reads: &Reads, targets: &[Target]) -> Merging {
    let never = |stage: &str| Merging::Never { stage: stage.to_owned() };
    if let Some(stage) = &reads.apart {
        return never(stage);
    }
    if let [Outcome { shape: Shape::Names(names), .. }] = reads.results.as_slice() {
        return Merging::Names(*names);
    }
    for result in &reads.results {
        match &result.shape {
            _ if result.parts.is_empty() => {
                return never("a result that reads no bucket, beside others");
            }
            Shape::Tables => {}
            Shape::Whole { alone: true, .. } if is_of_one(result, targets) => {}
            Shape::Whole { stage, .. } => return never(stage),
            _ => return never("a list of names, beside other results"),
        }
    }
    Merging::Tables
}

/// Whether all rows of a result lie on one backend in every circle.
fn is_of_one(result: &Outcome, targets: &[Target]) -> bool {
    let mut owned = BTreeSet::new();
    for (read, measurements) in &result.parts {
        let Measurements::Only(names) = measurements else { return false };
        owned.extend(names.iter().map(|name| (targets[*read].to_tag(), name)));
    }
    owned.len() <= 1
}

#[cfg(test)]
mod tests;
