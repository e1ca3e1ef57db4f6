//! What is counted over all shards so that there is never too much of it: questions that run, and connections of
//! one address.
//!
//! Neither is on the way of a line: the one is counted once a question, the other once a connection, and only where
//! connections of an address are limited.

use crate::base::map::FastMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

#[expect(clippy::disallowed_types, reason = "the board is what shards share; connections are rare")]
type Lock<T> = std::sync::Mutex<T>;

/// How many questions run. Shared: by all shards.
#[derive(Clone, Debug, Default)]
pub struct Questions(Arc<AtomicUsize>);

/// One that runs, until it is dropped. Lives on: the shard that asks.
#[derive(Debug)]
pub struct Turn(Arc<AtomicUsize>);

impl Questions {
    /// One more, if there are not `most` already.
    pub fn begin(&self, most: usize) -> Option<Turn> {
        let more = |running: usize| (running < most).then_some(running + 1);
        let begun = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        begun.is_ok().then(|| Turn(self.0.clone()))
    }

    pub fn running(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How many connections each address has, of those that were counted. Shared: by all shards.
#[derive(Clone, Debug, Default)]
pub struct Addresses(Arc<Lock<FastMap<IpAddr, usize>>>);

/// A connection that is counted, until it is dropped. Lives on: the shard that serves it.
#[derive(Debug)]
pub struct Guest {
    addresses: Addresses,
    address: IpAddr,
}

impl Addresses {
    /// One more connection of `address`, if it does not have `most` already.
    pub fn enter(&self, address: IpAddr, most: usize) -> Option<Guest> {
        let address = client(address);
        let mut counts = self.counts();
        let count = counts.get(&address).copied().unwrap_or(0);
        if count >= most {
            return None;
        }
        counts.insert(address, count + 1);
        Some(Guest { addresses: self.clone(), address })
    }

    fn counts(&self) -> MutexGuard<'_, FastMap<IpAddr, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts();
        match counts.get_mut(&self.address) {
            Some(count) if *count > 1 => *count -= 1,
            // The map holds who is there, not who ever was.
            _ => drop(counts.remove(&self.address)),
        }
    }
}

/// What counts as one address. Whoever has one of IPv6 has 2^64 of them: they differ in the first half only.
fn client(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_question_that_ends_makes_room_for_another() {
        let questions = Questions::default();
        let theirs = questions.clone();
        let first = questions.begin(2).unwrap();
        let second = theirs.begin(2).unwrap();
        assert_eq!(questions.running(), 2);
        assert!(questions.begin(2).is_none() && theirs.begin(2).is_none());
        assert_eq!(questions.running(), 2, "who is refused is not counted");
        // A limit that sinks ends nobody.
        assert!(questions.begin(1).is_none());
        drop(first);
        assert!(questions.begin(1).is_none());
        drop(questions.begin(2).unwrap());
        drop(second);
        assert_eq!(theirs.running(), 0);
    }

    #[test]
    fn threads_that_begin_at_once_never_pass_the_limit() {
        let questions = Questions::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..2000 {
                        let turn = questions.begin(2);
                        assert!(questions.running() <= 2);
                        drop(turn);
                    }
                });
            }
        });
        assert_eq!(questions.running(), 0);
    }

    #[test]
    fn each_address_has_a_count_of_its_own_and_leaves_none_behind() {
        let addresses = Addresses::default();
        let (one, other) = (address("10.0.0.1"), address("10.0.0.2"));
        let first = addresses.enter(one, 2).unwrap();
        let second = addresses.enter(one, 2).unwrap();
        assert!(addresses.enter(one, 2).is_none());
        let third = addresses.enter(other, 2).unwrap();
        drop(first);
        let fourth = addresses.enter(one, 2).unwrap();
        assert!(addresses.enter(one, 2).is_none());
        drop((second, third, fourth));
        assert!(addresses.counts().is_empty());
    }

    #[test]
    fn one_client_is_one_address_however_it_is_written() {
        let same = |one: &str, other: &str| client(address(one)) == client(address(other));
        assert!(same("10.0.0.1", "::ffff:10.0.0.1"));
        assert!(!same("::ffff:10.0.0.1", "::ffff:10.0.0.2"));
        assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
        assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    }
}
