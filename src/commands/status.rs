//! `circlet status`: what a running gateway says of its backends.

use super::{Exit, http, say};
use circlet::config::Config;
use comfy_table::Table;
use serde_json::Value;

pub fn run(config: &Config, json: bool) -> Exit {
    let body = match fetch(config) {
        Ok(body) => body,
        Err(why) => {
            eprintln!("circlet status: {}: {why}", http::admin(config));
            return Exit::Failed;
        }
    };
    if json {
        say(body.trim_end());
        return Exit::Done;
    }
    match serde_json::from_str::<Value>(&body) {
        Ok(status) => {
            print(&status);
            Exit::Done
        }
        Err(error) => {
            eprintln!("circlet status: the gateway's answer cannot be read: {error}");
            Exit::Failed
        }
    }
}

fn fetch(config: &Config) -> Result<String, String> {
    let reply = http::ask_gateway(config, "GET", "/-/status").map_err(|error| error.to_string())?;
    if !reply.is_success() {
        return Err(reply.complaint());
    }
    String::from_utf8(reply.body).map_err(|error| error.to_string())
}

fn print(status: &Value) {
    print_log(status);
    let word = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::NOTHING);
    table.set_header([
        "CIRCLE",
        "BACKEND",
        "STATE",
        "COMPLETE",
        "BACKLOG",
        "AGE",
        "WAITS",
        "LAST ERROR",
    ]);
    for backend in status["backends"].as_array().into_iter().flatten() {
        let complete = match backend["incomplete"].as_str() {
            Some(reason) => format!("no: {reason}"),
            None if backend["complete"] == Value::Bool(true) => "yes".to_owned(),
            None => "not yet".to_owned(),
        };
        let parked = backend["parked"].as_array().into_iter().flatten();
        let parked: Vec<String> = parked.map(|entry| word(&entry["database"])).collect();
        let age = backend["backlog_age_seconds"].as_f64();
        table.add_row([
            word(&backend["circle"]),
            word(&backend["name"]),
            word(&backend["state"]),
            complete,
            backlog(backend),
            age.map_or("-".to_owned(), |age| format!("{age:.1} s")),
            parked.join(", "),
            word(&backend["last_error"]),
        ]);
    }
    say(table);
}

/// Of all logs, the disk, and why no write is taken.
fn print_log(status: &Value) {
    let log = &status["log"];
    let limit =
        log["max_bytes"].as_u64().map_or(String::new(), |most| format!(" of {}", size(most)));
    let bytes = |key: &str| size(log[key].as_u64().unwrap_or(0));
    say(format!(
        "log: {}{limit}; disk: {} free, {} to stay free; ballast: {}",
        bytes("bytes"),
        bytes("disk_free_bytes"),
        bytes("min_free_bytes"),
        bytes("ballast_bytes"),
    ));
    if let Some(why) = status["not_ready"].as_str() {
        say(format!("WRITES ARE REFUSED: {why}"));
    }
}

/// With its limit, if that is near, and what gave way to it.
fn backlog(backend: &Value) -> String {
    let bytes = backend["backlog_bytes"].as_u64().unwrap_or(0);
    let mut text = size(bytes);
    if let Some(most) = backend["max_backlog_bytes"].as_u64() {
        text.push_str(&format!(" of {}", size(most)));
    }
    if let Some(key) = backend["backlog_full"].as_str() {
        text.push_str(&format!(", FULL ({key})"));
    }
    if let Some(points @ 1..) = backend["dropped_points"].as_u64() {
        text.push_str(&format!(", {points} points dropped"));
    }
    text
}

/// As a person reads it: at most three digits before the point.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit behind the point")]
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}
