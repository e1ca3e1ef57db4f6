//! What the person looks at: the last two snapshots, and what the keys have chosen.

use super::snapshot::{Backend, Snapshot};

/// By what the backends are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// As the configuration has them.
    #[default]
    Circle,
    Backlog,
    Age,
    Rate,
}

impl Sort {
    pub fn word(self) -> &'static str {
        match self {
            Sort::Circle => "circle",
            Sort::Backlog => "backlog",
            Sort::Age => "age",
            Sort::Rate => "rate",
        }
    }

    fn next(self) -> Sort {
        match self {
            Sort::Circle => Sort::Backlog,
            Sort::Backlog => Sort::Age,
            Sort::Age => Sort::Rate,
            Sort::Rate => Sort::Circle,
        }
    }
}

pub struct Screen {
    /// Whom it asks.
    pub address: String,
    pub now: Option<Snapshot>,
    before: Option<Snapshot>,
    /// Why the last look failed.
    pub trouble: Option<String>,
    pub is_paused: bool,
    pub sort: Sort,
    /// Backends above the first one that is shown.
    pub first: usize,
}

impl Screen {
    pub fn new(address: String) -> Screen {
        Screen {
            address,
            now: None,
            before: None,
            trouble: None,
            is_paused: false,
            sort: Sort::default(),
            first: 0,
        }
    }

    /// What came of one more look.
    pub fn see(&mut self, seen: Result<Snapshot, String>) {
        if self.is_paused {
            return;
        }
        match seen {
            Ok(now) => {
                self.before = self.now.replace(now);
                self.trouble = None;
            }
            Err(why) => self.trouble = Some(why),
        }
    }

    /// What is shown stays, until it is asked again.
    pub fn pause(&mut self) {
        self.is_paused = !self.is_paused;
    }

    pub fn sort_otherwise(&mut self) {
        self.sort = self.sort.next();
        self.first = 0;
    }

    pub fn scroll(&mut self, rows: isize) {
        let count = self.now.as_ref().map_or(0, |now| now.backends.len());
        self.first = self.first.saturating_add_signed(rows).min(count.saturating_sub(1));
    }

    /// How much a total rises in a second; nothing before the second look, and across a restart.
    pub fn rate(&self, of: impl Fn(&Snapshot) -> f64) -> Option<f64> {
        let (before, now) = (self.before.as_ref()?, self.now.as_ref()?);
        let seconds = now.up_seconds - before.up_seconds;
        (seconds > 0.0).then(|| ((of(now) - of(before)) / seconds).max(0.0))
    }

    /// Lines a second that a backend confirms.
    pub fn backend_rate(&self, backend: &Backend) -> Option<f64> {
        self.rate(|snapshot| {
            let same = snapshot.backends.iter().find(|other| other.name == backend.name);
            same.map_or(0.0, |backend| backend.lines)
        })
    }

    /// In the chosen order.
    pub fn backends(&self) -> Vec<&Backend> {
        let mut all: Vec<&Backend> =
            self.now.iter().flat_map(|snapshot| &snapshot.backends).collect();
        let weight = |backend: &Backend| match self.sort {
            Sort::Circle => 0.0,
            #[expect(clippy::cast_precision_loss, reason = "only to sort by")]
            Sort::Backlog => backend.backlog_bytes as f64,
            Sort::Age => backend.backlog_seconds.unwrap_or(0.0),
            Sort::Rate => self.backend_rate(backend).unwrap_or(0.0),
        };
        // Stable: equal ones stay as the configuration has them.
        all.sort_by(|one, other| weight(other).total_cmp(&weight(one)));
        all
    }
}
