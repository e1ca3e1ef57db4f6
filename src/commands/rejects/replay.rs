//! `circlet rejects replay`: posts refused lines to the backend that refused them, past the gateway, so that
//! the other circles see nothing twice.

use super::super::arguments::RejectsArguments;
use super::super::{Exit, http, say};
use super::{Rejects, failed, summary};
use circlet::backend::{Place, Verdict};
use circlet::base::ids::BackendId;
use circlet::config::{Backend, Config, Kind};
use circlet::ingest::rejects::{Group, comment, groups};
use circlet::ring::Target;
use circlet::shard::Trouble;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// Bytes of lines in one request.
const BODY_BYTES_MAX: usize = 1024 * 1024;

/// A request may take this long.
const LIMIT: Duration = Duration::from_secs(30);

/// What became of the lines of a file.
#[derive(Default)]
struct Outcome {
    taken: usize,
    kept: usize,
    /// Everything that stays.
    rest: Vec<u8>,
    /// The reason and the target that the last comment in `rest` tells.
    told: Option<(Target, String)>,
    /// Why nothing more was tried.
    stopped: Option<String>,
}

pub fn run(
    config: &Config,
    which: &RejectsArguments,
    files: &[Rejects],
    yes: bool,
) -> Result<Exit, Trouble> {
    let backend = which
        .backend
        .as_deref()
        .and_then(|name| config.backends.iter().find(|backend| backend.name == name));
    let Some(backend) = backend else {
        let text = "name the backend, one of the configuration, that the lines are posted to";
        return Err(Trouble::Usage(text.to_owned()));
    };
    if backend.kind == Kind::Embedded {
        let text = "an embedded store takes lines from its own gateway only: post the files to the gateway";
        return Err(Trouble::Usage(text.to_owned()));
    }
    let files: Vec<&Rejects> = files.iter().filter(|file| file.is_lines()).collect();
    if !yes {
        let mut lines = 0;
        for file in &files {
            lines += summary(file)?.entries;
        }
        let (count, url) = (files.len(), &backend.url);
        say(format_args!("{lines} lines in {count} files would go to {url}; give --yes"));
        return Ok(Exit::Done);
    }
    let circle = &config.plan.circles[usize::from(backend.circle)].name;
    let place = Place::new(BackendId(0), backend, circle);
    let (mut taken, mut kept) = (0, 0);
    for file in files {
        let outcome = replay(&place, backend, file)?;
        taken += outcome.taken;
        kept += outcome.kept;
        if let Some(why) = outcome.stopped {
            say(format_args!("{taken} lines were taken, {kept} or more are kept"));
            return Err(Trouble::Running(format!("{} at {}: {why}", backend.name, backend.url)));
        }
    }
    say(format_args!("{taken} lines were taken, {kept} were refused again and are kept"));
    if kept == 0 && taken > 0 {
        let name = &backend.name;
        eprintln!("if {name} lacks nothing now: circlet backend mark-complete {name}");
    }
    Ok(if kept == 0 { Exit::Done } else { Exit::Failed })
}

fn replay(place: &Place, backend: &Backend, file: &Rejects) -> Result<Outcome, Trouble> {
    let path = set_apart(&file.path).map_err(|error| failed(&file.path, &error))?;
    let text = fs::read(&path).map_err(|error| failed(&path, &error))?;
    let mut outcome = Outcome::default();
    let server = http::Server::backend(backend, LIMIT);
    let server = server.map_err(|error| Trouble::Configuration(error.to_string()))?;
    let mut post = |target: &Target, body: &[u8]| {
        let path = place.write_path(&target.org, &target.database, &target.retention_policy);
        let reply = server.ask("POST", &path, &place.common_fields(), body);
        reply.map(|reply| reply.verdict())
    };
    for group in groups(&text) {
        outcome.group(&group, &mut post);
    }
    finish(&path, &text, &outcome).map_err(|error| failed(&path, &error))?;
    Ok(outcome)
}

/// Gives the file a name under which the gateway appends nothing more.
fn set_apart(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    if name.contains("-again-") {
        return Ok(path.to_owned());
    }
    let free = (1..).map(|turn| path.with_file_name(format!("{name}-again-{turn}.lp")));
    let fresh = free.into_iter().find(|fresh| !fresh.exists()).expect("numbers do not end");
    fs::rename(path, &fresh)?;
    Ok(fresh)
}

/// Leaves what is kept, and what the gateway appended while the file was being renamed.
fn finish(path: &Path, text: &[u8], outcome: &Outcome) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let now = fs::read(path)?;
    let late = now.get(text.len()..).unwrap_or(&[]);
    if outcome.rest.is_empty() && late.is_empty() {
        fs::remove_file(path)?;
    } else {
        let fresh = path.with_extension("new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&outcome.rest)?;
        file.write_all(late)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
    }
    fs::File::open(directory)?.sync_all()
}

type Post<'a> = &'a mut dyn FnMut(&Target, &[u8]) -> io::Result<Verdict>;

impl Outcome {
    fn group(&mut self, group: &Group<'_>, post: Post<'_>) {
        let Some(target) = &group.target else {
            self.stopped
                .get_or_insert("lines without a comment that says their database".to_owned());
            return self.leave(group, 0);
        };
        let mut done = 0;
        while done < group.lines.len() && self.stopped.is_none() {
            let mut bytes = 0;
            let fits = group.lines[done..].iter().take_while(|line| {
                bytes += line.len();
                bytes <= BODY_BYTES_MAX
            });
            let count = fits.count().max(1);
            match self.post(target, &group.lines[done..done + count], post) {
                Ok(()) => done += count,
                Err(why) => self.stopped = Some(why),
            }
        }
        self.leave(group, done);
    }

    /// Posts lines, and halves of them while somebody in them is refused. The error says why to stop; then
    /// all of these lines stay, because sending a line again changes nothing.
    fn post(&mut self, target: &Target, lines: &[&[u8]], post: Post<'_>) -> Result<(), String> {
        let before = (self.taken, self.kept, self.rest.len(), self.told.clone());
        let mut open = vec![lines];
        while let Some(some) = open.pop() {
            let verdict = post(target, &joined(some)).map_err(|error| error.to_string());
            let message = match verdict {
                Ok(Verdict::Done) => {
                    self.taken += some.len();
                    continue;
                }
                Ok(Verdict::Partial { message } | Verdict::Refused { message }) => message,
                Ok(Verdict::TooLarge) => "too large".to_owned(),
                other => {
                    (self.taken, self.kept, self.told) = (before.0, before.1, before.3);
                    self.rest.truncate(before.2);
                    return Err(why(other));
                }
            };
            match some {
                [line] => self.keep(target, line, &message),
                _ => {
                    let (first, second) = some.split_at(some.len() / 2);
                    open.push(second);
                    open.push(first);
                }
            }
        }
        Ok(())
    }

    /// One line that is refused again.
    fn keep(&mut self, target: &Target, line: &[u8], message: &str) {
        self.kept += 1;
        let told = (target.clone(), message.to_owned());
        if self.told.as_ref() != Some(&told) {
            let now = circlet::rt::Clock::Real.unix_duration();
            self.rest.extend_from_slice(comment(UNIX_EPOCH + now, target, message).as_bytes());
            self.told = Some(told);
        }
        self.rest.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.rest.push(b'\n');
        }
    }

    /// Lines from `done` on were not tried: they stay as they stood.
    fn leave(&mut self, group: &Group<'_>, done: usize) {
        let left = &group.lines[done..];
        if left.is_empty() {
            return;
        }
        self.kept += left.len();
        self.told = None;
        self.rest.extend_from_slice(group.comment);
        self.rest.extend_from_slice(&joined(left));
    }
}

/// Lines as a body; the last one may lack its line end.
fn joined(lines: &[&[u8]]) -> Vec<u8> {
    let mut body = lines.concat();
    if !body.ends_with(b"\n") {
        body.push(b'\n');
    }
    body
}

/// Why no further line is posted.
fn why(verdict: Result<Verdict, String>) -> String {
    match verdict {
        Ok(Verdict::Parked { message } | Verdict::Later { message, .. })
        | Ok(Verdict::Suspect { message })
        | Err(message) => message,
        Ok(other) => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Thu, 01 Jan 1970 00:00:00 GMT org=\"o\" db=\"d\" rp=\"\": why\nm v=1 1\nm v=\"x\" 2\n\
                        m v=3 3\n# Thu, 01 Jan 1970 00:00:00 GMT org=\"o\" db=\"e\" rp=\"\": why not\nk v=4 4\n";

    fn all(text: &str, mut post: impl FnMut(&Target, &[u8]) -> io::Result<Verdict>) -> Outcome {
        let mut outcome = Outcome::default();
        for group in groups(text.as_bytes()) {
            outcome.group(&group, &mut post);
        }
        outcome
    }

    fn refused() -> Verdict {
        Verdict::Partial { message: "still a conflict".to_owned() }
    }

    #[test]
    fn only_the_refused_line_is_kept_with_its_fresh_reason() {
        let mut stored = Vec::new();
        let outcome = all(TEXT, |target, body| {
            let has_bad = body.windows(3).any(|bytes| bytes == b"\"x\"");
            if !has_bad {
                stored.push(format!("{} {}", target.database, String::from_utf8_lossy(body)));
            }
            Ok(if has_bad { refused() } else { Verdict::Done })
        });
        assert_eq!((outcome.taken, outcome.kept, outcome.stopped), (3, 1, None));
        let rest = String::from_utf8(outcome.rest).unwrap();
        assert!(rest.starts_with("# ") && rest.contains("db=\"d\""), "{rest}");
        assert!(rest.ends_with(": still a conflict\nm v=\"x\" 2\n"), "{rest}");
        assert_eq!(stored, ["d m v=1 1\n", "d m v=3 3\n", "e k v=4 4\n"]);
        let again = all(&rest, |_, _| Ok(Verdict::Done));
        assert_eq!((again.taken, again.rest.len()), (1, 0));
    }

    #[test]
    fn a_backend_in_trouble_stops_it_and_nothing_is_lost() {
        let trouble = || io::Error::other("gone");
        let outcome = all(TEXT, |_, _| Err(trouble()));
        assert_eq!(String::from_utf8(outcome.rest).unwrap(), TEXT);
        assert_eq!((outcome.taken, outcome.kept, outcome.stopped.as_deref()), (0, 4, Some("gone")));
        let mut asked = 0;
        let outcome = all(TEXT, |_, _| {
            asked += 1;
            match asked {
                1 => Ok(refused()),
                2 => Ok(Verdict::Done),
                _ => Err(trouble()),
            }
        });
        assert_eq!(asked, 3, "no further request after the trouble");
        assert_eq!(String::from_utf8(outcome.rest).unwrap(), TEXT);
    }

    #[test]
    fn lines_of_no_known_database_stay() {
        let outcome = all("m v=1 1\n", |_, _| Ok(Verdict::Done));
        assert_eq!((outcome.taken, outcome.kept, &*outcome.rest), (0, 1, &b"m v=1 1\n"[..]));
        assert!(outcome.stopped.is_some());
    }

    #[test]
    fn a_file_set_apart_hides_no_other_and_keeps_what_came_late() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("20261121-000.lp");
        fs::write(directory.path().join("20261121-000-again-1.lp"), "older").unwrap();
        fs::write(&path, "text").unwrap();
        let apart = set_apart(&path).unwrap();
        assert_eq!(apart, directory.path().join("20261121-000-again-2.lp"));
        assert_eq!(set_apart(&apart).unwrap(), apart);
        fs::write(&apart, "text late").unwrap();
        finish(&apart, b"text", &Outcome::default()).unwrap();
        assert_eq!(fs::read(&apart).unwrap(), b" late");
        finish(&apart, b" late", &Outcome::default()).unwrap();
        assert!(!apart.exists() && !path.exists());
    }
}
