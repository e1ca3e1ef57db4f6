//! A configuration is sound, or every problem in it is told with its place; it never ends the process.
#![no_main]

use circlet::config::{Config, Environment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Files of secrets are not opened here: a path may name anything.
    if text.contains("_file") {
        return;
    }
    let environment =
        Environment { variables: [("A".to_owned(), "b".to_owned())].into(), cores: 2 };
    match Config::parse("fuzz.toml", text, &environment) {
        Ok(config) => assert!(!config.backends.is_empty() && config.shards > 0),
        Err(refusal) => assert!(refusal.to_string().contains("fuzz.toml")),
    }
});
