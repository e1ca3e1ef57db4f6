//! The way from a file to a [`Config`].

use std::fs;
use std::path::Path;

use super::check;
use super::checked::Config;
use super::environment::Environment;
use super::problem::{Problems, Refusal};
use super::raw;
use super::tree;

/// What runs where nobody has configured anything: two circles of two embedded stores.
const BUILT_IN: &str = include_str!("built_in.toml");

impl Config {
    /// Without any file.
    pub fn built_in(environment: &Environment) -> Config {
        Config::parse("the built-in configuration", BUILT_IN, environment)
            .expect("a test reads it, too")
    }

    /// Reads a file, and the files of secrets that it names. The error lists every problem.
    pub fn load(path: &Path, environment: &Environment) -> Result<Config, Refusal> {
        let name = path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| Refusal::unreadable(&name, &error))?;
        Config::parse(&name, &text, environment)
    }

    /// The same for a text that is already read; `name` is what problems call the file.
    pub fn parse(name: &str, text: &str, environment: &Environment) -> Result<Config, Refusal> {
        let mut problems = Problems::default();
        let root = tree::parse(text, environment, &mut problems);
        if !problems.is_empty() && root.entries.is_empty() {
            return Err(Refusal::new(name, text, problems));
        }
        let raw = raw::read(&root, &mut problems);
        let config = check::check(raw, environment, &mut problems);
        config.ok_or_else(|| Refusal::new(name, text, problems))
    }
}
