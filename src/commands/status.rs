//! `circlet status`: what a running gateway says of its backends.

use super::{Exit, http, say};
use circlet::config::Config;
use comfy_table::Table;
use serde_json::Value;

pub fn run(config: &Config, json: bool) -> Exit {
    let body = match fetch(config) {
        Ok(body) => body,
        Err(why) => {
            eprintln!("circlet status: {}: {why}", config.listen);
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
            format!("{} B", backend["backlog_bytes"]),
            age.map_or("-".to_owned(), |age| format!("{age:.1} s")),
            parked.join(", "),
            word(&backend["last_error"]),
        ]);
    }
    say(table);
}
