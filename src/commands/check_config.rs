//! `circlet check-config FILE [--online]`

use std::path::Path;

use circlet::config::{Auth, Config, Environment};

use super::{Exit, online, say};

/// Prints one line about a sound configuration, or all problems of another.
pub fn run(path: &Path, ask_backends: bool, environment: &Environment) -> Exit {
    let config = match Config::load(path, environment) {
        Ok(config) => config,
        Err(refusal) => {
            eprintln!("{refusal}");
            return Exit::Configuration;
        }
    };
    say(format_args!("{}: sound; {}", path.display(), summary(&config)));
    if ask_backends && !online::check(&config) {
        return Exit::Configuration;
    }
    Exit::Done
}

fn summary(config: &Config) -> String {
    let auth = match &config.auth {
        Auth::Open => "open".to_owned(),
        Auth::Tokens(tokens) => counted(tokens.len(), "token"),
    };
    format!(
        "listens on {} ({auth}), {}, {} with {}, placement {}, ack {}",
        config.listen,
        counted(usize::from(config.shards), "shard"),
        counted(config.plan.circles.len(), "circle"),
        counted(config.backends.len(), "backend"),
        config.plan.placement,
        config.write.ack,
    )
}

fn counted(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
