//! A disk without room, which takes root to make.

use super::ways::{all, create, open, open_with, request, write};
use crate::store::store::WriteError;
use crate::store::view::{Catalog, Change, TimeRange};
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::fs;
use std::path::PathBuf;

/// A file system in memory; unmounted when dropped.
struct Small {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Small {
    /// `None` without the right to mount.
    fn new(bytes: u64) -> Option<Small> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("small");
        fs::create_dir(&path).unwrap();
        let size = std::ffi::CString::new(format!("size={bytes}")).unwrap();
        mount("tmpfs", &path, "tmpfs", MountFlags::empty(), Some(&*size)).ok()?;
        Some(Small { path, _directory: directory })
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        unmount(&self.path, UnmountFlags::DETACH).unwrap_or(());
    }
}

#[test]
fn a_full_disk_refuses_writes_loses_nothing_and_goes_on_when_there_is_room() {
    let Some(small) = Small::new(1 << 20) else {
        assert!(!rustix::process::geteuid().is_root(), "root can mount");
        return;
    };
    let mut store = open(&small.path);
    create(&store, "d");
    let ballast = small.path.join("ballast");
    fs::write(&ballast, vec![0; 600 << 10]).unwrap();
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for n in 0..400_u64 {
        // Nothing that packs well.
        let text: String = (0..120_u64)
            .map(|at| format!("{:016x}", (n * 1000 + at + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)))
            .collect();
        let body = format!("m,t=t{} v={n},s=\"{text}\" {n}\n", n % 7);
        match store.write(request("d", &body)) {
            Ok(()) => acknowledged.push(n),
            Err(error) => {
                assert_eq!(error, WriteError::DiskFull);
                refused += 1;
            }
        }
        // Also what wants room for files does no harm.
        if n % 50 == 49 {
            drop(store.flush());
        }
    }
    assert!(acknowledged.len() > 20 && refused > 20, "{} {refused}", acknowledged.len());
    let series = store.database("d").unwrap().series_ids("m");
    let delete = |range| Change::Delete { database: "d".to_owned(), series: series.clone(), range };
    let range = TimeRange { min_ns: 0, max_ns: 0 };
    assert!(store.change(delete(range)).is_err());
    assert!(
        store.change(Change::CreateDatabase { database: "e".to_owned(), policy: None }).is_err()
    );
    for round in 0..2 {
        let rows = all(&store, "d");
        for n in &acknowledged {
            let row = format!("m,t=t{} v={n} {n}", n % 7);
            assert!(rows.binary_search(&row).is_ok(), "{row} in round {round}");
        }
        drop(store);
        store = open(&small.path);
    }
    fs::remove_file(&ballast).unwrap();
    write(&store, "m v=1 5000");
    store.change(delete(TimeRange { min_ns: 0, max_ns: 10 })).unwrap();
    store.stop().unwrap();
    drop(store);
    let store = open_with(&small.path, |options| options.background = true);
    let rows = all(&store, "d");
    let kept = acknowledged.iter().filter(|n| **n > 10);
    assert!(kept.clone().count() > 0);
    for n in kept {
        let row = format!("m,t=t{} v={n} {n}", n % 7);
        assert!(rows.binary_search(&row).is_ok(), "{row} at the end");
    }
    assert!(rows.binary_search(&"m v=1 5000".to_owned()).is_ok());
}
