//! Small numbers that name things. Each is dense from 0, so that it can index a `Vec`.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        pub struct $name(pub u16);

        impl $name {
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A core and all that it owns.
    ShardId
);
id!(
    /// A log's number, the `NNN` of its directory `log-NNN`.
    LogId
);
id!(
    /// A destination, for ever: the number that the log writes for it. Never given twice.
    BackendId
);
id!(
    /// A circle, in the order of the configuration.
    CircleId
);

/// 16 hexadecimal digits that never change, for a bucket or an organization: FNV-1a over both texts.
pub fn stable_id(kind: &str, name: &str) -> String {
    let bytes = kind.bytes().chain([0]).chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:016x}", hash.max(1))
}
