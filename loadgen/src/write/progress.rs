//! A bar on the terminal while a run goes on; nothing where no person looks.

use super::plan::Plan;
use super::tally::Live;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    /// Whether the length is in milliseconds, not in lines.
    is_timed: bool,
}

impl Progress {
    /// A bar for a plan, on standard error, and only if that is a terminal.
    pub fn new(plan: &Plan, label: &str) -> Self {
        let (length, is_timed) = match plan.time_max {
            Some(time) if plan.lines_max == u64::MAX => (time.as_millis() as u64, true),
            _ => (plan.lines_max, false),
        };
        let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{prefix} [{bar:30}] {elapsed} {msg}");
        bar.set_style(style.expect("the template is constant and valid").progress_chars("=> "));
        bar.set_prefix(label.to_owned());
        Progress { bar, is_timed }
    }

    /// Draws how far the threads have come.
    pub fn draw(&self, since: Duration, lives: &[Live]) {
        if self.bar.is_hidden() {
            return;
        }
        let sum = |field: fn(&Live) -> u64| lives.iter().map(field).sum::<u64>();
        let lines = sum(|live| live.lines_acknowledged.load(Relaxed));
        let errors = sum(|live| live.errors.load(Relaxed));
        self.bar.set_position(if self.is_timed { since.as_millis() as u64 } else { lines });
        let rate = lines as f64 / since.as_secs_f64().max(1e-3);
        let requests = sum(|live| live.requests.load(Relaxed));
        self.bar.set_message(format!("{rate:.0} lines/s, {requests} requests, {errors} errors"));
    }

    /// Says what is waited for now.
    pub fn say(&self, text: String) {
        self.bar.set_message(text);
        self.bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
