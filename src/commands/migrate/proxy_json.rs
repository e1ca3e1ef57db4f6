//! proxy.json of influx-proxy 2.x (for InfluxDB 1) and 3.x (for InfluxDB 2) to TOML.
//!
//! Its keys, as far as they say where data lies, keep their meaning: names, order, `hash_key`, `shard_key`. So every
//! measurement stays where it is.

use serde_json::Value;
use std::fmt::Write;

/// Keys that need no counterpart, because Circlet does the thing by itself or in another way.
const NEEDLESS: [(&str, &str); 16] = [
    ("flush_size", "lines are delivered as soon as they are safe"),
    ("flush_time", "lines are delivered as soon as they are safe"),
    ("check_interval", "see [probe]"),
    ("rewrite_interval", "the log is sent as soon as a backend is back"),
    ("rewrite_threads", "the log is sent as soon as a backend is back"),
    ("conn_pool_size", "see [server]"),
    ("write_timeout", "see [write]"),
    ("idle_timeout", "see [server]"),
    ("tlog_dir", "there is one log, on standard error"),
    ("data_dir", "the cache files stay there: `circlet import-cache DIR -c FILE` writes them"),
    ("write_tracing", "see RUST_LOG"),
    ("query_tracing", "see RUST_LOG"),
    ("pprof_enabled", ""),
    ("ping_auth_enabled", "/ping is open"),
    ("db_list", "every database is taken; backends decide which exist"),
    ("tls", ""),
];

/// # Errors
/// What is wrong with the file, in words.
pub fn translate(text: &str) -> Result<String, String> {
    let proxy: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    let circles = proxy["circles"].as_array().filter(|circles| !circles.is_empty());
    let circles =
        circles.ok_or("it has no `circles`: is it the file of an influx-proxy 2.x or 3.x?")?;
    let is_three = is_three(&proxy, circles);
    let mut out = String::new();
    head(&proxy, is_three, &mut out);
    for (number, circle) in circles.iter().enumerate() {
        write_circle(circle, number, is_three, &mut out)?;
    }
    mappings(&proxy, &mut out);
    Ok(out)
}

fn is_three(proxy: &Value, circles: &[Value]) -> bool {
    let backends =
        circles.iter().flat_map(|circle| circle["backends"].as_array().into_iter().flatten());
    let mut tokens = backends.map(|backend| word(&backend["token"]).is_some());
    proxy.get("dbrp").is_some() || tokens.any(|has| has)
}

/// A text that is there and not empty.
fn word(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    out.write_fmt(line).and_then(|()| out.write_char('\n')).expect("a string takes everything");
}

fn head(proxy: &Value, is_three: bool, out: &mut String) {
    let version = if is_three { "3.x" } else { "2.x" };
    put(
        out,
        format_args!(
            "# Made of a proxy.json of influx-proxy {version} by `circlet config import`."
        ),
    );
    put(out, format_args!("# Every measurement keeps its backend in every circle."));
    let listen = word(&proxy["listen_addr"]).unwrap_or(":7076");
    let listen =
        listen.strip_prefix(':').map_or(listen.to_owned(), |port| format!("0.0.0.0:{port}"));
    put(out, format_args!("listen = {}\ndata_dir = \"circlet-data\"\n", quoted(&listen)));
    auth(proxy, out);
    let default = if is_three { ["%idx", "%org,%bk,%mm"] } else { ["idx", "%db,%mm"] };
    put(out, format_args!("[placement]\nalgorithm = \"influx-proxy\""));
    put(out, format_args!("hash_key = {}", quoted(word(&proxy["hash_key"]).unwrap_or(default[0]))));
    put(
        out,
        format_args!("shard_key = {}\n", quoted(word(&proxy["shard_key"]).unwrap_or(default[1]))),
    );
    left_out(proxy, out);
}

fn auth(proxy: &Value, out: &mut String) {
    let is_hidden = proxy["auth_encrypt"] == Value::Bool(true);
    let pair = word(&proxy["username"]).zip(word(&proxy["password"]));
    let token = match (word(&proxy["token"]), pair) {
        (Some(token), _) => Some(token.to_owned()),
        (None, Some((name, password))) if !is_hidden => Some(format!("{name}:{password}")),
        (None, Some(_)) => {
            put(
                out,
                format_args!(
                    "# auth_encrypt: name and password are encrypted there; write them down as name:password."
                ),
            );
            Some("${CIRCLET_TOKEN}".to_owned())
        }
        (None, None) => None,
    };
    match token {
        Some(token) => put(out, format_args!("[auth]\ntokens = [{}]\n", quoted(&token))),
        None => {
            put(
                out,
                format_args!(
                    "# It was open to everybody. Circlet is open only where `listen` is a loopback address:"
                ),
            );
            put(out, format_args!("[auth]\ntokens = [\"${{CIRCLET_TOKEN}}\"]\n"));
        }
    }
}

fn left_out(proxy: &Value, out: &mut String) {
    let there =
        NEEDLESS.iter().filter(|(key, _)| proxy.get(*key).is_some_and(|value| !is_empty(value)));
    for (key, why) in there {
        let why = if why.is_empty() { "has no counterpart" } else { why };
        put(out, format_args!("# {key}: {why}."));
    }
    if proxy["https_enabled"] == Value::Bool(true) {
        put(
            out,
            format_args!(
                "# https_enabled: TLS for clients is not built yet; put a proxy before Circlet."
            ),
        );
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn write_circle(
    circle: &Value,
    number: usize,
    is_three: bool,
    out: &mut String,
) -> Result<(), String> {
    let name = word(&circle["name"]).map_or(format!("circle-{}", number + 1), str::to_owned);
    put(out, format_args!("\n[[circle]]\nname = {}", quoted(&name)));
    let backends = circle["backends"].as_array().filter(|list| !list.is_empty());
    for backend in backends.ok_or_else(|| format!("circle `{name}` has no backends"))? {
        write_backend(backend, &name, is_three, out)?;
    }
    Ok(())
}

fn write_backend(
    backend: &Value,
    circle: &str,
    is_three: bool,
    out: &mut String,
) -> Result<(), String> {
    let must = |key: &str| {
        word(&backend[key]).ok_or_else(|| format!("a backend of circle `{circle}` has no `{key}`"))
    };
    put(out, format_args!("\n[[circle.backend]]\nname = {}", quoted(must("name")?)));
    put(out, format_args!("url = {}", quoted(must("url")?)));
    let kind = if is_three { "influxdb2" } else { "influxdb1" };
    put(out, format_args!("kind = \"{kind}\""));
    if is_three {
        put(out, format_args!("token = {}", quoted(must("token")?)));
    } else if let Some((name, password)) =
        word(&backend["username"]).zip(word(&backend["password"]))
    {
        if backend["auth_encrypt"] == Value::Bool(true) {
            put(out, format_args!("# auth_encrypt: they are encrypted in proxy.json"));
            put(
                out,
                format_args!(
                    "username = \"${{CIRCLET_USERNAME}}\"\npassword = \"${{CIRCLET_PASSWORD}}\""
                ),
            );
        } else {
            put(out, format_args!("username = {}\npassword = {}", quoted(name), quoted(password)));
        }
    }
    if backend["write_only"] == Value::Bool(true) {
        put(out, format_args!("write_only = true"));
    }
    Ok(())
}

/// `"db/rp" -> "org/bucket"`.
fn mappings(proxy: &Value, out: &mut String) {
    let separator = word(&proxy["dbrp"]["separator"]).unwrap_or("/");
    for (from, to) in proxy["dbrp"]["mapping"].as_object().into_iter().flatten() {
        let Some(to) = to.as_str() else { continue };
        let (database, policy) = from.split_once(separator).unwrap_or((from, ""));
        let (org, bucket) = to.split_once(separator).unwrap_or(("", to));
        put(out, format_args!("\n[[dbrp]]\ndatabase = {}", quoted(database)));
        if !policy.is_empty() {
            put(out, format_args!("retention_policy = {}", quoted(policy)));
        }
        put(out, format_args!("bucket = {}", quoted(bucket)));
        if !org.is_empty() {
            put(out, format_args!("org = {}", quoted(org)));
        }
    }
}
