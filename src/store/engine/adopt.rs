//! A window that an InfluxDB has left: its log becomes a file, and what it would look up instead of files goes.

use super::shared::Shared;
use super::snapshot::publish;
use super::window::Window;
use crate::store::damage::Damage;
use crate::store::foreign::{Folder, read_wal};
use crate::store::tsm::{FileName, Outputs};
use std::fs;
use std::io;
use std::path::Path;

/// Does it, before the files of the window are opened. `generation` is above those of all files that are there. When
/// this is done twice, the second file says the same.
pub fn adopt(shared: &Shared, database: &str, window: &Window, generation: u64) -> io::Result<()> {
    // InfluxDB makes both anew from the files; old ones would hide what is written from now on.
    remove(fs::remove_file(window.directory.join("fields.idx")))?;
    remove(fs::remove_dir_all(window.directory.join("index")))?;
    let id = window.info.id;
    let wal = shared.options.directory.join("wal").join(database);
    let wal = wal.join(&window.info.policy).join(id.to_string());
    if !wal.is_dir() {
        return Ok(());
    }
    let folder = Folder {
        database: database.to_owned(),
        policy: window.info.policy.clone(),
        id,
        path: window.directory.clone(),
        wal: wal.clone(),
        group: None,
    };
    let other = |error: crate::store::foreign::LayoutError| io::Error::other(error.to_string());
    let (points, torn) = read_wal(&folder).map_err(other)?;
    let mut outputs = Outputs::new(&window.directory, FileName { generation, sequence: 1 });
    for (key, column) in &points {
        outputs.points(key, column)?;
    }
    let names: Vec<FileName> = outputs.finish()?.into_iter().map(|(name, _)| name).collect();
    publish(&window.directory, &names)?;
    for segment in folder.segments().map_err(other)? {
        match torn.iter().find(|torn| torn.path == segment) {
            Some(torn) => {
                fs::rename(&segment, segment.with_extension("wal.bad"))?;
                let (file, offset) = (segment, Some(torn.at as u64));
                let problem = format!("InfluxDB's log ends here: {}", torn.problem);
                shared.damages.report(Damage { file, offset, problem });
            }
            None => fs::remove_file(&segment)?,
        }
    }
    sync(&wal)
}

fn sync(directory: &Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

fn remove(done: io::Result<()>) -> io::Result<()> {
    match done {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}
