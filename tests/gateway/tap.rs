//! A look at the lines that pass.

use crate::support::circlet::BINARY;
use crate::support::prelude::*;
use std::io::Read;
use std::process::{Child, Command, Output, Stdio};

/// A `circlet tap`, ended when it is dropped.
struct Tap(Option<Child>);

impl Tap {
    fn start(world: &World, token: &str, arguments: &[&str]) -> Tap {
        let mut command = Command::new(BINARY);
        command.arg("tap").arg("-c").arg(&world.circlet.config).args(arguments);
        command.env("CIRCLET_TOKEN", token).current_dir(world.directory.path());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Tap(Some(child))
    }

    fn has_ended(&mut self) -> bool {
        self.0.as_mut().unwrap().try_wait().unwrap().is_some()
    }

    fn output(mut self) -> Output {
        self.0.take().unwrap().wait_with_output().unwrap()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_tap_shows_what_passes_in_its_database_until_it_has_enough() {
    let world = Setup::new().circles(1, 1).database("e").start();
    let mut tap = Tap::start(&world, "", &["--db", "d", "--measurement", "m", "--lines", "6"]);
    let mut number = 0;
    until("it has seen enough", seconds(20), || {
        number += 1;
        // New connections, so that both shards take some.
        let lines = format!("m,t=a v={number} {number}\nn v=1 {number}");
        world.ask(&Request::post("/write?db=d&precision=s", lines)).expect(204);
        world.write("e", format!("m v=-1 {number}")).expect(204);
        tap.has_ended().then_some(())
    });
    let output = tap.output();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    let (title, lines) = printed.split_once('\n').unwrap();
    assert_eq!(title, "# at most 10 lines a second of d");
    assert_eq!(lines.lines().count(), 6, "{printed}");
    for line in lines.lines() {
        let seconds = line.strip_prefix("m,t=a v=").unwrap().split(' ').next().unwrap();
        assert_eq!(line, format!("m,t=a v={seconds} {seconds}000000000"), "{printed}");
    }
}

#[test]
fn a_tap_wants_an_admin_who_may_read_and_ends_with_its_client_or_the_gateway() {
    let admin = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let scoped = |name: &str, scopes: &str| {
        format!("[[auth.token]]\nname = \"{name}\"\nhash = \"{admin}\"\nscopes = [{scopes}]\n")
    };
    let table = format!("[auth]\ntokens = [\"all-rights\"]\n{}", scoped("operator", "\"admin\""));
    let mut world = Setup::new().circles(1, 1).tables(&table).start();
    let refused = Tap::start(&world, "test", &["--db", "d"]).output();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("403: operator may not read"), "{refused:?}");
    let refused = Tap::start(&world, "wrong", &["--db", "d"]).output();
    assert!(text(&refused.stderr).contains("401"), "{refused:?}");
    let ask =
        |path: &str| world.ask(&Request::get(path).header("Authorization", "Token all-rights"));
    ask("/-/tap").expect(400);
    ask("/-/tap?db=d&rate=1001").expect(400);

    // No more than eight; their places are free again when their clients have gone.
    let all = |count| -> Vec<Tap> {
        (0..count).map(|_| Tap::start(&world, "all-rights", &["--db", "d"])).collect()
    };
    let answers = |status: u16| {
        until(&format!("another one is answered {status}"), seconds(20), || {
            let mut connection = world.connect();
            let request = Request::get("/-/tap?db=d").header("Authorization", "Token all-rights");
            connection.send(&request.bytes()).unwrap();
            (connection.head().unwrap().status == status).then_some(())
        });
    };
    let taps = all(8);
    answers(503);
    drop(taps);
    answers(200);
    let mut last = all(1).remove(0);
    let mut out = last.0.as_mut().unwrap().stdout.take().unwrap();
    let mut title = [0; 8];
    out.read_exact(&mut title).unwrap();
    assert_eq!(&title, b"# at mos");
    assert!(!last.has_ended());
    assert_eq!(world.circlet.terminate().code(), Some(0));
    let output = last.output();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(text(&output.stderr).contains("the gateway has ended it"), "{output:?}");
}
