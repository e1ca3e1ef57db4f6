//! What must not be told.

use circlet::config::{Auth, Config, Credentials, Environment};
use toml_edit::{Decor, DocumentMut, Item, Table, Value};

/// What stands where a secret was.
const MARK: &str = "<redacted>";

/// Keys of the configuration whose values are secret, or help to guess one.
const SECRET_KEYS: [&str; 5] = ["token", "tokens", "password", "username", "hash"];

/// A shorter secret is not searched for in texts: it would be found in every word. Where the configuration
/// has it, it is replaced all the same.
const SEARCHED_BYTES_MIN: usize = 4;

/// The configuration with its secrets replaced and its comments gone: somebody may have kept an old token in
/// one. `None` if it is no TOML.
pub fn document(text: &str) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    document.set_trailing("");
    table(document.as_table_mut());
    Some(document.to_string())
}

fn table(table: &mut Table) {
    blank(table.decor_mut(), "\n", "");
    for (mut key, item) in table.iter_mut() {
        blank(key.leaf_decor_mut(), "", " ");
        let is_secret = SECRET_KEYS.contains(&key.get());
        match item {
            Item::Table(inner) => self::table(inner),
            Item::ArrayOfTables(inner) => inner.iter_mut().for_each(self::table),
            Item::Value(inner) => {
                value(inner, is_secret);
                blank(inner.decor_mut(), " ", "");
            }
            Item::None => {}
        }
    }
}

fn value(value: &mut Value, is_secret: bool) {
    match value {
        Value::Array(values) => {
            for inner in values.iter_mut() {
                self::value(inner, is_secret);
                blank(inner.decor_mut(), " ", "");
            }
            values.set_trailing("");
        }
        Value::InlineTable(inner) => {
            for (mut key, item) in inner.iter_mut() {
                blank(key.leaf_decor_mut(), " ", " ");
                self::value(item, is_secret || SECRET_KEYS.contains(&key.get()));
                blank(item.decor_mut(), " ", "");
            }
        }
        other if is_secret => *other = Value::from(MARK),
        _ => {}
    }
}

fn blank(decor: &mut Decor, prefix: &str, suffix: &str) {
    decor.set_prefix(prefix);
    decor.set_suffix(suffix);
}

/// Secrets that are known, to be replaced wherever they turn up: the last line of defence, not the first.
pub struct Redaction {
    secrets: Vec<String>,
}

impl Redaction {
    pub fn new(config: Option<&Config>, environment: &Environment) -> Redaction {
        let mut secrets = Vec::new();
        for backend in config.iter().flat_map(|config| &config.backends) {
            match &backend.credentials {
                Credentials::None => {}
                Credentials::Token(token) => secrets.push(token.expose().to_owned()),
                Credentials::Password { password, .. } => {
                    secrets.push(password.expose().to_owned())
                }
            }
        }
        if let Some(Auth::Tokens(tokens)) = config.map(|config| &config.auth) {
            let plain = tokens.iter().filter_map(|token| token.secret.as_ref());
            secrets.extend(plain.map(|secret| secret.expose().to_owned()));
            secrets.extend(tokens.iter().map(|token| token.hash.to_string()));
        }
        secrets.extend(environment.variables.get(super::http::TOKEN_VARIABLE).cloned());
        secrets.retain(|secret| secret.len() >= SEARCHED_BYTES_MIN);
        // A secret may hold another one.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Redaction { secrets }
    }

    pub fn apply(&self, text: &str) -> String {
        let replaced = |text: String, secret: &String| text.replace(secret.as_str(), MARK);
        self.secrets.iter().fold(text.to_owned(), replaced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = r#"
# an old one: planted-0
listen = "127.0.0.1:8080" # planted-1
data_dir = "d"
auth = { tokens = ["planted-2", 'planted-3'], tokens_file = "f" }
# planted-4
[[circle]] # planted-5
name = "one"
[[circle.backend]]
name = "a"
url = "http://a:1"
token = """planted-6"""
username = "planted-7" # planted-8
password = "${X:-planted-9}"
[[auth2.token]]
name = "n"
hash = "planted-a"
tokens = [ # planted-b
  "planted-c", # planted-d
  # planted-e
]
# planted-f
"#;

    #[test]
    fn secrets_and_comments_are_gone_and_all_else_is_there() {
        let text = document(CONFIG).unwrap();
        assert!(!text.contains("planted"), "{text}");
        assert!(!text.contains('#'), "{text}");
        for kept in ["listen = \"127.0.0.1:8080\"", "tokens_file = \"f\"", "url = \"http://a:1\""] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
        assert_eq!(text.matches(MARK).count(), 7, "{text}");
        let read: DocumentMut = text.parse().unwrap();
        assert_eq!(read["circle"][0]["backend"][0]["name"].as_str(), Some("a"));
        assert_eq!(document("a = "), None);
    }

    #[test]
    fn a_known_secret_is_replaced_wherever_it_turns_up() {
        let secrets = vec!["abcdef".to_owned(), "abcd".to_owned()];
        let redaction = Redaction { secrets };
        assert_eq!(redaction.apply("x abcdef abcd y"), "x <redacted> <redacted> y");
    }
}
