//! `circlet tap`: a sample of the lines that pass now.

use super::{Exit, arguments, http, print};
use circlet::config::Config;
use clap::Args;
use form_urlencoded::Serializer;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The database, in all its retention policies; or a bucket, as DATABASE/POLICY
    #[arg(long = "db", value_name = "DATABASE")]
    pub database: String,
    /// Only lines of this measurement
    #[arg(long, value_name = "NAME")]
    pub measurement: Option<String>,
    /// The most lines a second
    #[arg(long, value_name = "LINES", default_value_t = 10)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub rate: u16,
    /// End after so many lines; without it, when you end it
    #[arg(long, value_name = "LINES")]
    pub lines: Option<u64>,
    #[command(flatten)]
    pub file: arguments::ConfigFile,
}

pub fn run(config: &Config, arguments: &Arguments) -> Exit {
    let mut printer = Printer { left: arguments.lines, rest: Vec::new() };
    let outcome = http::follow_gateway(config, &path(arguments), |piece| printer.take(piece));
    match outcome {
        Ok(reply) if reply.is_success() && printer.left != Some(0) => {
            eprintln!("circlet tap: the gateway has ended it");
            Exit::Done
        }
        Ok(reply) if reply.is_success() => Exit::Done,
        Ok(reply) => {
            eprintln!("circlet tap: {}: {}", http::admin(config), reply.complaint());
            Exit::Failed
        }
        Err(error) => {
            eprintln!("circlet tap: {}: {error}", http::admin(config));
            Exit::Failed
        }
    }
}

fn path(arguments: &Arguments) -> String {
    let mut query = Serializer::new(String::new());
    match arguments.database.split_once('/') {
        Some((database, policy)) => query.append_pair("db", database).append_pair("rp", policy),
        None => query.append_pair("db", &arguments.database),
    };
    if let Some(measurement) = &arguments.measurement {
        query.append_pair("measurement", measurement);
    }
    query.append_pair("rate", &arguments.rate.to_string());
    format!("/-/tap?{}", query.finish())
}

/// Prints whole lines, without the empty comments by which the gateway says that it lives.
struct Printer {
    left: Option<u64>,
    rest: Vec<u8>,
}

impl Printer {
    /// False when that was enough.
    fn take(&mut self, piece: &[u8]) -> bool {
        for line in self.lines(piece) {
            if self.left == Some(0) {
                break;
            }
            print(&line);
            if line[0] != b'#' {
                self.left = self.left.map(|left| left - 1);
            }
        }
        self.left != Some(0)
    }

    fn lines(&mut self, piece: &[u8]) -> Vec<Vec<u8>> {
        self.rest.extend_from_slice(piece);
        let end = self.rest.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole: Vec<u8> = self.rest.drain(..end).collect();
        let lines = whole.split_inclusive(|byte| *byte == b'\n');
        lines.filter(|line| *line != b"#\n").map(<[u8]>::to_vec).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_become_whole_lines() {
        let mut printer = Printer { left: None, rest: Vec::new() };
        assert_eq!(printer.lines(b"a v=1"), Vec::<Vec<u8>>::new());
        assert_eq!(
            printer.lines(b" 1\n#\nb v=2 2\nc"),
            [b"a v=1 1\n".to_vec(), b"b v=2 2\n".to_vec()]
        );
        assert_eq!(printer.lines(b"\n#\n"), [b"c\n".to_vec()]);
    }
}
