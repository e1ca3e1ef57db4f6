//! What systemd is told of a `Type=notify` unit: ready, alive, stopping, and the state in a line.
//!
//! Without systemd, `NOTIFY_SOCKET` is not set and nothing is sent.

use circlet::shard::Pulse;
use sd_notify::NotifyState;

pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// Feeds the watchdog only if every shard has gone on since it was fed: a shard that stands still ends the process.
pub fn alive(pulse: &Pulse) {
    let status = format!(
        "{}/{} backends up, {} bytes wait for backends",
        pulse.up, pulse.backends, pulse.backlog_bytes
    );
    tell(&[NotifyState::Status(&status)]);
    if pulse.all_alive {
        tell(&[NotifyState::Watchdog]);
    }
}

pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// A supervisor that does not listen is none of our business.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "the supervisor is not told");
    }
}
