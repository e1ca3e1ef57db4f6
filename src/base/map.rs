//! In-memory maps. Their hash is keyed at random in every process: nothing may be placed by it.

#[expect(clippy::disallowed_types, reason = "the one home of the map type, with ahash inside")]
pub type FastMap<K, V> = std::collections::HashMap<K, V, ahash::RandomState>;
#[expect(clippy::disallowed_types, reason = "the one home of the set type, with ahash inside")]
pub type FastSet<K> = std::collections::HashSet<K, ahash::RandomState>;

/// The hash of both, for whoever needs numbers instead of a map.
pub type FastState = ahash::RandomState;
