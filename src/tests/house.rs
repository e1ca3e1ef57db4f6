//! Reads the source and the papers, and keeps the house in order.
//!
//! Promises: every rule of `docs/ARCHITECTURE.md` that a machine can check is checked; every check is shown
//! a bad example first, so that it is known to be able to fail; a complaint names the file and the mend.
//!
//! Does not know: whether the code is right. It looks at words, with comments and strings told apart from
//! code; it is no compiler, and what the compiler or clippy can say is left to them.
//!
//! Read in this order: `source` (files and their words), `tree` (which file belongs to which module),
//! `layers`, `homes`, `words`, `pages`, `papers`, `failpoints`.

mod failpoints;
mod homes;
mod layers;
mod pages;
mod papers;
mod source;
mod tree;
mod words;

use source::Source;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Everything that is looked at.
struct House {
    /// Rust files, by their paths from the root.
    sources: Vec<Source>,
    /// Texts: markdown, `Cargo.toml`, `clippy.toml`, with their paths.
    papers: Vec<(String, String)>,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl House {
    /// This repository, read once.
    fn read() -> &'static House {
        static HOUSE: OnceLock<House> = OnceLock::new();
        HOUSE.get_or_init(House::read_anew)
    }

    fn read_anew() -> House {
        let mut paths = Vec::new();
        for folder in ["src", "loadgen/src", "loadgen/tests", "tests"] {
            collect(&root().join(folder), "rs", &mut paths);
        }
        let mut papers = Vec::new();
        collect(&root().join("docs"), "md", &mut papers);
        let top = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Cargo.toml", "clippy.toml"];
        papers.extend(top.iter().map(|name| root().join(name)));
        papers.push(root().join("loadgen/Cargo.toml"));
        let pair = |path: &PathBuf| {
            let text = std::fs::read_to_string(path).expect("a text of the house");
            let name = path.strip_prefix(root()).expect("below the root").display().to_string();
            (name, text)
        };
        House::of(paths.iter().map(pair), papers.iter().map(pair))
    }

    fn of(
        sources: impl IntoIterator<Item = (String, String)>,
        papers: impl IntoIterator<Item = (String, String)>,
    ) -> House {
        let mut sources: Vec<Source> =
            sources.into_iter().map(|(path, text)| Source::new(&path, &text)).collect();
        tree::mark_tests(&mut sources);
        House { sources, papers: papers.into_iter().collect() }
    }

    /// A house of these files, to show a check something bad.
    fn made_up(files: &[(&str, &str)]) -> House {
        let own = |(path, text): &(&str, &str)| ((*path).to_owned(), (*text).to_owned());
        let (rust, other): (Vec<_>, Vec<_>) =
            files.iter().map(own).partition(|(path, _)| path.ends_with(".rs"));
        House::of(rust, other)
    }

    /// The library's and the binary's own code, without tests.
    fn product(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter().filter(|source| source.path.starts_with("src/") && !source.is_test)
    }

    fn paper(&self, name: &str) -> &str {
        let paper = self.papers.iter().find(|(path, _)| path == name);
        &paper.unwrap_or_else(|| panic!("there is no {name}")).1
    }
}

fn collect(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

/// Fails with all complaints at once.
#[track_caller]
fn nothing_wrong(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "{} complaints:\n{}", complaints.len(), complaints.join("\n"));
}

/// Shows a check something bad.
#[track_caller]
fn complains(complaints: &[String], part: &str) {
    let all = complaints.join("\n");
    assert!(complaints.len() == 1 && all.contains(part), "one about {part:?} expected:\n{all}");
}
