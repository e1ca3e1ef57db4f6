//! A target as bytes, for the log.
//!
//! ```text
//! org_len u16 | org | database_len u16 | database | retention policy
//! ```

use super::Target;

/// Longest of the three names, in bytes; longer ones are refused before they come here.
pub const NAME_BYTES_MAX: usize = 8 * 1024;

impl Target {
    pub fn to_tag(&self) -> Vec<u8> {
        let mut tag = Vec::new();
        for name in [&self.org, &self.database] {
            assert!(name.len() <= NAME_BYTES_MAX, "names are bounded where they come in");
            let len = u16::try_from(name.len()).expect("bounded above");
            tag.extend_from_slice(&len.to_le_bytes());
            tag.extend_from_slice(name.as_bytes());
        }
        tag.extend_from_slice(self.retention_policy.as_bytes());
        tag
    }

    /// `None` for bytes that are no tag.
    pub fn from_tag(tag: &[u8]) -> Option<Target> {
        let (org, rest) = name(tag)?;
        let (database, policy) = name(rest)?;
        let retention_policy = std::str::from_utf8(policy).ok()?;
        Some(Target {
            org: org.into(),
            database: database.into(),
            retention_policy: retention_policy.into(),
        })
    }
}

/// The part of a tag that names organization and database: tags of one database's policies have it in
/// common. What is no tag is a database of its own.
pub fn database_of(tag: &[u8]) -> &[u8] {
    let rest = name(tag).and_then(|(_, rest)| name(rest)).map_or(0, |(_, rest)| rest.len());
    &tag[..tag.len() - rest]
}

fn name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    let (name, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
    Some((std::str::from_utf8(name).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_its_target_again() {
        let target = Target {
            org: "o".into(),
            database: "d/\u{0}é".into(),
            retention_policy: "weekly".into(),
        };
        let tag = target.to_tag();
        assert_eq!(Target::from_tag(&tag), Some(target));
        for cut in 0..7 {
            assert_eq!(Target::from_tag(&tag[..cut]), None, "cut at {cut}");
        }
    }

    #[test]
    fn policies_of_one_database_have_their_database_in_common() {
        let tag = |org: &str, database: &str, policy: &str| {
            Target { org: org.into(), database: database.into(), retention_policy: policy.into() }
                .to_tag()
        };
        let one = tag("o", "d", "");
        assert_eq!(database_of(&one), one);
        assert_eq!(database_of(&tag("o", "d", "weekly")), one);
        assert_ne!(database_of(&tag("o", "dd", "weekly")), one);
        assert_ne!(database_of(&tag("p", "d", "weekly")), one);
        assert_eq!(database_of(b"?"), b"?");
    }
}
