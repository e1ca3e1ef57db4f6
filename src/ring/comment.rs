//! A target in the words of a comment, `org="o" db="d" rp=""`, in files of lines that people may post again.
//! The names are quoted as Rust's `Debug` does it.

use super::Target;

impl Target {
    pub fn to_comment(&self) -> String {
        format!("org={:?} db={:?} rp={:?}", self.org, self.database, self.retention_policy)
    }

    /// The target that a comment names somewhere, and what stands behind it.
    pub fn from_comment(comment: &str) -> Option<(Target, &str)> {
        let at = comment.find("org=\"")?;
        let (org, rest) = unquoted(comment[at..].strip_prefix("org=")?)?;
        let (database, rest) = unquoted(rest.strip_prefix(" db=")?)?;
        let (policy, rest) = unquoted(rest.strip_prefix(" rp=")?)?;
        let target =
            Target { org: org.into(), database: database.into(), retention_policy: policy.into() };
        Some((target, rest))
    }
}

/// A quoted text at the front, and what stands behind it.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut found = String::new();
    let mut rest = text.strip_prefix('"')?;
    loop {
        let mut letters = rest.chars();
        match letters.next()? {
            '"' => return Some((found, letters.as_str())),
            '\\' => {
                rest = letters.as_str();
                found.push(escaped(&mut rest)?);
            }
            letter => {
                found.push(letter);
                rest = letters.as_str();
            }
        }
    }
}

/// The letter that an escape stands for, behind its backslash.
fn escaped(rest: &mut &str) -> Option<char> {
    let mut letters = rest.chars();
    let letter = match letters.next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'u' => {
            let (digits, behind) = letters.as_str().strip_prefix('{')?.split_once('}')?;
            *rest = behind;
            return char::from_u32(u32::from_str_radix(digits, 16).ok()?);
        }
        letter @ ('"' | '\\' | '\'') => letter,
        _ => return None,
    };
    *rest = letters.as_str();
    Some(letter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn target(org: &str, database: &str, policy: &str) -> Target {
        Target { org: org.into(), database: database.into(), retention_policy: policy.into() }
    }

    proptest! {
        #[test]
        fn a_comment_is_its_target_again(org in ".*", database in ".*", policy in ".*") {
            let target = target(&org, &database, &policy);
            let comment = format!("# Sat, 21 Nov 2026 15:04:05 GMT {}: why", target.to_comment());
            prop_assert_eq!(Target::from_comment(&comment), Some((target, ": why")));
        }
    }

    #[test]
    fn odd_letters_come_back() {
        let target = target("o\0\u{301}'\"", "d\\\n\t\r\u{202e}", "=\" db=\"x");
        assert!(!target.to_comment().contains('\n'));
        assert_eq!(Target::from_comment(&target.to_comment()), Some((target, "")));
    }

    #[test]
    fn other_comments_name_no_target() {
        for comment in
            ["# text", "org=\"o\"", "org=\"o\" db=\"d\" rp=\"", "org=\"\\q\" db=\"\" rp=\"\""]
        {
            assert_eq!(Target::from_comment(comment), None, "{comment}");
        }
    }
}
