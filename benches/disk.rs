//! The bare disk: writes of 4 KiB past the page cache, each with its fdatasync, one after the other. What
//! the log is held against. Prints one JSON object.
//!
//! Words: DIRECTORY SECONDS. The file is filled with zeros first and then written over, as the log's segments
//! are, because a file that grows is slower.

use hdrhistogram::Histogram;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

const FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Direct I/O wants memory, place and length in whole pages.
#[repr(align(4096))]
struct Page([u8; 4096]);

fn filled(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).custom_flags(libc::O_DIRECT);
    let file = options.open(path)?;
    let page = Page([0; 4096]);
    for at in (0..FILE_BYTES).step_by(page.0.len()) {
        file.write_all_at(&page.0, at)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// Writes for so long; gives the time of each.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn measure(file: &File, limit: Duration) -> Result<(Histogram<u64>, Duration), Box<dyn Error>> {
    let mut times_ns = Histogram::new(3)?;
    let page = Page([b'x'; 4096]);
    let began = Instant::now();
    let mut at = 0;
    while began.elapsed() < limit {
        let start = Instant::now();
        file.write_all_at(&page.0, at)?;
        file.sync_data()?;
        times_ns.record(u64::try_from(start.elapsed().as_nanos())?)?;
        at = (at + page.0.len() as u64) % FILE_BYTES;
    }
    Ok((times_ns, began.elapsed()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [directory, seconds] = words.as_slice() else {
        return Err("words: DIRECTORY SECONDS".into());
    };
    let path = Path::new(directory).join("disk.bench");
    let file = filled(&path)?;
    let measured = measure(&file, Duration::from_secs_f64(seconds.parse()?));
    std::fs::remove_file(&path)?;
    let (times_ns, took) = measured?;
    println!(
        "{}",
        serde_json::json!({
            "writes": times_ns.len(),
            "writes_s": times_ns.len() as f64 / took.as_secs_f64(),
            "p50_us": times_ns.value_at_quantile(0.5) as f64 / 1e3,
            "p99_us": times_ns.value_at_quantile(0.99) as f64 / 1e3,
            "max_us": times_ns.max() as f64 / 1e3,
        })
    );
    Ok(())
}
