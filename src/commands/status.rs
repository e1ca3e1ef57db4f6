//! `circlet status`: what a running gateway says of its backends.

use super::{Exit, say};
use circlet::config::checked::{Auth, Config};
use comfy_table::Table;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(5);

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

/// HTTP/1.0, so that the answer simply ends with the connection.
fn fetch(config: &Config) -> Result<String, String> {
    let text = |error: std::io::Error| error.to_string();
    let mut stream = TcpStream::connect_timeout(&config.listen, LIMIT).map_err(text)?;
    stream.set_read_timeout(Some(LIMIT)).map_err(text)?;
    let token = match &config.auth {
        Auth::Open => String::new(),
        Auth::Tokens(tokens) => {
            let first = tokens.first().map_or("", |token| token.expose());
            format!("Authorization: Token {first}\r\n")
        }
    };
    let request = format!("GET /-/status HTTP/1.0\r\nHost: {}\r\n{token}\r\n", config.listen);
    stream.write_all(request.as_bytes()).map_err(text)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(text)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("the answer is cut short")?;
    let first = head.lines().next().unwrap_or_default();
    if !first.contains(" 200") {
        return Err(format!("{first}: {}", body.trim_end()));
    }
    Ok(body.to_owned())
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
