//! The list of failpoints and the places in the source are the same.

use super::{House, complains, nothing_wrong};
use crate::base::failpoint::ALL;

/// Calls that name one.
const CALLS: [&str; 2] = ["failpoint::reach(", "failpoint::tear("];

/// The name at each call, with its place.
fn places(house: &House) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for source in house.product() {
        for call in CALLS {
            for (at, _) in source.code.match_indices(call) {
                let argument = source.text[at + call.len()..].trim_start();
                let name = argument.strip_prefix('"').and_then(|rest| rest.split('"').next());
                found.push((name.unwrap_or("no literal").to_owned(), source.at(at)));
            }
        }
    }
    found
}

fn wrong(places: &[(String, String)]) -> Vec<String> {
    let mut complaints = Vec::new();
    for (name, _) in ALL {
        let here: Vec<&str> =
            places.iter().filter(|(named, _)| named == name).map(|(_, at)| &**at).collect();
        if here.len() != 1 {
            complaints.push(format!("{name} has {} places, not one: {here:?}", here.len()));
        }
    }
    let unknown = places.iter().filter(|(named, _)| ALL.iter().all(|(name, _)| name != named));
    complaints.extend(unknown.map(|(name, at)| format!("{at}: {name} is not in the list")));
    complaints
}

#[test]
fn every_failpoint_has_one_place() {
    nothing_wrong(wrong(&places(House::read())));
}

#[test]
fn a_failpoint_without_a_place_or_with_two_or_unlisted_is_found() {
    let right: Vec<_> = ALL.iter().map(|(name, _)| ((*name).to_owned(), "x".to_owned())).collect();
    nothing_wrong(wrong(&right));
    complains(&wrong(&right[1..]), "has 0 places");
    complains(&wrong(&[right.clone(), right[..1].to_vec()].concat()), "has 2 places");
    let text = "fn f() {\n    failpoint::reach(\"wal.nosuch\"); // failpoint::reach(\"x\")\n}";
    let unlisted = places(&House::made_up(&[("src/wal/log.rs", text)]));
    complains(&wrong(&[right, unlisted].concat()), "src/wal/log.rs:2: wal.nosuch");
}
