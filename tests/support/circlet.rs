//! The built gateway as a process: started, killed, started again on the same data.

use super::http::{Answer, Connection, Request};
use super::process::Process;
use super::wait::{seconds, until};
use rustix::process::Signal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};

/// The binary under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_circlet");

pub struct Circlet {
    pub config: PathBuf,
    pub address: SocketAddr,
    /// A program with its arguments that sets up the process and then becomes Circlet; mostly none.
    pub wrapper: Vec<String>,
    directory: PathBuf,
    process: Option<Process>,
}

impl Circlet {
    /// Starts it with this configuration file and waits until it takes writes.
    pub fn start(config: &Path, address: SocketAddr) -> Circlet {
        let mut gateway = Circlet::stopped(config, address);
        gateway.restart();
        gateway
    }

    /// Not running yet.
    pub fn stopped(config: &Path, address: SocketAddr) -> Circlet {
        let directory = config.parent().expect("the file lies in a directory").to_owned();
        let wrapper = Vec::new();
        Circlet { config: config.to_owned(), address, wrapper, directory, process: None }
    }

    /// Starts it again on the same data and waits until `/ready` says 200.
    pub fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// The same with more arguments.
    pub fn restart_with(&mut self, arguments: &[&str]) {
        self.start_process(arguments, &[]);
        let process = self.process.as_mut().expect("just started");
        let address = self.address;
        let deadline = std::time::Instant::now() + seconds(30);
        loop {
            if let Some(status) = process.ended() {
                panic!("circlet ended with {status}:\n{}", process.log_end());
            }
            let tried = Connection::try_open(address)
                .and_then(|mut connection| connection.request(&Request::get("/ready")));
            match tried {
                Ok(answer) if answer.status == 200 => return,
                tried if std::time::Instant::now() >= deadline => panic!(
                    "Circlet is not ready after 30 s: {:?}\n{}{}",
                    tried.map(|answer| answer.text()),
                    process.threads(),
                    process.log_end()
                ),
                _ => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        }
    }

    /// Starts the process and returns at once.
    pub fn start_only(&mut self) {
        self.start_with(&[]);
    }

    /// The same with these variables in its environment.
    pub fn start_with(&mut self, variables: &[(&str, &str)]) {
        self.start_process(&[], variables);
    }

    fn start_process(&mut self, arguments: &[&str], variables: &[(&str, &str)]) {
        assert!(self.process.is_none(), "it runs already");
        let words: Vec<&str> = self.wrapper.iter().map(String::as_str).chain([BINARY]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .arg("run")
            .arg("-c")
            .arg(&self.config)
            .args(arguments)
            .current_dir(&self.directory);
        command.envs(variables.iter().copied());
        self.process = Some(Process::start(&mut command, &self.log()));
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// SIGTERM; the exit status within 35 s (it may finish requests for 30 s).
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        process.wait(seconds(35))
    }

    /// Its status if it has ended by itself; then it can be started again.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut().expect("it was started").ended()?;
        self.process = None;
        Some(status)
    }

    /// Sends a signal to it.
    pub fn signal(&mut self, signal: Signal) {
        self.process.as_mut().expect("it runs").signal(signal);
    }

    /// The status of a run that ends by itself.
    pub fn wait_end(&mut self) -> ExitStatus {
        until("circlet ends", seconds(30), || self.ended())
    }

    /// Of the running process.
    pub fn id(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Whether it runs and has not ended by itself.
    pub fn is_alive(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.ended().is_none())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> u64 {
        self.proc_number("status", "VmRSS:") << 10
    }

    /// The most that was ever resident in this life, in bytes.
    pub fn resident_peak_bytes(&self) -> u64 {
        self.proc_number("status", "VmHWM:") << 10
    }

    /// Bytes that this life has fetched from disks.
    pub fn read_bytes(&self) -> u64 {
        self.proc_number("io", "read_bytes:")
    }

    /// Open files and sockets.
    pub fn open_files(&self) -> usize {
        self.open_names().len()
    }

    /// Open files that are not segments of the log, whose number goes with the backlog. A segment that was
    /// removed and is still open is one of these.
    pub fn open_files_but_segments(&self) -> usize {
        self.open_names().iter().filter(|name| !name.ends_with(".wal")).count()
    }

    fn open_names(&self) -> Vec<String> {
        let fds = std::fs::read_dir(format!("/proc/{}/fd", self.id())).expect("Linux has /proc");
        let name = |fd: std::io::Result<std::fs::DirEntry>| {
            let link = std::fs::read_link(fd.expect("it runs").path());
            link.map_or_else(|_| String::new(), |link| link.to_string_lossy().into_owned())
        };
        fds.map(name).collect()
    }

    /// The number after `name` in a file of `/proc/ID`.
    fn proc_number(&self, file: &str, name: &str) -> u64 {
        let path = format!("/proc/{}/{file}", self.id());
        let text = std::fs::read_to_string(&path).expect("Linux has /proc");
        let line = text.lines().find(|line| line.starts_with(name));
        let number = line.and_then(|line| line.split_whitespace().nth(1));
        number.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {name} in {path}"))
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// Sends one request over a new connection.
    #[track_caller]
    pub fn ask(&self, request: &Request) -> Answer {
        self.connect().request(request).expect("Circlet answers")
    }

    /// Starts `circlet` with these arguments; what it says goes to `log` in its directory.
    pub fn start_command(&self, arguments: &[&str], log: &str) -> Process {
        let mut command = Command::new(BINARY);
        command.args(arguments).current_dir(&self.directory);
        Process::start(&mut command, &self.directory.join(log))
    }

    /// Runs `circlet` with these arguments beside the running one.
    pub fn command(&self, arguments: &[&str]) -> Output {
        run(arguments, &self.directory)
    }

    pub fn data(&self) -> PathBuf {
        self.directory.join("circlet-data")
    }

    pub fn log(&self) -> PathBuf {
        self.directory.join("circlet.log")
    }

    /// The end of what it wrote, over all its lives.
    pub fn log_end(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// Runs `circlet` to its end in a directory.
pub fn run(arguments: &[&str], directory: &Path) -> Output {
    let mut command = Command::new(BINARY);
    command.args(arguments).current_dir(directory);
    super::python::output(&mut command)
}
