//! `POST /-/backend/NAME/complete`: an operator says that a backend lacks nothing any more.

use super::answer::{self, Answer, Voice};
use super::gateway::Gateway;
use percent_encoding::percent_decode_str;
use serde_json::json;

/// The name in the path, if it is one of these.
pub fn backend_of(path: &str) -> Option<String> {
    let name = path.strip_prefix("/-/backend/")?.strip_suffix("/complete")?;
    if name.is_empty() || name.contains('/') {
        return None;
    }
    percent_decode_str(name).decode_utf8().ok().map(String::from)
}

pub async fn handle(gateway: &Gateway, voice: Voice, name: &str) -> Answer {
    let facts = &gateway.ingest.facts;
    let Some(place) = facts.places.iter().find(|place| place.name == name) else {
        return answer::not_found(voice, &format!("there is no backend {name:?}"));
    };
    match facts.clear_incomplete(place).await {
        Ok(was) => {
            let was = was.map(|flag| {
                json!({
                    "reason": flag.reason, "since_unix_ms": flag.since_unix_ms,
                    "points": flag.points,
                })
            });
            let body = json!({ "backend": name, "was": was }).to_string();
            answer::found("application/json; charset=utf-8", body + "\n")
        }
        Err(error) => {
            let message = format!("the flag cannot be removed: {error}");
            answer::unavailable(voice, &message, answer::RETRY_AFTER_S)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_the_backend() {
        let of = |path| backend_of(path);
        assert_eq!(of("/-/backend/influxdb-1-1/complete").as_deref(), Some("influxdb-1-1"));
        assert_eq!(of("/-/backend/a%2Fb%20c/complete").as_deref(), Some("a/b c"));
        for path in ["/-/backend//complete", "/-/backend/a/b/complete", "/-/backend/a", "/-/status"]
        {
            assert_eq!(of(path), None, "{path}");
        }
        assert_eq!(of("/-/backend/%ff/complete"), None);
    }
}
