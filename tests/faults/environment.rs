//! Machines that do not allow what Circlet needs: it says so, with the mend, and ends with code 4.

use crate::mount::{Kind, Mount, image};
use crate::support::circlet::Circlet;
use crate::support::ledger::expect_whole;
use crate::support::ports;
use crate::support::prelude::*;
use crate::support::process::Process;
use crate::support::python;
use crate::support::vectors::root;
use crate::support::wait::let_pass;
use crate::support::world::{backend, directory};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

const EPERM: i32 = 1;
const ENOSYS: i32 = 38;

/// The same numbers on every architecture.
const IO_URING_SETUP: &str = "425";
const IO_URING_ENTER: &str = "426";
const IO_URING_REGISTER: &str = "427";

/// A gateway whose only backend does not exist, with its data directory here.
fn lonely(directory: &Path, data: &Path) -> Circlet {
    let address = SocketAddr::from(([127, 0, 0, 1], ports::free()));
    let nobody = format!("http://127.0.0.1:{}", ports::free());
    let text = format!(
        "listen = \"{address}\"\ndata_dir = \"{}\"\n[log]\nsegment_bytes = \"1MiB\"\n\
         [[circle]]\nname = \"c\"\n{}",
        data.display(),
        backend("b", &nobody, "influxdb1")
    );
    let config = directory.join("circlet.toml");
    fs::write(&config, text).unwrap();
    Circlet::stopped(&config, address)
}

/// Starts it by a wrapper; it must end with code 4 and say all these words.
#[track_caller]
fn expect_refusal(wrapper: &[String], words: &[&str]) {
    let directory = directory();
    let mut circlet = lonely(directory.path(), &directory.path().join("data"));
    circlet.wrapper = wrapper.to_vec();
    circlet.start_only();
    expect_end(&mut circlet, words);
}

#[track_caller]
fn expect_end(circlet: &mut Circlet, words: &[&str]) {
    let status = circlet.wait_end();
    let log = circlet.log_end();
    assert_eq!(status.code(), Some(4), "{status}:\n{log}");
    for word in words {
        assert!(log.contains(word), "does not say {word}:\n{log}");
    }
    assert!(!log.contains("panicked"), "{log}");
}

fn forbid(error: i32, calls: &[&str]) -> Vec<String> {
    let script = root().join("tests/faults/forbid.py");
    let interpreter = python::interpreter();
    let (script, interpreter) = (script.to_str().unwrap(), interpreter.to_str().unwrap());
    [interpreter, script, &error.to_string(), &calls.join(",")].map(str::to_owned).to_vec()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn too_little_lockable_memory_is_named_with_its_mend() {
    let words_expected = ["65536 bytes of memory", "LimitMEMLOCK=infinity", "ulimit -l unlimited"];
    expect_refusal(&words("prlimit --memlock=65536:65536"), &words_expected);
}

#[test]
fn a_sandbox_that_forbids_io_uring_is_named_with_its_mend() {
    // Any one of the three is enough to make it useless.
    for call in [IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER] {
        let words = ["forbidden", "seccomp profile", "kernel.io_uring_disabled"];
        expect_refusal(&forbid(EPERM, &[call]), &words);
    }
    let all = [IO_URING_SETUP, IO_URING_ENTER, IO_URING_REGISTER];
    expect_refusal(&forbid(EPERM, &all), &["seccomp profile"]);
}

#[test]
fn a_kernel_without_io_uring_is_named_with_its_mend() {
    expect_refusal(&forbid(ENOSYS, &[IO_URING_SETUP]), &["no io_uring", "Linux 5.8"]);
}

/// The filter of these tests forbids only what it is told to.
#[test]
fn a_sandbox_that_forbids_something_else_is_fine() {
    const ACCT: &str = if cfg!(target_arch = "x86_64") { "163" } else { "89" };
    let directory = directory();
    let mut circlet = lonely(directory.path(), &directory.path().join("data"));
    circlet.wrapper = forbid(EPERM, &[ACCT]);
    circlet.restart();
    circlet.terminate();
}

/// `circlet doctor` by a wrapper: its exit code and what it says.
fn doctor(wrapper: &[String], data: &Path) -> (Option<i32>, String) {
    let binary = env!("CARGO_BIN_EXE_circlet").to_owned();
    let own = [binary, "doctor".to_owned(), "--data-dir".to_owned(), data.display().to_string()];
    let all: Vec<String> = wrapper.iter().cloned().chain(own).collect();
    let output = Command::new(&all[0]).args(&all[1..]).output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn the_doctor_names_the_cause() {
    let directory = directory();
    let data = directory.path().join("data");
    let (code, said) = doctor(&[], &data);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("BAD"), "{said}");
    assert_eq!(fs::read_dir(&data).unwrap().count(), 0, "it leaves nothing behind");
    let expect_bad = |wrapper: &[String], words: &[&str]| {
        let (code, said) = doctor(wrapper, &data);
        assert_eq!(code, Some(4), "{said}");
        for word in words {
            assert!(said.contains(word), "does not say {word}: {said}");
        }
    };
    expect_bad(&words("prlimit --memlock=65536:65536"), &["lockable memory", "LimitMEMLOCK"]);
    expect_bad(&forbid(EPERM, &[IO_URING_SETUP]), &["a seccomp filter", "seccomp profile"]);
    expect_bad(&forbid(ENOSYS, &[IO_URING_SETUP]), &["no io_uring"]);
    let (_, said) = doctor(&words("prlimit --nofile=1000:1000"), &data);
    assert!(said.contains("at most 1000") && said.contains("LimitNOFILE"), "{said}");
}

#[test]
fn the_doctor_misses_direct_input_and_output() {
    let directory = directory();
    let at = directory.path().join("ram");
    let _mount = Mount::with(&["-t", "ramfs"], Path::new("ramfs"), &at);
    let (code, said) = doctor(&[], &at);
    assert_eq!(code, Some(0), "it runs without: {said}");
    assert!(said.contains("refuses O_DIRECT"), "{said}");
}

#[test]
fn too_few_files_are_named_with_their_mend() {
    expect_refusal(&words("prlimit --nofile=24:24"), &["24", "LimitNOFILE"]);
}

#[test]
fn a_data_directory_that_cannot_be_written_is_named() {
    let directory = directory();
    let disk = directory.path().join("disk");
    image(&disk, 32 << 20);
    Kind::Ext4.format(&disk);
    let at = directory.path().join("mounted");
    let mount = Mount::image(Kind::Ext4, &disk, &at);
    mount.remount("ro");
    let mut circlet = lonely(directory.path(), &at);
    circlet.start_only();
    expect_end(&mut circlet, &["cannot", "Read-only file system"]);
    mount.remount("rw");
    circlet.restart();
    assert!(circlet.terminate().success());
    // What a start needs is not there: the file system has its log, but not a byte to write.
    mount.remount("ro");
    circlet.start_only();
    expect_end(&mut circlet, &["Read-only file system"]);
}

#[test]
fn a_disk_without_room_for_a_log_is_named() {
    let directory = directory();
    let at = directory.path().join("mounted");
    let mount = Mount::memory(1 << 20, &at);
    let filler = at.join("filler");
    fs::write(&filler, vec![1; 900 << 10]).unwrap();
    let mut circlet = lonely(directory.path(), &at);
    circlet.start_only();
    expect_end(&mut circlet, &["No space left on device"]);
    fs::remove_file(&filler).unwrap();
    mount.remount("size=16m");
    circlet.restart();
    assert!(circlet.terminate().success());
}

fn open_files(id: u32) -> usize {
    fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
}

/// Lets the process have so many files; the hard limit stays.
fn limit_files(id: u32, files: usize) {
    let mut command = Command::new("prlimit");
    python::finish(command.args(["--pid", &id.to_string(), &format!("--nofile={files}:")]));
}

#[test]
fn a_gateway_out_of_files_goes_on_and_recovers() {
    let setup = Setup::new().write("ack = \"durable\"");
    let mut world = setup.tables("[log]\nsegment_bytes = \"1MiB\"").start();
    let running = Load::default().start(world.circlet.address);
    until("the load goes", seconds(30), || (running.acknowledged() > 1000).then_some(()));
    let id = world.circlet.id();
    limit_files(id, open_files(id) + 6);
    // The kernel completes these, but the gateway cannot take them all in.
    let mut idle: Vec<Connection> = (0..40).map(|_| world.connect()).collect();
    until("no file is left", seconds(10), || {
        let log = fs::read_to_string(world.circlet.log()).unwrap();
        log.contains("cannot accept a connection").then_some(())
    });
    // Whoever is inside goes on: several segments are begun meanwhile, which takes files, too.
    let before = running.acknowledged();
    let_pass(seconds(3));
    assert!(running.acknowledged() > before, "the open connections starve");
    assert!(world.circlet.is_alive());
    idle.clear();
    until("new connections are served", seconds(30), || {
        let answer = Connection::try_open(world.circlet.address)
            .and_then(|mut connection| connection.request(&Request::get("/ready")));
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    let before = running.acknowledged();
    until("writes go on", seconds(30), || (running.acknowledged() > before + 1000).then_some(()));
    let (load, tally) = running.stop();
    assert!(tally.answers.keys().all(|status| [204, 503].contains(status)), "{tally:?}");
    world.wait_drained(seconds(60));
    expect_whole(&world, &load, &tally);
    world.expect_nothing_lost();
}
