//! How the gateway shows itself to backends. Reads the `*_file`s.

use std::fs;

use crate::config::checked::{Credentials, Kind, Secret};
use crate::config::problem::{Place, Problems};
use crate::config::raw::RawBackend;
use crate::config::section::{Found, quoted};

/// Larger files are no secrets.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The credentials for one backend. What its kind cannot use is a problem.
pub fn credentials(backend: &RawBackend, problems: &mut Problems) -> Option<Credentials> {
    let token = secret("token", &backend.token, &backend.token_file, problems);
    let username = secret("username", &backend.username, &backend.username_file, problems);
    let password = secret("password", &backend.password, &backend.password_file, problems);
    let place = &backend.place;
    let has = |name: &str| backend.credentials.iter().any(|key| key.starts_with(name));
    match (token, username, password) {
        (Some(token), None, None) => Some(Credentials::Token(token)),
        (None, Some(_), Some(_)) if backend.kind == Some(Kind::Influxdb2) => {
            problems.add(place, "influxdb2 takes a token, no password", "token = \"...\"");
            None
        }
        (None, Some(username), Some(password)) => {
            if username.expose().contains(':') {
                let what = "a username cannot contain \":\"";
                problems.add(place, what, "use a user without \":\" in its name");
            }
            let username = username.expose().to_owned();
            Some(Credentials::Password { username, password })
        }
        (Some(_), _, _) => {
            let what = "both a token and a username or password";
            problems.add(place, what, "keep one of the two");
            None
        }
        (None, None, None) if backend.credentials.is_empty() => {
            if backend.kind == Some(Kind::Influxdb2) {
                let mend = "token = \"...\" or token_file = \"PATH\"";
                problems.add(&child(place, "token"), "missing; influxdb2 demands one", mend);
            }
            Some(Credentials::None)
        }
        // A half whose other half was broken has been told.
        (None, Some(_), None) if !has("password") => {
            let mend = "password = \"...\" or password_file = \"PATH\"";
            problems.add(&child(place, "password"), "missing beside username", mend);
            None
        }
        (None, None, Some(_)) if !has("username") => {
            problems.add(
                &child(place, "username"),
                "missing beside password",
                "username = \"...\"",
            );
            None
        }
        _ => None,
    }
}

pub(super) fn child(place: &Place, key: &str) -> Place {
    Place { path: format!("{}.{key}", place.path), offset: place.offset }
}

/// A secret that is written, or stands in a file, but not both.
fn secret(
    key: &str,
    written: &Option<Found<String>>,
    file: &Option<Found<String>>,
    problems: &mut Problems,
) -> Option<Secret> {
    match (written, file) {
        (Some(found), None) => sound(&found.place, &found.value, problems),
        (None, Some(path)) => {
            let text = read(path, problems)?;
            sound(&path.place, text.trim_end_matches(['\n', '\r']), problems)
        }
        (Some(_), Some(path)) => {
            let what = format!("both {key} and {key}_file");
            problems.add(&path.place, what, "keep one of the two");
            None
        }
        (None, None) => None,
    }
}

/// Not empty, and nothing in it that would end a header line. The text itself is never told.
pub(super) fn sound(place: &Place, text: &str, problems: &mut Problems) -> Option<Secret> {
    if text.is_empty() {
        problems.add(place, "empty", "give the secret itself, or leave the key out");
        None
    } else if text.chars().any(char::is_control) {
        problems.add(place, "a control character in it", "one line of plain text is needed");
        None
    } else {
        Some(Secret::new(text))
    }
}

pub(super) fn read(path: &Found<String>, problems: &mut Problems) -> Option<String> {
    let name = &path.value;
    let large = fs::metadata(name).is_ok_and(|facts| facts.len() > FILE_BYTES_MAX);
    let error = match fs::read_to_string(name) {
        _ if large => "larger than 1MiB".to_owned(),
        Ok(text) => return Some(text),
        Err(error) => error.to_string(),
    };
    let what = format!("cannot read {}: {error}", quoted(name));
    problems.add(&path.place, what, "check the path and its permissions");
    None
}
