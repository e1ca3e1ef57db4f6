//! How a sink answers writes: at once, late, with a failure, at a limited rate, or not at all. Can be
//! changed while it runs.

use crate::url::{decode, usage};
use std::io;
use std::sync::{Mutex, PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

/// How often a write that hangs looks whether that is over.
const LOOK: Duration = Duration::from_millis(20);
const FAILURE: &str = r#"{"error":"told to fail"}"#;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub delay: Duration,
    /// Status and body.
    pub failure: Option<(u16, String)>,
    /// Only every so many-th write fails.
    pub fail_every: u64,
    pub hang: bool,
    /// When hanging ends, if ever.
    pub hang_until: Option<Instant>,
    /// Writes a second at most.
    pub limit: Option<f64>,
}

/// The settings of one address.
#[derive(Debug)]
pub struct Behaviour {
    settings: RwLock<Settings>,
    /// When the next write may be answered, where their rate is limited.
    free: Mutex<Instant>,
}

/// Reads `503` or `503:{"error":"busy"}`.
pub fn failure(text: &str) -> io::Result<(u16, String)> {
    let (status, body) = text.split_once(':').unwrap_or((text, FAILURE));
    let status = status.parse().ok().filter(|status| (200..600).contains(status));
    let status = status.ok_or_else(|| usage(format!("--fail {text}: no status in front")))?;
    Ok((status, body.to_owned()))
}

impl Settings {
    /// What fails where only the frequency was named.
    pub fn failing_every(&mut self, every: u64) {
        self.fail_every = every.max(1);
        self.failure.get_or_insert_with(|| (503, FAILURE.to_owned()));
    }

    pub fn hang_for(&mut self, time: Duration) {
        (self.hang, self.hang_until) = (true, Some(Instant::now() + time));
    }

    /// Settings as a query says them, all others as they were at first: `delay_ms=5&fail=503`.
    pub fn from_query(query: &str) -> io::Result<Self> {
        let mut settings = Settings::default();
        for (key, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decode(value);
            let wrong = || usage(format!("{key}={value} is not understood"));
            let number = || value.parse::<f64>().ok().filter(|n| (0.0..1e9).contains(n));
            match key {
                "delay_ms" => {
                    settings.delay = Duration::from_secs_f64(number().ok_or_else(wrong)? / 1000.0);
                }
                "fail" => settings.failure = Some(failure(&value)?),
                "fail_every" => settings.failing_every(value.parse().map_err(|_| wrong())?),
                "hang" => settings.hang = value.parse().map_err(|_| wrong())?,
                "hang_for_s" => {
                    settings.hang_for(Duration::from_secs_f64(number().ok_or_else(wrong)?));
                }
                "limit" => {
                    settings.limit = Some(number().filter(|n| *n > 0.0).ok_or_else(wrong)?);
                }
                _ => return Err(wrong()),
            }
        }
        Ok(settings)
    }
}

impl Behaviour {
    pub fn new(settings: Settings) -> Self {
        Behaviour { settings: RwLock::new(settings), free: Mutex::new(Instant::now()) }
    }

    pub fn set(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    fn get<T>(&self, look: impl FnOnce(&Settings) -> T) -> T {
        look(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn hangs(&self) -> bool {
        self.get(|settings| {
            let over = settings.hang_until.is_some_and(|until| Instant::now() >= until);
            settings.hang && !over
        })
    }

    /// Waits as long as a write has to wait; `hung` is called once if it hangs.
    pub fn wait(&self, hung: impl FnOnce()) {
        let (hang, delay, limit) = self.get(|s| (s.hang, s.delay, s.limit));
        if hang && self.hangs() {
            hung();
            while self.hangs() {
                thread::sleep(LOOK);
            }
        }
        if let Some(limit) = limit {
            let turn = {
                let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
                *free = (*free).max(Instant::now()) + Duration::from_secs_f64(1.0 / limit);
                *free
            };
            thread::sleep(turn.saturating_duration_since(Instant::now()));
        }
        if !delay.is_zero() {
            thread::sleep(delay);
        }
    }

    /// Status and body of the failure that the write with this number, from 1, is told.
    pub fn failure(&self, number: u64) -> Option<(u16, String)> {
        self.get(|settings| match &settings.failure {
            Some(failure) if number.is_multiple_of(settings.fail_every.max(1)) => {
                Some(failure.clone())
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_all_settings() {
        let settings = Settings::from_query("delay_ms=1.5&fail=429:slow+down&limit=100").unwrap();
        assert_eq!(settings.delay, Duration::from_micros(1500));
        assert_eq!(settings.failure, Some((429, "slow down".to_owned())));
        assert_eq!(settings.limit, Some(100.0));
        assert_eq!(Settings::from_query("").unwrap(), Settings::default());
        assert_eq!(Settings::from_query("fail_every=3").unwrap().failure.unwrap().0, 503);
        for wrong in ["hang=perhaps", "delay_ms=-1", "fail=ok", "limit=0", "colour=red"] {
            assert!(Settings::from_query(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_every_nth_write_fails() {
        let behaviour = Behaviour::new(Settings::from_query("fail=500&fail_every=3").unwrap());
        let failed: Vec<_> = (1..=7).filter(|n| behaviour.failure(*n).is_some()).collect();
        assert_eq!(failed, [3, 6]);
        behaviour.set(Settings::default());
        assert_eq!(behaviour.failure(3), None);
    }
}
