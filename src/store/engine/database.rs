//! One database: its policies, its windows, its index, and the one who writes to it.

use super::shared::Shared;
use super::window::Window;
use super::writer::Writer;
use crate::store::index::{Index, IndexLimits};
use crate::store::lock::{Mutex, RwLock};
use crate::store::view::{Policy, WindowInfo};
use std::path::PathBuf;
use std::sync::{Arc, Weak};

/// A copy of what the catalogue says.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    pub list: Vec<Policy>,
    pub default: String,
}

impl Policies {
    /// The policy of a request, which may name none.
    pub fn find(&self, name: Option<&str>) -> Option<&Policy> {
        let name = name.filter(|name| !name.is_empty()).unwrap_or(&self.default);
        self.list.iter().find(|policy| policy.name == name)
    }
}

pub struct Database {
    pub name: String,
    pub shared: Weak<Shared>,
    pub writer: Mutex<Writer>,
    pub policies: RwLock<Policies>,
    /// Of all policies, by number.
    pub windows: RwLock<Vec<Arc<Window>>>,
    pub index: RwLock<Index>,
}

impl Database {
    pub fn new(
        name: &str,
        shared: Weak<Shared>,
        limits: IndexLimits,
        policies: Policies,
    ) -> Database {
        Database {
            name: name.to_owned(),
            shared,
            writer: Mutex::new(Writer::default()),
            policies: RwLock::new(policies),
            windows: RwLock::default(),
            index: RwLock::new(Index::new(limits)),
        }
    }

    pub fn all_windows(&self) -> Vec<Arc<Window>> {
        self.windows.read().clone()
    }

    pub fn window(&self, id: u64) -> Option<Arc<Window>> {
        let windows = self.windows.read();
        let at = windows.binary_search_by_key(&id, |window| window.info.id).ok()?;
        Some(windows[at].clone())
    }

    /// The window of a policy that holds a time.
    pub fn window_at(&self, policy: &str, time_ns: i64) -> Option<Arc<Window>> {
        let windows = self.windows.read();
        let mut mine = windows.iter().filter(|window| window.info.policy == policy);
        mine.find(|window| window.contains_time(time_ns)).cloned()
    }

    /// Knows a window that the catalogue has.
    pub fn add_window(&self, shared: &Shared, info: WindowInfo) -> Arc<Window> {
        let directory = window_directory(shared, &self.name, &info);
        let window = Arc::new(Window::new(info, directory, shared.cache_bytes.clone()));
        let mut windows = self.windows.write();
        windows.push(window.clone());
        windows.sort_by_key(|window| window.info.id);
        window
    }
}

pub fn window_directory(shared: &Shared, database: &str, info: &WindowInfo) -> PathBuf {
    shared.data().join(database).join(&info.policy).join(info.id.to_string())
}
