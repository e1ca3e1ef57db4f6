//! What systemd is told, by a socket in its place.

use crate::support::prelude::*;
use crate::support::process::Process;
use crate::support::python;
use crate::support::wait::let_pass;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Instant;

struct Supervisor {
    socket: UnixDatagram,
    _directory: tempfile::TempDir,
}

impl Supervisor {
    /// Restarts the gateway below itself.
    fn of(world: &mut World) -> Supervisor {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        world.circlet.terminate();
        world.circlet.start_with(&[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        Supervisor { socket, _directory: directory }
    }

    /// What was said meanwhile.
    fn hear(&self, lasts: Duration) -> Vec<String> {
        let began = Instant::now();
        let mut said = Vec::new();
        while began.elapsed() < lasts {
            let mut text = [0; 1024];
            if let Ok(length) = self.socket.recv(&mut text) {
                let text = String::from_utf8_lossy(&text[..length]).into_owned();
                said.extend(text.lines().map(str::to_owned));
            }
        }
        said
    }

    fn hear_until(&self, wanted: &str) {
        let mut all = Vec::new();
        until(&format!("the supervisor hears {wanted}"), seconds(30), || {
            all.extend(self.hear(Duration::from_millis(200)));
            all.iter().any(|word| word == wanted).then_some(())
        });
    }
}

pub fn a_reload_is_told_to_the_supervisor() {
    let mut world = Setup::new().circles(1, 1).start();
    let supervisor = Supervisor::of(&mut world);
    supervisor.hear_until("READY=1");
    let sound = std::fs::read_to_string(&world.circlet.config).unwrap();
    // Whatever comes of it: it is over, or the supervisor waits until it gives up.
    for text in [sound.clone(), "nonsense".to_owned(), sound] {
        std::fs::write(&world.circlet.config, text).unwrap();
        world.circlet.signal(rustix::process::Signal::HUP);
        let said = supervisor.hear(Duration::from_millis(800));
        let at = |word: &str| said.iter().position(|one| one.starts_with(word));
        let [reloading, since, ready] = ["RELOADING=1", "MONOTONIC_USEC=", "READY=1"].map(at);
        assert!(reloading.is_some() && reloading < ready && since < ready, "{said:?}");
        let microseconds = said[since.unwrap()].trim_start_matches("MONOTONIC_USEC=");
        assert!(microseconds.parse::<u64>().unwrap() > 0);
    }
    world.ask(&Request::get("/ready")).expect(200);
}

/// PTRACE_SEIZE and PTRACE_INTERRUPT: only this thread stops, and it goes on when its tracer ends.
const HOLD: &str = "
import ctypes, sys, time
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long] * 4
for request in (0x4206, 0x4207):
    if libc.ptrace(request, int(sys.argv[1]), 0, 0) != 0: sys.exit('not held')
print('held', flush=True)
time.sleep(60)
";

/// Holds one thread of the gateway, as a debugger does, until it is dropped.
fn hold(world: &World, name: &str) -> Process {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", world.circlet.id())).unwrap();
    let is_it = |path: &std::path::Path| {
        std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| comm.trim() == name)
    };
    let task = tasks.flatten().find(|task| is_it(&task.path())).expect("a thread of that name");
    let log = world.circlet.data().join("holder.log");
    let mut command = Command::new(python::interpreter());
    command.arg("-c").arg(HOLD).arg(task.file_name());
    let process = Process::start(&mut command, &log);
    until("the thread is held", seconds(10), || {
        std::fs::read_to_string(&log).is_ok_and(|text| text.contains("held")).then_some(())
    });
    process
}

pub fn a_stalled_shard_is_noticed() {
    let mut world = Setup::new().circles(1, 1).shards(2).start();
    let supervisor = Supervisor::of(&mut world);
    supervisor.hear_until("READY=1");
    world.ask(&Request::get("/ready")).expect(200);
    supervisor.hear_until("WATCHDOG=1");
    supervisor.hear_until("STATUS=1/1 backends up, 0 bytes wait for backends");
    let mut holder = hold(&world, "shard-1");
    // What it had said before.
    supervisor.hear(seconds(3));
    let said = supervisor.hear(seconds(3));
    assert!(said.iter().any(|word| word.starts_with("STATUS=")), "the node goes on: {said:?}");
    assert!(!said.iter().any(|word| word == "WATCHDOG=1"), "nobody noticed: {said:?}");
    holder.kill();
    supervisor.hear_until("WATCHDOG=1");
    let_pass(Duration::from_millis(100));
    world.circlet.signal(rustix::process::Signal::TERM);
    supervisor.hear_until("STOPPING=1");
    assert_eq!(world.circlet.wait_end().code(), Some(0));
}
