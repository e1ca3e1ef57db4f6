//! `circlet bundle`: everything that somebody needs who is asked for help, in one archive, and no secret.
//!
//! Each part is made for itself: one that cannot be had leaves the reason in its place.

mod redact;

use super::{Exit, http, say};
use circlet::config::{Config, Environment};
use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use redact::Redaction;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// Files of the kernel that say what kind of machine this is.
const MACHINE: [&str; 7] = [
    "/proc/version",
    "/proc/cmdline",
    "/proc/loadavg",
    "/proc/meminfo",
    "/proc/self/limits",
    "/proc/self/cgroup",
    "/proc/sys/kernel/io_uring_disabled",
];

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: super::arguments::ConfigFile,
    /// Where the archive goes; it must not be there yet [default: circlet-bundle-TIME.tar.gz]
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
}

pub fn run(arguments: &Arguments, environment: &Environment) -> Exit {
    let now = now_unix_s();
    let chosen = arguments.output.clone();
    let output = chosen.unwrap_or_else(|| format!("circlet-bundle-{now}.tar.gz").into());
    let bundle = Bundle::collect(arguments.file.config.as_deref(), environment, now);
    match bundle.write(&output) {
        Ok(()) => {
            for (name, content) in &bundle.parts {
                say(format!("{name}: {} bytes", content.len()));
            }
            say(format!("written to {}; look into it before you give it away", output.display()));
            Exit::Done
        }
        Err(error) => {
            eprintln!("circlet bundle: {}: {error}", output.display());
            Exit::Failed
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a command tells when it ran; no shard is near")]
fn now_unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The parts, in the order of the archive, already without secrets.
struct Bundle {
    unix_s: u64,
    parts: Vec<(&'static str, String)>,
}

impl Bundle {
    fn collect(file: Option<&Path>, environment: &Environment, unix_s: u64) -> Bundle {
        let (told, config) = configuration(file, environment);
        let redaction = Redaction::new(config.as_ref(), environment);
        let mut parts = vec![
            ("about.txt", about(unix_s)),
            ("config.toml", told),
            ("machine.txt", machine()),
            ("doctor.json", own(&["doctor", "--json"], file)),
        ];
        if let Some(config) = &config {
            let asked = |path| match http::ask_gateway(config, "GET", path) {
                Ok(reply) if reply.is_success() => {
                    String::from_utf8_lossy(&reply.body).into_owned()
                }
                Ok(reply) => format!("not to be had: {}\n", reply.complaint()),
                Err(error) => format!("not to be had: {error}\n"),
            };
            parts.extend([
                ("status.json", asked("/-/status")),
                ("health.json", asked("/health")),
                ("metrics.txt", asked("/metrics")),
                ("log.txt", asked("/-/log")),
                ("wal-stat.jsonl", own(&["wal", "stat", "--json"], file)),
                ("wal-ls.jsonl", own(&["wal", "ls", "--json"], file)),
            ]);
        }
        for (_, content) in &mut parts {
            *content = redaction.apply(content);
        }
        Bundle { unix_s, parts }
    }

    /// A new file that only its owner may read.
    fn write(&self, output: &Path) -> io::Result<()> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(output)?;
        let mut archive = tar::Builder::new(GzEncoder::new(file, Compression::default()));
        for (name, content) in &self.parts {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o600);
            header.set_mtime(self.unix_s);
            archive.append_data(
                &mut header,
                format!("circlet-bundle/{name}"),
                content.as_bytes(),
            )?;
        }
        let mut file = archive.into_inner()?.finish()?;
        file.flush()
    }
}

fn about(unix_s: u64) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let time = super::table::time(Some(unix_s * 1000));
    format!(
        "circlet {version}, {time}\n\
         Tokens, passwords, user names and hashes are replaced; comments of the configuration are left out.\n\
         Names of hosts, backends and databases are in it, and bits of what backends said of refused lines.\n"
    )
}

/// The file without what is secret in it, or why there is none; and what it means.
fn configuration(file: Option<&Path>, environment: &Environment) -> (String, Option<Config>) {
    let Some(path) = file else {
        return ("# the built-in configuration\n".to_owned(), Some(Config::built_in(environment)));
    };
    let config = match Config::load(path, environment) {
        Ok(config) => config,
        // What stands in it is not understood, so nobody knows what of it is secret.
        Err(refusal) => return (format!("# not usable, so it is not shown:\n{refusal}\n"), None),
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => redact::document(&text).unwrap_or_else(|| "# it has just changed\n".to_owned()),
        Err(error) => format!("# cannot be read: {error}\n"),
    };
    (text, Some(config))
}

fn machine() -> String {
    let mut text = String::new();
    for path in MACHINE {
        let content = fs::read_to_string(path).unwrap_or_else(|error| format!("{error}\n"));
        text.push_str(&format!("== {path}\n{content}"));
    }
    text
}

/// What another command of this program says: a part that fails, or even dies, costs only itself.
fn own(words: &[&str], file: Option<&Path>) -> String {
    let run = || {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(words);
        if let Some(file) = file {
            command.arg("-c").arg(file);
        }
        command.output()
    };
    match run() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stdout);
            format!("{said}{}", String::from_utf8_lossy(&output.stderr))
        }
        Err(error) => format!("not to be had: {error}\n"),
    }
}
