//! The plan for Flux.

use super::{Plan, Refusal, SEVERAL, both};
use crate::proto::flux::{self as language, Measurements, Read, Uncertain};
use crate::query::flux_body::FluxRequest;
use crate::ring::Naming;

/// Who answers a Flux request; `org` is that of the URL, absent if it is given as an id.
pub fn plan(request: &FluxRequest, org: Option<&str>, naming: &Naming) -> Result<Plan, Refusal> {
    let file = language::parse(&request.query)
        .map_err(|error| Refusal::Parse { message: format!("compilation failed: {error}") })?;
    let reads = language::reads(&file, &request.variables);
    match reads.doubt {
        Some(Uncertain::Effect(what)) => return Err(Refusal::not_yet(what)),
        Some(Uncertain::Opaque(what)) => return Ok(unclear(&what)),
        None if request.opaque_extern => return Ok(unclear("statements beside the script")),
        None => {}
    }
    let plans = reads.reads.iter().map(|read| of_read(read, org, naming));
    plans.into_iter().try_fold(Plan::AnyBackend, |plan, next| both(plan, next?))
}

/// A script that only a backend with all data surely answers rightly.
fn unclear(what: &str) -> Plan {
    let what = format!("a Flux query over several backends with {what}");
    Plan::WholeCircle { what }
}

fn of_read(read: &Read, org: Option<&str>, naming: &Naming) -> Result<Plan, Refusal> {
    let target = naming.v2(read.org.as_deref().or(org), &read.bucket);
    let bucket = read.bucket.strip_suffix("/autogen").unwrap_or(&read.bucket);
    if *bucket != *target.bucket() {
        return Err(Refusal::not_yet("a Flux query that spells the name of a renamed bucket"));
    }
    let Measurements::Only(names) = &read.measurements else {
        return Ok(Plan::WholeCircle {
            what: "a Flux query that does not filter by `_measurement`".to_owned(),
        });
    };
    let owner = |name: &String| {
        let (target, measurement) = (target.clone(), name.as_bytes().to_vec());
        Plan::Owner { target, measurement }
    };
    match names.len() {
        // No row is admitted: every backend answers the same.
        0 => Ok(Plan::AnyBackend),
        1 => Ok(names.first().map_or(Plan::AnyBackend, owner)),
        _ => Ok(Plan::WholeCircle { what: SEVERAL.to_owned() }),
    }
}

#[cfg(test)]
mod tests;
