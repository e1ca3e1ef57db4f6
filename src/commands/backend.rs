//! `circlet backend mark-complete`: a backend has again what it should have.

use super::{Exit, http, of_trouble, say};
use circlet::backend::board::Incomplete;
use circlet::backend::place::escape;
use circlet::config::Config;
use circlet::ingest::checkpoint::{incomplete_path, parse_incomplete};
use circlet::shard::Trouble;
use circlet::wal::Registry;
use serde_json::Value;
use std::fs;
use std::io;
use std::path::Path;

/// Of a running gateway by its endpoint, else by its files.
pub fn mark_complete(config: &Config, name: &str) -> Exit {
    if !config.backends.iter().any(|backend| backend.name == name) {
        let names: Vec<&str> = config.backends.iter().map(|backend| &*backend.name).collect();
        let names = names.join(", ");
        let text = format!("no backend named {name:?} is configured; there are: {names}");
        return of_trouble(&Trouble::Usage(text));
    }
    let path = format!("/-/backend/{}/complete", escape(name));
    let before = match http::ask_gateway(config, "POST", &path) {
        Ok(reply) if reply.is_success() => was(&reply.body),
        Ok(reply) => Err(Trouble::Running(format!("the gateway answers {}", reply.complaint()))),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            clear_stopped(&config.data_dir, name)
        }
        Err(error) => {
            let address = http::admin(config);
            Err(Trouble::Running(format!("the gateway at {address}: {error}")))
        }
    };
    match before {
        Ok(Some(flag)) => say(format_args!(
            "{name} was incomplete since {}: {} ({} points); now it counts as complete",
            super::table::time(Some(flag.since_unix_ms)),
            flag.reason,
            flag.points
        )),
        Ok(None) => say(format_args!("{name} was not marked incomplete")),
        Err(trouble) => return of_trouble(&trouble),
    }
    Exit::Done
}

/// What the gateway says that the flag was.
fn was(body: &[u8]) -> Result<Option<Incomplete>, Trouble> {
    let unread = || Trouble::Running("the gateway's answer cannot be read".to_owned());
    let value: Value = serde_json::from_slice(body).map_err(|_| unread())?;
    let flag = value.get("was").ok_or_else(unread)?;
    if flag.is_null() {
        return Ok(None);
    }
    Ok(Some(Incomplete {
        reason: flag["reason"].as_str().ok_or_else(unread)?.to_owned(),
        since_unix_ms: flag["since_unix_ms"].as_u64().ok_or_else(unread)?,
        points: flag["points"].as_u64().ok_or_else(unread)?,
    }))
}

fn clear_stopped(data: &Path, name: &str) -> Result<Option<Incomplete>, Trouble> {
    // Held until the flag is gone: a gateway that starts meanwhile would have read it.
    let _registry = match data.join("wal").exists() {
        true => Some(Registry::open(data, [0; 16]).map_err(Trouble::Environment)?),
        false => None,
    };
    let path = incomplete_path(data, name);
    let failed = |error: io::Error| Trouble::Running(format!("{}: {error}", path.display()));
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    fs::remove_file(&path).map_err(failed)?;
    let directory = path.parent().unwrap_or(data);
    fs::File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    let unread = Incomplete { reason: "unreadable".to_owned(), since_unix_ms: 0, points: 0 };
    Ok(Some(parse_incomplete(&text).unwrap_or(unread)))
}
