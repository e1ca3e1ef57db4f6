//! The locks of the engine. Queries and compaction run beside the writer on threads of their own; shards share none
//! of it.
//!
//! A thread that panics leaves no lock behind: a broken invariant ends the process (`panic = "abort"`).

#[expect(
    clippy::disallowed_types,
    reason = "the one home of the engine's locks; no shard takes them"
)]
mod plain {
    pub type Mutex<T> = std::sync::Mutex<T>;
    pub type RwLock<T> = std::sync::RwLock<T>;
}

use std::sync::{MutexGuard, PoisonError, RwLockReadGuard, RwLockWriteGuard};

#[derive(Debug, Default)]
pub struct Mutex<T>(plain::Mutex<T>);

impl<T> Mutex<T> {
    pub fn new(value: T) -> Mutex<T> {
        Mutex(plain::Mutex::new(value))
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
pub struct RwLock<T>(plain::RwLock<T>);

impl<T> RwLock<T> {
    pub fn new(value: T) -> RwLock<T> {
        RwLock(plain::RwLock::new(value))
    }

    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
