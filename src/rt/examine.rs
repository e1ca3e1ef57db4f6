//! Looks at a machine before anything is started on it: each finding says what was seen, and the mend where something
//! is wrong.

use super::clock::Clock;
use super::preflight::{self, Obstacle};
use crate::base::limits::PAGE;
use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    Good,
    /// Circlet runs, but worse than it could.
    Warning,
    /// Circlet does not start.
    Bad,
}

#[derive(Clone, Debug)]
pub struct Finding {
    pub what: &'static str,
    pub state: State,
    pub seen: String,
    pub mend: Option<String>,
}

/// Writes and syncs of one page, to learn how fast the disk is.
const SYNCS: usize = 64;

/// From here on a write that waits for the disk is slow for its client.
const SYNC_SLOW: Duration = Duration::from_millis(10);

const FILES_ADVISED: u64 = 65_536;

fn good(what: &'static str, seen: String) -> Finding {
    Finding { what, state: State::Good, seen, mend: None }
}

fn wrong(what: &'static str, state: State, seen: String, mend: &str) -> Finding {
    Finding { what, state, seen, mend: Some(mend.to_owned()) }
}

/// Everything that does not depend on a directory.
pub fn machine() -> Vec<Finding> {
    // Before the limits are raised as a start raises them.
    let files = files();
    vec![kernel(), io_uring(), sandbox(), files, cores()]
}

/// The place of the log. Makes the directory if it is missing, writes a file there and removes it.
pub fn directory(path: &Path) -> Vec<Finding> {
    let probe = path.join(format!(".doctor-{}", std::process::id()));
    let made = std::fs::create_dir_all(path).and_then(|()| File::create_new(&probe));
    if let Err(error) = made {
        let seen = format!("{}: {error}", path.display());
        let mend = "make it, give it to the user that runs Circlet, or name another data_dir";
        return vec![wrong("data directory", State::Bad, seen, mend)];
    }
    let findings = vec![
        good("data directory", path.display().to_string()),
        direct(&probe),
        syncs(&probe),
        space(path),
    ];
    // It is empty or small, and named after this process.
    if let Err(error) = std::fs::remove_file(&probe) {
        tracing::warn!(%error, file = %probe.display(), "cannot be removed");
    }
    findings
}

fn kernel() -> Finding {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let mut numbers = release.split(|letter: char| !letter.is_ascii_digit());
    let mut number = || numbers.next().and_then(|digits| digits.parse::<u32>().ok()).unwrap_or(0);
    if (number(), number()) >= (5, 8) {
        return good("kernel", release);
    }
    wrong("kernel", State::Bad, release, "Linux 5.8 or later is needed")
}

fn io_uring() -> Finding {
    const DISABLED: &str = "/proc/sys/kernel/io_uring_disabled";
    let disabled = std::fs::read_to_string(DISABLED).unwrap_or_default();
    match preflight::check() {
        Ok(()) => good("io_uring", "works".to_owned()),
        Err(obstacle) => {
            let cause = match (&obstacle, disabled.trim()) {
                (Obstacle::Forbidden, "1") => {
                    "kernel.io_uring_disabled is 1: only privileged processes may"
                }
                (Obstacle::Forbidden, "2") => "kernel.io_uring_disabled is 2: nobody may",
                (Obstacle::Forbidden, _) => {
                    "EPERM, and kernel.io_uring_disabled is not the cause: a seccomp filter"
                }
                (Obstacle::NoKernelSupport, _) => "ENOSYS",
                (Obstacle::Memlock(_), _) => "too little lockable memory",
                (Obstacle::Files(_), _) => "too few open files",
                _ => "does not start",
            };
            wrong("io_uring", State::Bad, cause.to_owned(), &obstacle.to_string())
        }
    }
}

/// Whether a seccomp filter is there at all; it may be the one that a container engine should have.
fn sandbox() -> Finding {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:")).map_or("", str::trim);
    let seen = if mode == "2" { "a seccomp filter is active" } else { "no seccomp filter" };
    good("sandbox", seen.to_owned())
}

fn files() -> Finding {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    match limit.maximum {
        Some(files) if files < FILES_ADVISED => wrong(
            "open files",
            State::Warning,
            format!("at most {files}"),
            "set LimitNOFILE=65536 in the unit, or `ulimit -n 65536`: each connection is a file",
        ),
        Some(files) => good("open files", format!("at most {files}")),
        None => good("open files", "no limit".to_owned()),
    }
}

fn cores() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    good("cores", format!("{cores} for this process: a shard each"))
}

fn direct(probe: &Path) -> Finding {
    match rustix::fs::open(probe, OFlags::RDWR | OFlags::DIRECT, Mode::empty()) {
        Ok(_) => good("direct I/O", "works".to_owned()),
        Err(error) => wrong(
            "direct I/O",
            State::Warning,
            format!("the file system of the data directory refuses O_DIRECT: {error}"),
            "ext4 and xfs have it; without it the log goes through the page cache, which costs memory and CPU",
        ),
    }
}

fn syncs(probe: &Path) -> Finding {
    match time_syncs(probe) {
        Ok(sorted) => {
            let (median, slowest) = (sorted[SYNCS / 2], sorted[SYNCS - 1]);
            let seen = format!(
                "{median:.1?} for a write of a page and its fdatasync, at most {slowest:.1?}"
            );
            if median > SYNC_SLOW {
                let mend = "a disk with a write cache that survives power loss answers in well below a millisecond";
                return wrong("disk", State::Warning, seen, mend);
            }
            good("disk", seen)
        }
        Err(error) => {
            let mend = "the log needs a disk of this machine that can be written";
            wrong("disk", State::Bad, error.to_string(), mend)
        }
    }
}

fn time_syncs(probe: &Path) -> io::Result<Vec<Duration>> {
    let file = File::options().write(true).open(probe)?;
    let page = [0u8; PAGE];
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let began = Clock::Real.mono();
        file.write_all_at(&page, 0)?;
        file.sync_data()?;
        times.push(Clock::Real.mono().since(began));
    }
    times.sort();
    Ok(times)
}

fn space(path: &Path) -> Finding {
    const PERCENT_LOW: u64 = 10;
    let facts = match rustix::fs::statvfs(path) {
        Ok(facts) => facts,
        Err(error) => {
            return wrong("space", State::Warning, error.to_string(), "look at it by hand");
        }
    };
    let (free, whole) = (facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize);
    let gib = |bytes: u64| bytes as f64 / (1u64 << 30) as f64;
    let seen = format!("{:.1} of {:.1} GiB are free", gib(free), gib(whole));
    if free < whole / 100 * PERCENT_LOW {
        let mend = "make room: the log takes about the bytes of the lines that backends are owed";
        return wrong("space", State::Warning, seen, mend);
    }
    good("space", seen)
}
