//! The embedded store as a process of its own: started, killed, started again on the same data.

use super::circlet::BINARY;
use super::http::{Answer, Connection, Request, encode};
use super::process::Process;
use super::wait::{seconds, until};
use super::world::directory;
use rustix::process::Signal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use tempfile::TempDir;

/// Stops first; the directory goes last.
pub struct StoreServer {
    pub address: SocketAddr,
    arguments: Vec<String>,
    process: Option<Process>,
    directory: TempDir,
}

impl StoreServer {
    /// An empty store that everybody may use.
    pub fn start() -> StoreServer {
        StoreServer::start_with(&[])
    }

    /// With more arguments.
    pub fn start_with(arguments: &[&str]) -> StoreServer {
        StoreServer::start_in(directory(), arguments)
    }

    /// In a directory that holds files for the arguments.
    pub fn start_in(directory: TempDir, arguments: &[&str]) -> StoreServer {
        let address = SocketAddr::from(([127, 0, 0, 1], super::ports::free()));
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut store = StoreServer { address, arguments, process: None, directory };
        store.restart();
        store
    }

    /// Starts it again on the same data and waits until it serves.
    pub fn restart(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let mut command = Command::new(BINARY);
        command.args(["store", "--data-dir", "data", "--listen", &self.address.to_string()]);
        command.args(&self.arguments).current_dir(self.directory.path());
        let mut process = Process::start(&mut command, &self.log());
        until("the store serves", seconds(30), || {
            if let Some(status) = process.ended() {
                panic!("the store ended with {status}:\n{}", process.log_end());
            }
            let mut connection = Connection::try_open(self.address).ok()?;
            let answer = connection.request(&Request::get("/ready")).ok()?;
            (answer.status == 200).then_some(())
        });
        self.process = Some(process);
    }

    /// kill -9.
    pub fn kill(&mut self) {
        self.process.take().expect("it runs").kill();
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut process = self.process.take().expect("it runs");
        process.signal(Signal::TERM);
        process.wait(seconds(35))
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    #[track_caller]
    pub fn ask(&self, request: &Request) -> Answer {
        self.connect().request(request).expect("the store answers")
    }

    /// `POST /write`.
    #[track_caller]
    pub fn write(&self, db: &str, lines: impl AsRef<[u8]>) -> Answer {
        self.ask(&Request::post(&format!("/write?db={}", encode(db)), lines))
    }

    /// `POST /query` with times in nanoseconds.
    #[track_caller]
    pub fn query(&self, db: &str, statement: &str) -> Answer {
        let target = format!("/query?db={}&epoch=ns&q={}", encode(db), encode(statement));
        self.ask(&Request::post(&target, ""))
    }

    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    pub fn log(&self) -> PathBuf {
        self.directory.path().join("store.log")
    }
}
