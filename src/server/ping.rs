//! `/ping`, `/status` and `/api/v2/setup`: is somebody there, and who?

use super::answer::{self, Answer, Voice};

pub fn handle(voice: Voice, is_verbose: bool) -> Answer {
    if is_verbose {
        let body = concat!("{\"version\":\"", env!("CARGO_PKG_VERSION"), "\"}\n");
        return answer::found("application/json", body);
    }
    answer::empty(voice)
}

/// Nobody can be made the first user here: that is done on each backend.
pub fn setup(voice: Voice, is_tried: bool) -> Answer {
    if is_tried {
        return answer::conflict(voice, "onboarding has already been completed");
    }
    answer::found("application/json; charset=utf-8", "{\n\t\"allowed\": false\n}")
}
