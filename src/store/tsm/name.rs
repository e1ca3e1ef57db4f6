//! Names of files: `GENERATION-SEQUENCE.tsm`, nine digits each. Their order is that of age.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName {
    /// Counts snapshots; a compaction takes the highest of what it merges.
    pub generation: u64,
    /// Counts compactions of the generation, and the files that one of them makes.
    pub sequence: u64,
}

impl FileName {
    /// `None` for a name that would not sort by its numbers: InfluxDB pads them, and sorts by text.
    pub fn parse(name: &str) -> Option<FileName> {
        let (generation, sequence) = name.strip_suffix(".tsm")?.split_once('-')?;
        let parsed =
            FileName { generation: generation.parse().ok()?, sequence: sequence.parse().ok()? };
        (parsed.to_string() == name).then_some(parsed)
    }

    /// The name of its deletes.
    pub fn tombstone(self) -> String {
        format!("{:09}-{:09}.tombstone", self.generation, self.sequence)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(text, "{:09}-{:09}.tsm", self.generation, self.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::FileName;

    #[test]
    fn only_names_with_nine_digits_are_names() {
        let name = FileName { generation: 12, sequence: 3 };
        assert_eq!(name.to_string(), "000000012-000000003.tsm");
        assert_eq!(name.tombstone(), "000000012-000000003.tombstone");
        assert_eq!(FileName::parse("000000012-000000003.tsm"), Some(name));
        for other in ["12-3.tsm", "000000012-000000003", "a-b.tsm", "+00000012-000000003.tsm"] {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }
}
