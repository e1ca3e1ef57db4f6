//! `circlet backlog`: lines that are owed to a backend, in the logs of a stopped gateway: taken out, or given to
//! those who own them now.

use super::arguments::{BacklogAction, BacklogArguments, RerouteArguments};
use super::{Exit, of_trouble, say};
use circlet::base::time::Mono;
use circlet::config::Config;
use circlet::rt::Clock;
use circlet::shard::reroute::{self, Amount, Rerouted};
use circlet::shard::{Trouble, backlog};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

/// Progress is told this often.
const TELL_EVERY: Duration = Duration::from_secs(1);

pub fn run(config: &Config, action: &BacklogAction) -> Exit {
    let done = match action {
        BacklogAction::Export(arguments) => take(config, arguments, false),
        BacklogAction::Drop(arguments) => take(config, arguments, true),
        BacklogAction::Reroute(arguments) => reroute(config, arguments),
    };
    match done {
        Ok(()) => Exit::Done,
        Err(trouble @ Trouble::Environment(_)) => {
            eprintln!("stop the gateway first: its logs are read and rewritten here");
            of_trouble(&trouble)
        }
        Err(trouble) => of_trouble(&trouble),
    }
}

fn take(config: &Config, arguments: &BacklogArguments, drops: bool) -> Result<(), Trouble> {
    let wish = backlog::Wish {
        backend: arguments.backend.clone(),
        database: arguments.database.clone(),
        exports: !drops,
    };
    let taken = backlog::take(config, wish, |lines| std::io::stdout().lock().write_all(lines))?;
    let verb = if drops { "dropped" } else { "exported and dropped" };
    eprintln!("{verb} {} lines ({} bytes) of {}", taken.lines, taken.bytes, arguments.backend);
    if taken.lines > 0 {
        eprintln!("{} is marked incomplete", arguments.backend);
    }
    Ok(())
}

fn reroute(config: &Config, arguments: &RerouteArguments) -> Result<(), Trouble> {
    let wish = reroute::Wish {
        backend: arguments.backend.clone(),
        circle: arguments.circle.clone(),
        moves: arguments.yes,
    };
    let is_told = arguments.yes;
    let mut due = Mono(0);
    let done = reroute::take(config, &wish, move |lines| {
        let now = Clock::Real.mono();
        if is_told && now >= due {
            due = now.after(TELL_EVERY);
            eprintln!("{lines} lines are re-routed so far");
        }
    })?;
    match arguments.json {
        true => say(object(arguments, &done)),
        false => tell(arguments, &done),
    }
    Ok(())
}

fn tell(arguments: &RerouteArguments, done: &Rerouted) {
    let name = &arguments.backend;
    let verb = if arguments.yes { "re-routed" } else { "to be re-routed:" };
    let all = done.all();
    say(format!("{verb} {} of {name}", lines(all)));
    for (circle, owner, amount) in &done.owners {
        say(format!("  {circle}/{owner}: {}", lines(*amount)));
    }
    if done.unneeded.lines > 0 {
        let text = "of a circle that is no more, which every circle has from its own: dropped";
        say(format!("  {} {text}", lines(done.unneeded)));
    }
    if done.statements > 0 {
        let (all, kept) = (done.statements, done.statements_kept);
        say(format!("  {all} statements: {kept} kept for backends that were never told them"));
    }
    if done.damaged_frames > 0 {
        let marked =
            if arguments.yes { "; the backends of that circle are marked incomplete" } else { "" };
        let frames = done.damaged_frames;
        eprintln!("{frames} frames of the log are damaged and may have held more{marked}");
    }
    if !arguments.yes && all.lines + done.unneeded.lines + done.statements > 0 {
        eprintln!("nothing has changed; --yes does it");
    }
}

fn lines(amount: Amount) -> String {
    format!("{} lines ({} bytes)", amount.lines, amount.bytes)
}

fn object(arguments: &RerouteArguments, done: &Rerouted) -> serde_json::Value {
    let owners = done.owners.iter().map(|(circle, owner, amount)| {
        json!({ "circle": circle, "backend": owner, "lines": amount.lines, "bytes": amount.bytes })
    });
    let all = done.all();
    json!({
        "backend": arguments.backend, "moved": arguments.yes, "lines": all.lines, "bytes": all.bytes,
        "owners": owners.collect::<Vec<_>>(), "unneeded_lines": done.unneeded.lines,
        "statements": done.statements, "statements_kept": done.statements_kept,
        "damaged_frames": done.damaged_frames,
    })
}
