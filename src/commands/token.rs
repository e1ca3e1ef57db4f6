//! `circlet token create`: a random token, shown once, and the table for the configuration, which keeps its hash only.

use super::{Exit, say};
use circlet::config::token::{self, TokenHash};
use clap::{Args, Subcommand, ValueEnum};
use std::fmt::Write;

#[derive(Debug, Subcommand)]
pub enum TokenAction {
    /// Make a token and print it, once, with the table to put into the configuration
    Create(Create),
}

#[derive(Debug, Args)]
pub struct Create {
    /// As it is called in messages: letters, digits, ".", "_" and "-"
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub name: String,
    /// What it may do; repeat it for more
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    pub scopes: Vec<Scope>,
    /// A database, or one policy of it as NAME/POLICY; repeat it for more; without it: all
    #[arg(long = "database", value_name = "DATABASE", value_parser = database)]
    pub databases: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    Read,
    Write,
    Admin,
}

impl Scope {
    fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Admin => "admin",
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    match !text.is_empty() && token::is_name(text) {
        true => Ok(text.to_owned()),
        false => Err("letters, digits, \".\", \"_\" and \"-\", at most 64 of them".to_owned()),
    }
}

/// What needs no escape in the table that is printed.
fn database(text: &str) -> Result<String, String> {
    let is_plain = |letter: char| !letter.is_control() && !"\"\\$".contains(letter);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("empty, or a letter in it that would need an escape".to_owned()),
    }
}

pub fn run(action: &TokenAction) -> Exit {
    let TokenAction::Create(create) = action;
    let mut bytes = [0_u8; 32];
    if let Err(error) = getrandom::fill(&mut bytes) {
        eprintln!("circlet: no random numbers: {error}");
        return Exit::Environment;
    }
    let token: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    eprintln!("The token, shown this once:");
    say(&token);
    eprintln!("For the configuration, which keeps only its hash:");
    say(table(create, &token));
    Exit::Done
}

fn table(create: &Create, token: &str) -> String {
    let mut scopes: Vec<&str> = Vec::new();
    for scope in &create.scopes {
        if !scopes.contains(&scope.word()) {
            scopes.push(scope.word());
        }
    }
    let mut table = format!("\n[[auth.token]]\nname = \"{}\"\n", create.name);
    // Writing to a String cannot fail.
    let _written = write!(table, "hash = \"{}\"\nscopes = {scopes:?}", TokenHash::of(token));
    if !create.databases.is_empty() {
        let _written = write!(table, "\ndatabases = {:?}", create.databases);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use circlet::config::{Auth, Config, Environment};

    #[test]
    fn the_table_is_one_that_the_configuration_takes() {
        let create = Create {
            name: "grafana".to_owned(),
            scopes: vec![Scope::Read, Scope::Read],
            databases: vec!["d".to_owned(), "e/weekly".to_owned()],
        };
        let file = "listen = \"0.0.0.0:1\"\ndata_dir = \"x\"\n[[circle]]\nname = \"c\"\n\
                    backend = [{ name = \"b\", url = \"embedded\" }]\n";
        let text = format!("{file}{}", table(&create, "secret"));
        let config = Config::parse("f", &text, &Environment::default()).expect("a sound file");
        let Auth::Tokens(tokens) = &config.auth else { panic!("it has tokens") };
        assert_eq!(tokens[0].hash, TokenHash::of("secret"));
        let rights = &tokens[0].rights;
        assert!(rights.read && !rights.write && !rights.admin);
        assert_eq!(rights.only.as_ref().map(Vec::len), Some(2));
    }
}
