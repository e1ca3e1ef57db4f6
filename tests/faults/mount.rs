//! File systems of a test's own: made, mounted, always unmounted.

use crate::support::python::{finish, output};
use crate::support::wait::{seconds, until};
use rustix::mount::UnmountFlags;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Which file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Ext4,
    Xfs,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Ext4 => "ext4",
            Kind::Xfs => "xfs",
        }
    }

    /// Whether this kernel can mount it.
    pub fn is_known(self) -> bool {
        let known = std::fs::read_to_string("/proc/filesystems").expect("Linux has /proc");
        known.lines().any(|line| line.trim() == self.name())
    }

    /// Makes an empty file system in this file, all of whose own places are written.
    pub fn format(self, image: &Path) {
        let mut command = Command::new(format!("mkfs.{}", self.name()));
        match self {
            Kind::Ext4 => {
                let at_once = "nodiscard,lazy_itable_init=0,lazy_journal_init=0";
                command.args(["-q", "-F", "-E", at_once])
            }
            Kind::Xfs => command.args(["-q", "-f", "-K"]),
        };
        finish(command.arg(image));
    }
}

/// A file of zeros that takes no space yet.
pub fn image(path: &Path, bytes: u64) {
    let file = File::create_new(path).expect("a place for an image");
    file.set_len(bytes).expect("a file may have holes");
}

/// Something mounted; unmounted when dropped.
pub struct Mount {
    pub path: PathBuf,
}

impl Mount {
    /// Mounts an image by a loop device.
    pub fn image(kind: Kind, image: &Path, at: &Path) -> Mount {
        Mount::with(&["-t", kind.name(), "-o", "loop"], image, at)
    }

    /// A file system in memory of at most `bytes`.
    pub fn memory(bytes: u64, at: &Path) -> Mount {
        Mount::with(&["-t", "tmpfs", "-o", &format!("size={bytes}")], Path::new("tmpfs"), at)
    }

    pub fn with(options: &[&str], source: &Path, at: &Path) -> Mount {
        let mounted = Mount::try_with(options, source, at);
        mounted.unwrap_or_else(|error| panic!("cannot mount {}: {error}", source.display()))
    }

    /// The same on a disk that may fail meanwhile.
    pub fn try_with(options: &[&str], source: &Path, at: &Path) -> Result<Mount, String> {
        std::fs::create_dir_all(at).expect("a place to mount on");
        let output = output(Command::new("mount").args(options).arg(source).arg(at));
        match output.status.success() {
            true => Ok(Mount { path: at.to_owned() }),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Changes its options.
    pub fn remount(&self, options: &str) {
        let options = format!("remount,{options}");
        finish(Command::new("mount").args(["-o", &options]).arg(&self.path));
    }

    /// The name of the block device that it stands on.
    pub fn device(&self) -> String {
        let mounts = std::fs::read_to_string("/proc/self/mounts").expect("Linux has /proc");
        let mut ours = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        let ours = ours.rfind(|words| Path::new(words[1]) == self.path);
        ours.expect("it is mounted")[0].trim_start_matches("/dev/").to_owned()
    }

    /// Free bytes for everybody.
    pub fn free_bytes(&self) -> u64 {
        let facts = rustix::fs::statvfs(&self.path).expect("it is mounted");
        facts.f_bavail * facts.f_frsize
    }

    /// Unmounts now. A process that was killed may use it for a moment more, while the kernel ends its I/O.
    pub fn unmount(self) {
        until("nobody uses the file system", seconds(20), || {
            rustix::mount::unmount(&self.path, UnmountFlags::empty()).ok()
        });
        std::mem::forget(self);
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        rustix::mount::unmount(&self.path, UnmountFlags::DETACH).unwrap_or(());
    }
}
