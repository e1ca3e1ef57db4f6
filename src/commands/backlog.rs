//! `circlet backlog`: takes lines that are owed to a backend out of the logs of a stopped gateway.

use super::arguments::BacklogArguments;
use super::{Exit, of_trouble};
use circlet::config::Config;
use circlet::shard::{Trouble, backlog};
use std::io::Write;

pub fn run(config: &Config, arguments: &BacklogArguments, drops: bool) -> Exit {
    let wish = backlog::Wish {
        backend: arguments.backend.clone(),
        database: arguments.database.clone(),
        exports: !drops,
    };
    match backlog::take(config, wish, |lines| std::io::stdout().lock().write_all(lines)) {
        Ok(taken) => {
            let verb = if drops { "dropped" } else { "exported and dropped" };
            eprintln!(
                "{verb} {} lines ({} bytes) of {}",
                taken.lines, taken.bytes, arguments.backend
            );
            if taken.lines > 0 {
                eprintln!("{} is marked incomplete", arguments.backend);
            }
            Exit::Done
        }
        Err(trouble @ Trouble::Environment(_)) => {
            eprintln!("stop the gateway first: its logs are read and rewritten here");
            of_trouble(&trouble)
        }
        Err(trouble) => of_trouble(&trouble),
    }
}
