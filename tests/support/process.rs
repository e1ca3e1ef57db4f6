//! One child process: started with a log file, ended by its id, never left behind.

use super::wait::{seconds, until};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

pub struct Process {
    child: Child,
    log: PathBuf,
    ended: Option<ExitStatus>,
}

impl Process {
    /// Starts `command` with its output appended to `log`.
    pub fn start(command: &mut Command, log: &Path) -> Process {
        let file = OpenOptions::new().create(true).append(true).open(log).expect("log file opens");
        let errors = file.try_clone().expect("file handle doubles");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Process { child, log: log.to_owned(), ended: None }
    }

    /// A process that somebody else has started; `log` is only where a report looks.
    pub fn of(child: Child, log: &Path) -> Process {
        Process { child, log: log.to_owned(), ended: None }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().expect("child can be waited for");
        }
        self.ended
    }

    /// Sends a signal, unless it has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
            kill_process(pid.expect("a child has an id"), signal).expect("own child takes signals");
        }
    }

    /// SIGSTOP, and waits until every thread stands still: the signal stops each at its own moment, and
    /// one that still runs might answer.
    pub fn freeze(&mut self) {
        self.signal(Signal::STOP);
        until(&format!("{} stands still", self.log.display()), seconds(10), || {
            self.stands_still().then_some(())
        });
    }

    /// SIGCONT.
    pub fn thaw(&mut self) {
        self.signal(Signal::CONT);
    }

    /// Whether each of its threads is stopped. One that waits for a disk stops only when it has what it
    /// waits for.
    fn stands_still(&self) -> bool {
        let tasks =
            std::fs::read_dir(format!("/proc/{}/task", self.id())).expect("Linux has /proc");
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            // The state stands behind the name, which is in brackets and may hold any character. A thread
            // that ended in between has none.
            stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T'))
        })
    }

    /// kill -9, and waits for the end.
    pub fn kill(&mut self) {
        if self.ended().is_none() {
            self.signal(Signal::KILL);
            self.ended = Some(self.child.wait().expect("child can be waited for"));
        }
    }

    /// Waits for the end; panics with the end of its log after `limit`.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let what = format!("{} ends", self.log.display());
        until(&what, limit, || self.ended())
    }

    /// What each of its threads is doing, for a report.
    pub fn threads(&self) -> String {
        let mut text = String::new();
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.id())).into_iter().flatten();
        for task in tasks.flatten() {
            let read = |name| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
            text += &format!("{} in {}\n", read("comm").trim(), read("wchan").trim());
        }
        text
    }

    /// The last lines it wrote.
    pub fn log_end(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}
