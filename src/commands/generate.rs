//! `circlet generate`: files for the programs around Circlet, so that they always fit this binary.
//!
//! Everything goes to standard output.

mod dashboard;
mod seccomp;

use super::{Exit, print, say};
use clap::{Command, CommandFactory, Subcommand};
use clap_complete::Shell;

#[derive(Debug, Subcommand)]
pub enum Generate {
    /// An example of a configuration
    Config,
    /// A hardened unit for systemd
    SystemdUnit,
    /// A seccomp profile for containers, with the calls of io_uring
    Seccomp,
    /// A job for prometheus.yml
    PrometheusScrape {
        /// Where Prometheus reaches Circlet
        #[arg(long, default_value = "127.0.0.1:8080", value_name = "HOST:PORT")]
        target: String,
    },
    /// Alerting rules for Prometheus
    Alerts,
    /// A dashboard for Grafana, with a Prometheus data source
    GrafanaDashboard,
    /// Completion of this command line for a shell
    Completion { shell: Shell },
    /// The manual page circlet(1)
    Man,
}

pub fn run(what: &Generate) -> Exit {
    match what {
        Generate::Config => print(include_bytes!("../../circlet.example.toml")),
        Generate::SystemdUnit => print(include_bytes!("generate/circlet.service")),
        Generate::Seccomp => say(pretty(&seccomp::profile())),
        Generate::PrometheusScrape { target } => print(scrape(target).as_bytes()),
        Generate::Alerts => print(include_bytes!("generate/alerts.yml")),
        Generate::GrafanaDashboard => say(pretty(&dashboard::dashboard())),
        Generate::Completion { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(*shell, &mut command_line(), "circlet", &mut text);
            print(&text);
        }
        Generate::Man => return man(),
    }
    Exit::Done
}

fn command_line() -> Command {
    super::arguments::Arguments::command()
}

fn pretty(value: &serde_json::Value) -> String {
    serde_json::to_string_pretty(value).expect("it was made of plain values")
}

fn scrape(target: &str) -> String {
    // As YAML quotes it: nothing in an address needs more.
    let target = target.replace('\'', "''");
    format!(
        "# A job of Circlet for prometheus.yml, written by `circlet generate prometheus-scrape`.\n\
         scrape_configs:\n  - job_name: circlet\n    scrape_interval: 15s\n    static_configs:\n      \
         - targets: ['{target}']\n"
    )
}

fn man() -> Exit {
    let mut text = Vec::new();
    match clap_mangen::Man::new(command_line()).render(&mut text) {
        Ok(()) => {
            print(&text);
            Exit::Done
        }
        Err(error) => {
            eprintln!("circlet generate man: {error}");
            Exit::Failed
        }
    }
}
