//! No script panics, exhausts the stack or plans to two different places; a plan is made of the tree alone.
#![no_main]

use circlet::query::flux_body::FluxRequest;
use circlet::query::plan::flux::{Merging, Plan, Wanted, plan};
use circlet::ring::Naming;
use libfuzzer_sys::fuzz_target;

fn planned(query: &str) -> Option<Plan> {
    let request = FluxRequest { query: query.to_owned(), ..FluxRequest::default() };
    plan(&request, Some("o"), &Naming::new("default", &[])).ok()
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = planned(text);
    assert_eq!(planned(text), found);
    // What stands behind a script that is whole changes nothing.
    if found.is_some() {
        assert_eq!(planned(&format!("{text}\n// from(bucket: \"other\")")), found);
    }
    match found {
        Some(Plan::Spread { wanted: Wanted::Owners(owned), .. }) => assert!(owned.len() > 1),
        Some(Plan::Spread { merging: Merging::Never { stage }, .. }) => assert!(!stage.is_empty()),
        _ => {}
    }
});
