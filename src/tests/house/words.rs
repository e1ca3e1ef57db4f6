//! Words that have one place, and words that have none.

use super::source::Source;
use super::{House, complains, nothing_wrong};

/// Why each of them cannot do without stands in `docs/ARCHITECTURE.md`.
const UNSAFE_FILES: [&str; 4] =
    ["src/base/mapped.rs", "src/proto/line/simd.rs", "src/rt/net.rs", "src/rt/preflight.rs"];

const LINES_MAX: usize = 1000;

/// Files outside `server` that read what *others* answered, and the framing that a status implies.
const READERS_OF_STATUS: [&str; 7] = [
    "src/backend/answer.rs",
    "src/backend/client.rs",
    "src/backend/probe.rs",
    "src/backend/statement.rs",
    "src/backend/statement/buckets.rs",
    "src/commands/online.rs",
    "src/proto/http/response.rs",
];

/// A parameter of a request that is named like a metric.
const PARAMETER: &str = "\"circlet_explain\"";

/// Asks Prometheus for metrics; a test with a live gateway shows that each is there.
const READER_OF_METRICS: &str = "src/commands/generate/dashboard.rs";

fn unsafe_elsewhere(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in &house.sources {
        let is_allowed = UNSAFE_FILES.contains(&&*source.path);
        let words = source.idents().filter(|(_, name)| ["unsafe", "unsafe_code"].contains(name));
        for (at, _) in words.filter(|_| !is_allowed) {
            complaints.push(format!("{}: unsafe code has four files", source.at(at)));
        }
    }
    complaints
}

fn metric_names_elsewhere(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    let may = |source: &&Source| source.folder() == "telemetry" || source.path == READER_OF_METRICS;
    for source in house.product().filter(|source| !may(source)) {
        let quoted = source.spoken.match_indices("\"circlet_");
        for (at, _) in quoted.filter(|(at, _)| !source.spoken[*at..].starts_with(PARAMETER)) {
            complaints.push(format!("{}: only telemetry spells a metric's name", source.at(at)));
        }
    }
    complaints
}

/// A number on the line of a status that could be one.
fn status_numbers(source: &Source) -> Vec<usize> {
    let code = &source.code;
    let is_code =
        |name: &str| name.len() == 3 && name.parse().is_ok_and(|n| (100..600).contains(&n));
    let numbers = source.idents().filter(|(_, name)| is_code(name)).map(|(at, _)| at);
    let on_status_line = |at: &usize| {
        let start = code[..*at].rfind('\n').map_or(0, |end| end + 1);
        let line = code[start..].lines().next().unwrap_or_default().to_lowercase();
        ["status", "answer", "code", "verdict"].iter().any(|word| line.contains(word))
    };
    numbers.filter(on_status_line).collect()
}

fn status_codes_elsewhere(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in house.product().filter(|source| source.folder() != "server") {
        let words: Vec<_> = source.idents().collect();
        for pair in words.windows(2) {
            let glue = &source.code[pair[0].0 + pair[0].1.len()..pair[1].0];
            if (pair[0].1, glue, pair[1].1) == ("Answer", "::", "new") {
                complaints.push(format!("{}: only server answers", source.at(pair[0].0)));
            }
        }
        if !READERS_OF_STATUS.contains(&&*source.path) {
            let places = status_numbers(source).into_iter();
            complaints
                .extend(places.map(|at| format!("{}: status codes live in server", source.at(at))));
        }
    }
    complaints
}

/// Settings come from the configuration; only it and main look at the environment.
fn environment_elsewhere(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in house.product() {
        if ["config", "main"].contains(&source.folder()) {
            continue;
        }
        for word in ["env::var", "env::args"] {
            for (at, _) in source.code.match_indices(word) {
                complaints.push(format!("{}: take it from the configuration", source.at(at)));
            }
        }
    }
    complaints
}

fn unfinished(house: &House) -> Vec<String> {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    let mut complaints = Vec::new();
    let texts = house.sources.iter().map(|source| (&source.path, &source.text));
    for (path, text) in texts.chain(house.papers.iter().map(|(path, text)| (path, text))) {
        let found = words.iter().filter(|word| text.contains(word.as_str()));
        complaints
            .extend(found.map(|word| format!("{path}: finish it, or say it plainly: {word}")));
    }
    complaints
}

fn too_long(house: &House) -> Vec<String> {
    let long = house.sources.iter().filter(|source| source.text.lines().count() > LINES_MAX);
    long.map(|source| format!("{}: more than {LINES_MAX} lines", source.path)).collect()
}

/// The length of functions is clippy's business; nobody may switch it off.
fn lint_switched_off(house: &House) -> Vec<String> {
    let mut complaints = Vec::new();
    for (paper, line) in [
        ("clippy.toml", "too-many-lines-threshold = 70"),
        ("Cargo.toml", "too_many_lines = \"deny\""),
        ("Cargo.toml", "unsafe_code = \"deny\""),
        ("Cargo.toml", "undocumented_unsafe_blocks = \"deny\""),
    ] {
        if !house.paper(paper).lines().any(|have| have == line) {
            complaints.push(format!("{paper} lacks: {line}"));
        }
    }
    for source in &house.sources {
        for (at, _) in source.idents().filter(|(_, name)| *name == "too_many_lines") {
            complaints.push(format!("{}: cut the function instead", source.at(at)));
        }
    }
    complaints
}

#[test]
fn unsafe_code_has_four_files() {
    nothing_wrong(unsafe_elsewhere(House::read()));
}

#[test]
fn only_telemetry_spells_the_name_of_a_metric() {
    nothing_wrong(metric_names_elsewhere(House::read()));
}

#[test]
fn only_the_server_answers_with_status_codes() {
    nothing_wrong(status_codes_elsewhere(House::read()));
}

#[test]
fn only_the_configuration_and_main_read_the_environment() {
    nothing_wrong(environment_elsewhere(House::read()));
}

#[test]
fn a_look_at_the_environment_is_found() {
    let text = "fn f() { std::env::var(\"X\") }";
    let files = [("src/wal/log.rs", text), ("src/main.rs", text), ("src/config/load.rs", text)];
    complains(&environment_elsewhere(&House::made_up(&files)), "src/wal/log.rs:1");
}

#[test]
fn nothing_is_left_unfinished() {
    nothing_wrong(unfinished(House::read()));
}

#[test]
fn no_file_is_too_long_and_no_function_may_be() {
    let house = House::read();
    nothing_wrong(too_long(house));
    nothing_wrong(lint_switched_off(house));
}

#[test]
fn unsafe_code_elsewhere_is_found() {
    let block = "fn f() { unsafe { g() } }";
    complains(&unsafe_elsewhere(&House::made_up(&[("src/wal/log.rs", block)])), "src/wal/log.rs:1");
    let lint = "#![allow(unsafe_code)]";
    complains(&unsafe_elsewhere(&House::made_up(&[("tests/x.rs", lint)])), "tests/x.rs:1");
    nothing_wrong(unsafe_elsewhere(&House::made_up(&[
        ("src/rt/net.rs", block),
        ("src/wal/log.rs", "// unsafe\nfn f() { \"unsafe\"; }"),
    ])));
}

#[test]
fn a_metric_or_a_status_elsewhere_is_found() {
    let name = "fn f() {\n    counter(\"circlet_lines_total\") }";
    let house = House::made_up(&[("src/wal/log.rs", name), ("src/telemetry/names.rs", name)]);
    complains(&metric_names_elsewhere(&house), "src/wal/log.rs:2");
    for text in ["fn f() { Answer::new(x) }", "fn f() -> u8 { if status == 404 { 1 } }"] {
        let files = [("src/query/mod.rs", text), ("src/server/write.rs", text)];
        complains(&status_codes_elsewhere(&House::made_up(&files)), "src/query/mod.rs:1");
    }
    let plain = "const RATIO: u64 = 200; // status 404";
    nothing_wrong(status_codes_elsewhere(&House::made_up(&[("src/wal/log.rs", plain)])));
}

#[test]
fn a_reminder_a_long_file_and_a_loose_lint_are_found() {
    let reminder = format!("// {}: later", ["TO", "DO"].concat());
    complains(&unfinished(&House::made_up(&[("src/wal/log.rs", &reminder)])), "src/wal/log.rs");
    let long = "\n".repeat(LINES_MAX + 1);
    complains(&too_long(&House::made_up(&[("src/wal/log.rs", &long)])), "more than 1000");
    let papers = [
        ("clippy.toml", "too-many-lines-threshold = 70"),
        (
            "Cargo.toml",
            "too_many_lines = \"deny\"\nunsafe_code = \"deny\"\nundocumented_unsafe_blocks = \"deny\"",
        ),
        ("src/x.rs", "#[allow(clippy::too_many_lines)]"),
    ];
    complains(&lint_switched_off(&House::made_up(&papers)), "cut the function");
    let looser = [("clippy.toml", "too-many-lines-threshold = 90"), papers[1]];
    complains(&lint_switched_off(&House::made_up(&looser)), "clippy.toml lacks");
}
