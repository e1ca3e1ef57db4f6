//! What a process of this machine takes: processor time, memory, descriptors, as `/proc` tells.

use crate::url::usage;
use std::fs;
use std::io;
use std::time::Duration;

/// What a process had taken at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    pub user: Duration,
    pub system: Duration,
    pub rss_bytes: u64,
    /// The most that it ever had resident.
    pub rss_peak_bytes: u64,
    /// Open descriptors; 0 where this user may not look.
    pub fds: u64,
}

#[derive(Clone, Debug)]
pub struct Process {
    pub pid: u32,
    pub name: String,
}

impl Process {
    /// A process that exists; an error of usage if it does not.
    pub fn find(pid: u32) -> io::Result<Self> {
        let name = fs::read_to_string(format!("/proc/{pid}/comm"))
            .map_err(|error| usage(format!("--pid {pid}: {error}")))?;
        Ok(Process { pid, name: name.trim().to_owned() })
    }

    /// This process.
    pub fn own() -> Self {
        Process { pid: std::process::id(), name: "circlet-load".to_owned() }
    }

    /// What it has taken until now; an error once it is gone.
    pub fn usage(&self) -> io::Result<Usage> {
        let read = |name| fs::read_to_string(format!("/proc/{}/{name}", self.pid));
        let (user, system) = times(&read("stat")?)?;
        let status = read("status")?;
        let (rss_bytes, rss_peak_bytes) = (memory(&status, "VmRSS:"), memory(&status, "VmHWM:"));
        let fds = fs::read_dir(format!("/proc/{}/fd", self.pid)).map_or(0, Iterator::count) as u64;
        Ok(Usage { user, system, rss_bytes, rss_peak_bytes, fds })
    }
}

/// User and system time out of `/proc/PID/stat`; its second field may hold spaces and parentheses.
fn times(stat: &str) -> io::Result<(Duration, Duration)> {
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let mut time = || {
        let ticks_used: f64 = fields.next()?.parse().ok()?;
        Some(Duration::from_secs_f64(ticks_used / ticks))
    };
    let both = time().and_then(|user| Some((user, time()?)));
    both.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "cannot read /proc/PID/stat"))
}

/// Bytes out of `/proc/PID/status`; 0 for a process that has ended and was not waited for.
fn memory(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// A process over the time of a run.
#[derive(Clone, Debug)]
pub struct Watch {
    pub process: Process,
    pub start: Usage,
    pub end: Usage,
    pub rss_peak_bytes: u64,
    pub fds_peak: u64,
    /// Time since the start, and what was taken until then.
    pub samples: Vec<(Duration, Usage)>,
    /// Whether it ended before the run did.
    pub is_gone: bool,
}

impl Watch {
    pub fn start(process: Process) -> io::Result<Self> {
        let start = process.usage()?;
        let (rss_peak_bytes, fds_peak) = (start.rss_bytes, start.fds);
        let samples = vec![(Duration::ZERO, start)];
        Ok(Watch { process, start, end: start, rss_peak_bytes, fds_peak, samples, is_gone: false })
    }

    /// Looks again.
    pub fn sample(&mut self, since: Duration) {
        match self.process.usage() {
            Ok(usage) => {
                self.end = usage;
                self.rss_peak_bytes = self.rss_peak_bytes.max(usage.rss_bytes);
                // A peak between two looks shows in the kernel's own, if that is of this run.
                if usage.rss_peak_bytes > self.start.rss_peak_bytes {
                    self.rss_peak_bytes = self.rss_peak_bytes.max(usage.rss_peak_bytes);
                }
                self.fds_peak = self.fds_peak.max(usage.fds);
                self.samples.push((since, usage));
            }
            Err(_) => self.is_gone = true,
        }
    }

    /// User and system time of the run.
    pub fn taken(&self) -> (Duration, Duration) {
        let user = self.end.user.saturating_sub(self.start.user);
        (user, self.end.system.saturating_sub(self.start.system))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_a_name_with_spaces() {
        let stat = "7 (a b) c) S 1 1 1 0 -1 0 10 0 0 0 250 50 0 0 20 0 1";
        let (user, system) = times(stat).unwrap();
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(user, Duration::from_secs_f64(250.0 / ticks));
        assert_eq!(system, Duration::from_secs_f64(50.0 / ticks));
        assert!(times("7 (x) S 1").is_err());
    }

    #[test]
    fn a_process_knows_its_own_memory_and_descriptors() {
        let usage = Process::own().usage().unwrap();
        assert!(usage.rss_bytes > 100_000 && usage.fds >= 3, "{usage:?}");
        assert!(Process::find(u32::MAX).is_err());
    }
}
