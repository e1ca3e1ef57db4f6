//! A file that changes and is read again, over and over, beside a load.

use super::http::{Connection, Request};
use super::world::World;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Two configurations that differ in many keys of those that a reload takes over.
pub struct Reloads {
    path: PathBuf,
    address: SocketAddr,
    texts: [String; 2],
    done: usize,
}

/// Keys of tables that the world's own file does not have, each with another value.
const OTHER: &str = "log_level = \"warn\"\n[server]\nmax_body = \"20MB\"\nidle_timeout = \"50s\"\nmax_connections = 5000\nmemory = \"200MiB\"\n[query]\ntimeout = \"50s\"\n[probe]\ninterval = \"900ms\"\n";

impl Reloads {
    pub fn of(world: &World) -> Reloads {
        let path = world.circlet.config.clone();
        let text = fs::read_to_string(&path).expect("it was started with it");
        // What stands before the first table has to come first.
        let (top, tables) = text.split_at(text.find("\n[").map_or(text.len(), |at| at + 1));
        let other = format!("{top}{OTHER}{tables}");
        Reloads { path, address: world.circlet.address, texts: [text, other], done: 0 }
    }

    /// How often it was read again.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Writes the other text. As an editor does it: nobody sees half of a file.
    pub fn change(&mut self) {
        self.done += 1;
        replace(&self.path, &self.texts[self.done % 2]);
    }

    /// Has it read again and expects that all of it is taken over.
    pub fn once(&mut self) {
        self.change();
        let mut connection = Connection::open(self.address);
        let answer = connection.request(&Request::post("/-/reload", "")).expect("it answers");
        let report = answer.expect(200).json();
        let changed = report["changed"].as_array().expect("a list");
        assert_eq!(changed.len(), 7, "reload {}: {report}", self.done);
        assert_eq!(report["needs_restart"], serde_json::json!([]), "reload {}", self.done);
    }

    /// The same again and again, until it is stopped.
    pub fn begin(mut self, every: Duration) -> Reloading {
        let stop = Arc::new(AtomicBool::new(false));
        let theirs = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut due = Instant::now();
            while !theirs.load(Ordering::Relaxed) {
                if Instant::now() >= due {
                    self.once();
                    due += every;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            self.done
        });
        Reloading { stop, thread }
    }
}

/// Reloads under way.
pub struct Reloading {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Reloading {
    /// How many there were; panics if one of them was refused.
    pub fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("every reload was taken over")
    }
}

/// Puts this text in the place of a file, at once.
pub fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).expect("the directory takes files");
    fs::rename(&new, path).expect("it lies beside the other");
}
