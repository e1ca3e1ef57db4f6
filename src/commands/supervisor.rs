//! What systemd is told of a `Type=notify` unit: ready, alive, reloading, stopping, and the state in a line.
//!
//! Without systemd, `NOTIFY_SOCKET` is not set and nothing is sent.

use circlet::shard::{Pulse, Sign};
use sd_notify::NotifyState;

pub fn ready() {
    say(&[NotifyState::Ready]);
}

/// Passes on what the node shows.
pub fn tell(sign: Sign) {
    match sign {
        Sign::Alive(pulse) => alive(&pulse),
        Sign::Reloading => reloading(),
        Sign::Reloaded => ready(),
    }
}

/// Since version 253 systemd wants the time, so that it knows the notice from an older one.
fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => say(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the supervisor is not told"),
    }
}

/// Feeds the watchdog only if every shard has gone on since it was fed: a shard that stands still ends the process.
fn alive(pulse: &Pulse) {
    let status = format!(
        "{}/{} backends up, {} bytes wait for backends",
        pulse.up, pulse.backends, pulse.backlog_bytes
    );
    say(&[NotifyState::Status(&status)]);
    if pulse.all_alive {
        say(&[NotifyState::Watchdog]);
    }
}

pub fn stopping() {
    say(&[NotifyState::Stopping]);
}

/// A supervisor that does not listen is none of our business.
fn say(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the supervisor is not told");
    }
}
