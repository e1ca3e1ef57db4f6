//! Group keys: the columns with one value per table, and their order.

use std::cmp::Ordering;
use std::rc::Rc;

use super::value::Value;

/// Sorted by name.
#[derive(Clone, Debug, Default)]
pub struct Key(Vec<(Rc<str>, Value)>);

impl Key {
    /// The last of two pairs of one name counts.
    pub fn new(mut pairs: Vec<(Rc<str>, Value)>) -> Key {
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        Key(pairs)
    }

    pub fn pairs(&self) -> &[(Rc<str>, Value)] {
        &self.0
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| value)
    }

    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// With one column more, or another value of it.
    pub fn with(&self, name: &Rc<str>, value: Value) -> Key {
        let mut pairs = self.0.clone();
        pairs.push((name.clone(), value));
        Key::new(pairs)
    }

    pub fn only(&self, keep: impl Fn(&str) -> bool) -> Key {
        Key(self.0.iter().filter(|(name, _)| keep(name)).cloned().collect())
    }
}

/// Null first, then by type, then by value; a number that is none comes before the numbers.
pub fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Boolean(a), Value::Boolean(b)) => a.cmp(b),
        (Value::Integer(a), Value::Integer(b)) => a.cmp(b),
        (Value::Unsigned(a), Value::Unsigned(b)) => a.cmp(b),
        (Value::Float(a), Value::Float(b)) => compare_floats(*a, *b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (a, b) => a.kind().cmp(&b.kind()),
    }
}

/// A number that is none comes before the numbers.
pub fn compare_floats(a: f64, b: f64) -> Ordering {
    a.partial_cmp(&b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan()))
}

impl Ord for Key {
    /// Where two names differ, the key with the greater name comes first.
    fn cmp(&self, other: &Key) -> Ordering {
        for ((name, value), (other_name, other_value)) in self.0.iter().zip(&other.0) {
            let order = other_name.cmp(name).then_with(|| compare_values(value, other_value));
            if order.is_ne() {
                return order;
            }
        }
        self.0.len().cmp(&other.0.len())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Key) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Key {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_column_sorts_by_the_reversed_name() {
        let key = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(name, value)| ((*name).into(), Value::text(value)));
            Key::new(pairs.collect())
        };
        let sorted = [
            key(&[("m", "m")]),
            key(&[("m", "m"), ("z", "2")]),
            key(&[("m", "m"), ("a", "x")]),
            key(&[("m", "m"), ("a", "x"), ("z", "1")]),
        ];
        assert!(sorted.is_sorted_by(|a, b| a < b));
        assert_eq!(key(&[("a", "1"), ("a", "2")]), key(&[("a", "2")]));
    }
}
