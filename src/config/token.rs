//! Tokens: how one is known, and what whoever shows it may do.
//!
//! A token is kept as its SHA-256 and nothing slower: 32 bytes of randomness cannot be guessed, however fast the
//! hash is. Passwords that people choose would need a slow one; they are no tokens.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::checked::Secret;
use crate::base::time::{Mono, UnixNanos};
use crate::ring::Target;

/// How a hash is written: this and 64 hexadecimal digits.
pub const HASH_PREFIX: &str = "sha256:";

/// A burst of this long may go out at once before a token's rate is asked after.
const BURST_NS: u64 = 1_000_000_000;

/// SHA-256 of a token. It is shown in no log: somebody may have put a guessable text into the list of tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash([u8; 32]);

/// Whether a token may be called so: it stands in answers and logs.
pub fn is_name(text: &str) -> bool {
    /// More than a name needs.
    const BYTES_MAX: usize = 64;
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    text.len() <= BYTES_MAX && text.chars().all(is_plain)
}

/// A token that the configuration knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Empty for those of the plain list.
    pub name: String,
    pub hash: TokenHash,
    /// Only of the plain list: what the command line shows to the gateway.
    pub secret: Option<Secret>,
    pub rights: Rights,
    pub expires: Option<UnixNanos>,
    /// What it may write.
    pub rate: Option<Arc<Rate>>,
}

/// What a token may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    pub read: bool,
    pub write: bool,
    pub admin: bool,
    /// Absent: every database.
    pub only: Option<Vec<Extent>>,
}

/// A database with all its retention policies, or with one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    pub database: String,
    /// Empty: the default one. Absent: all.
    pub policy: Option<String>,
}

/// What is wanted of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    Read(Extent),
    Write(Extent),
    /// Its databases cannot be told from the text.
    ReadAll,
    Admin,
}

/// So many bytes a second, over all shards. Shared: by all shards; one number that goes up.
#[derive(Debug)]
pub struct Rate {
    pub bytes_per_second: u64,
    /// On the monotonic clock, in ns: what was taken is paid for then.
    paid_at_ns: AtomicU64,
}

impl TokenHash {
    pub fn of(token: &str) -> TokenHash {
        TokenHash(Sha256::digest(token.as_bytes()).into())
    }

    /// As it is written in a file.
    pub fn parse(text: &str) -> Option<TokenHash> {
        let digits = text.strip_prefix(HASH_PREFIX)?.as_bytes();
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|it| u8::try_from(it).ok());
        let mut hash = [0; 32];
        if digits.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = value(pair[0])? << 4 | value(pair[1])?;
        }
        Some(TokenHash(hash))
    }

    /// In a time that tells nothing of where they differ.
    pub fn is(&self, other: &TokenHash) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(HASH_PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("<hash>")
    }
}

impl Token {
    /// One of the plain list, which may do everything.
    pub fn plain(secret: Secret) -> Token {
        Token {
            name: String::new(),
            hash: TokenHash::of(secret.expose()),
            secret: Some(secret),
            rights: Rights { read: true, write: true, admin: true, only: None },
            expires: None,
            rate: None,
        }
    }
}

impl Rights {
    /// The right to change implies none to read. Whoever is an admin may change every database's shape by statements,
    /// but not write into it.
    pub fn allow(&self, need: &Need) -> bool {
        match need {
            Need::Read(extent) => self.read && self.covers(extent),
            Need::Write(extent) => self.write && self.covers(extent),
            Need::ReadAll => self.read && self.only.is_none(),
            Need::Admin => self.admin,
        }
    }

    fn covers(&self, extent: &Extent) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|known| known.iter().any(|one| one.covers(extent)))
    }

    /// Whether it may know that this bucket is there.
    pub fn may_see(&self, bucket: &str) -> bool {
        let extent = Extent::parse(bucket);
        let touches = |one: &Extent| {
            one.database == extent.database && (one.covers(&extent) || extent.policy.is_none())
        };
        self.only.as_ref().is_none_or(|known| known.iter().any(touches))
    }
}

impl Extent {
    /// `name` is all of a database, `name/policy` one policy of it.
    pub fn parse(text: &str) -> Extent {
        let (database, policy) = match text.split_once('/') {
            Some((database, policy)) => (database, Some(policy)),
            None => (text, None),
        };
        let plain = |policy: &str| if policy == "autogen" { "" } else { policy }.to_owned();
        Extent { database: database.to_owned(), policy: policy.map(plain) }
    }

    /// A database with all its policies.
    pub fn whole(database: &str) -> Extent {
        Extent { database: database.to_owned(), policy: None }
    }

    /// Whether lines of this target are part of it.
    pub fn has(&self, target: &Target) -> bool {
        *self.database == *target.database
            && self.policy.as_ref().is_none_or(|policy| **policy == *target.retention_policy)
    }

    fn covers(&self, other: &Extent) -> bool {
        self.database == other.database && (self.policy.is_none() || self.policy == other.policy)
    }
}

impl From<&Target> for Extent {
    fn from(target: &Target) -> Extent {
        let policy = Some(target.retention_policy.to_string());
        Extent { database: target.database.to_string(), policy }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.policy.as_deref() {
            None | Some("") => out.write_str(&self.database),
            Some(policy) => write!(out, "{}/{policy}", self.database),
        }
    }
}

impl Rate {
    pub fn new(bytes_per_second: u64) -> Rate {
        Rate { bytes_per_second: bytes_per_second.max(1), paid_at_ns: AtomicU64::new(0) }
    }

    /// How long to wait until more may be taken; nothing if it may be now.
    pub fn wait(&self, now: Mono) -> Option<Duration> {
        let paid_at = self.paid_at_ns.load(Ordering::Relaxed);
        let over = paid_at.saturating_sub(now.0.saturating_add(BURST_NS));
        (over > 0).then(|| Duration::from_nanos(over))
    }

    /// So much was taken. It may be more than there was: whoever comes next waits for it.
    pub fn take(&self, bytes: u64, now: Mono) {
        let cost = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        let paid = |paid_at: u64| Some(paid_at.max(now.0).saturating_add(cost));
        // It always has a next value.
        self.paid_at_ns.fetch_update(Ordering::Relaxed, Ordering::Relaxed, paid).unwrap_or(0);
    }
}

/// Two rates are equal if they were written alike, whatever was taken.
impl PartialEq for Rate {
    fn eq(&self, other: &Rate) -> bool {
        self.bytes_per_second == other.bytes_per_second
    }
}

impl Eq for Rate {}

#[cfg(test)]
mod tests {
    use super::*;

    fn rights(only: &[&str]) -> Rights {
        let only = only.iter().map(|text| Extent::parse(text)).collect();
        Rights { read: true, write: false, admin: false, only: Some(only) }
    }

    #[test]
    fn a_hash_is_read_as_it_is_written() {
        let hash = TokenHash::of("abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.to_string(), text);
        assert_eq!(TokenHash::parse(text), Some(hash));
        assert_eq!(TokenHash::parse(&text.to_uppercase().replace("SHA256", "sha256")), Some(hash));
        assert_eq!(format!("{hash:?}"), "<hash>");
        for wrong in ["", "sha256:", &text[..70], &text[7..], "sha256:é", &format!("{text}0")] {
            assert_eq!(TokenHash::parse(wrong), None, "{wrong}");
        }
        assert_eq!(TokenHash::parse(&text.replace('b', "x")), None);
    }

    #[test]
    fn a_database_has_all_its_policies_and_a_policy_is_no_other() {
        let of =
            |only: &[&str], wanted: &str| rights(only).allow(&Need::Read(Extent::parse(wanted)));
        assert!(of(&["d"], "d"));
        assert!(of(&["d"], "d/weekly"));
        assert!(of(&["x", "d/weekly"], "d/weekly"));
        assert!(of(&["d/autogen"], "d/autogen"));
        assert!(!of(&["d/weekly"], "d"));
        assert!(!of(&["d/weekly"], "d/autogen"));
        assert!(!of(&["d"], "dd"));
        assert!(!of(&[], "d"));
    }

    #[test]
    fn one_scope_is_not_another() {
        let read = rights(&["d"]);
        assert!(!read.allow(&Need::Write(Extent::whole("d"))));
        assert!(!read.allow(&Need::Admin));
        assert!(!read.allow(&Need::ReadAll));
        let admin = Rights { read: false, write: false, admin: true, only: None };
        assert!(admin.allow(&Need::Admin));
        assert!(!admin.allow(&Need::Read(Extent::whole("d"))));
        assert!(!admin.allow(&Need::ReadAll));
    }

    #[test]
    fn a_bucket_is_seen_by_whoever_may_use_a_part_of_it() {
        assert!(rights(&["d/weekly"]).may_see("d"));
        assert!(rights(&["d/weekly"]).may_see("d/weekly"));
        assert!(!rights(&["d/weekly"]).may_see("d/daily"));
        assert!(rights(&["d"]).may_see("d/daily"));
        assert!(!rights(&["d"]).may_see("e"));
    }

    #[test]
    fn a_rate_lets_through_what_it_says_over_time() {
        let rate = Rate::new(1000);
        let mut now = Mono(5_000_000_000);
        let mut taken = 0;
        for _ in 0..10_000 {
            if rate.wait(now).is_none() {
                rate.take(100, now);
                taken += 100;
            }
            now = now.after(Duration::from_millis(1));
        }
        // Ten seconds and the burst.
        assert!((10_900..=11_200).contains(&taken), "{taken}");
        rate.take(u64::MAX, now);
        assert!(rate.wait(now.after(Duration::from_secs(3600))).is_some());
    }
}
