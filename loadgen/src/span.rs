//! Lengths of time at the command line.

use std::time::Duration;

/// Reads `10s`, `500ms`, `1m 30s`, or a plain number of seconds; above 0.
pub fn span(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<f64>();
    let time = match seconds {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string()),
        Err(_) => humantime::parse_duration(text).map_err(|error| error.to_string()),
    }?;
    if time.is_zero() || time > Duration::from_secs(1_000_000_000) {
        return Err("a time above 0 is needed".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        assert_eq!(span("10"), Ok(Duration::from_secs(10)));
        assert_eq!(span("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(span("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("500us"), Ok(Duration::from_micros(500)));
        for wrong in ["", "0", "-1", "x", "1e99", "5 parsecs"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
