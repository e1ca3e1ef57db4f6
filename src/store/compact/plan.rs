//! Which files are to become one: a pure function of what is known of them.
//!
//! A generation has a level, which is the sequence of its first file, 4 at most: 1 for a snapshot, one more with each
//! compaction. Neighbours of one level are merged when there are enough of them, so that a point is rewritten three
//! times before it rests; a window that nobody writes to any more becomes one generation.

use crate::base::map::FastSet;
use crate::store::tsm::{FILE_BYTES_MAX, FileName};

/// What the planner knows of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    pub name: FileName,
    pub bytes: u64,
    pub has_tombstones: bool,
}

/// How much of a file is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thoroughness {
    /// Full blocks that overlap no other are copied.
    Fast,
    /// All blocks but the last one of each key become full.
    Full,
}

/// Files that are to be merged, from the oldest to the newest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub files: Vec<FileName>,
    pub thoroughness: Thoroughness,
}

/// Generations that make a job of a level, from 1 to 4.
const ENOUGH: [usize; 4] = [8, 4, 4, 4];

#[derive(Debug)]
struct Generation {
    files: Vec<Facts>,
    level: usize,
    is_busy: bool,
}

impl Generation {
    fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    fn has_tombstones(&self) -> bool {
        self.files.iter().any(|file| file.has_tombstones)
    }

    /// Nothing is won by writing it again.
    fn is_at_rest(&self) -> bool {
        self.bytes() >= FILE_BYTES_MAX && !self.has_tombstones()
    }
}

/// The jobs that are worth doing now, the most urgent first, none of them with a file of another or of a generation
/// that is `busy`. `is_cold`: nobody has written to the window for long.
pub fn plan(files: &[Facts], busy: &FastSet<u64>, is_cold: bool) -> Vec<Job> {
    let generations = generations(files, busy);
    let mut jobs = Vec::new();
    for run in generations.split(|generation| generation.is_busy) {
        if is_cold {
            jobs.extend(cold(run));
        } else {
            jobs.extend(run.chunk_by(|a, b| a.level == b.level).flat_map(leveled));
        }
    }
    // Few small files now save the most of what questions have to open.
    jobs.sort_by_key(|(level, _)| *level);
    jobs.into_iter().map(|(_, job)| job).collect()
}

/// By age. A generation that is older than one of a higher level counts as that: it would never find company.
fn generations(files: &[Facts], busy: &FastSet<u64>) -> Vec<Generation> {
    let mut files = files.to_vec();
    files.sort_by_key(|file| file.name);
    let same = |a: &Facts, b: &Facts| a.name.generation == b.name.generation;
    let generation = |files: &[Facts]| Generation {
        files: files.to_vec(),
        level: usize::try_from(files[0].name.sequence).unwrap_or(4).clamp(1, 4),
        is_busy: busy.contains(&files[0].name.generation),
    };
    let mut generations: Vec<Generation> = files.chunk_by(same).map(generation).collect();
    let mut level = 0;
    for generation in generations.iter_mut().rev() {
        level = level.max(generation.level);
        generation.level = level;
    }
    generations
}

/// Jobs among neighbours of one level.
fn leveled(run: &[Generation]) -> Vec<(usize, Job)> {
    let level = run[0].level;
    let enough = ENOUGH[level - 1];
    let mut jobs = Vec::new();
    for part in run.split(Generation::is_at_rest) {
        for chunk in part.chunks(enough) {
            let has_tombstones = chunk.iter().any(Generation::has_tombstones);
            if chunk.len() == enough || has_tombstones {
                // Level 3 and 4 are large, and mostly of full blocks.
                let is_fast = level > 2 && !has_tombstones;
                let thoroughness = if is_fast { Thoroughness::Fast } else { Thoroughness::Full };
                jobs.push((level, job(chunk, thoroughness)));
            }
        }
    }
    jobs
}

/// Everything that is not at rest becomes one.
fn cold(run: &[Generation]) -> Vec<(usize, Job)> {
    let parts = run.split(Generation::is_at_rest);
    let worth = |part: &&[Generation]| {
        part.len() > 1 || part.iter().any(|one| one.has_tombstones() || one.level == 1)
    };
    parts.filter(worth).map(|part| (4, job(part, Thoroughness::Full))).collect()
}

fn job(generations: &[Generation], thoroughness: Thoroughness) -> Job {
    let files = generations.iter().flat_map(|generation| &generation.files);
    Job { files: files.map(|file| file.name).collect(), thoroughness }
}
