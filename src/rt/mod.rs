//! Files, sockets, timers and tasks of one core; a simulated twin of each for tests.
//!
//! Promises:
//! - it is the only folder that names glommio, so that another runtime is a change of this folder;
//! - a task runs to its end: no handle to drop or cancel ever leaves this folder;
//! - CPU work over foreign bytes can let I/O pass with [`breathe`].
//!
//! It does not know what the bytes mean.
//!
//! Read in this order: `clock`, `buffer`, `file`, `disk`, `sim`, `signal`, `tasks`,
//! `sim_tasks`, `nudge`, `pipe` and `pool` (to plain threads and back), `net`, `tls`, `sim_net`, `preflight`, `examine`.

pub mod buffer;
pub mod clock;
pub mod disk;
pub mod examine;
pub mod file;
pub mod net;
mod nudge;
mod pieces;
pub mod pipe;
pub mod pool;
pub mod preflight;
pub mod signal;
#[cfg(any(test, feature = "sim"))]
pub mod sim;
#[cfg(any(test, feature = "sim"))]
pub mod sim_net;
#[cfg(any(test, feature = "sim"))]
pub mod sim_tasks;
pub mod tasks;
pub mod tls;

pub use buffer::{Buffer, Bytes, SharedBuffer};
pub use clock::Clock;
pub use disk::Disk;
pub use file::{DurableFile, File};
pub use pipe::{Inlet, Outlet, pipe};
pub use pool::Pool;
pub use signal::Signal;
pub use tasks::{Lane, blocking, breathe, launch, launch_anywhere, sleep, spawn, within};
