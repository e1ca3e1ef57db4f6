//! `circlet-load sink`: backends that take everything, count it, and keep nothing.
//!
//! Promise: a line counts once its request was read whole, whatever is answered then; the summary comes
//! at SIGTERM. It understands no line protocol: a line is what ends in a line feed. Read `serve`, `counts`.

mod counts;
mod serve;

use crate::url::usage;
use clap::Args;
use counts::Counts;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Addresses to listen on, for example 127.0.0.1:8086; port 0 takes a free one.
    #[arg(required = true)]
    addresses: Vec<String>,
    /// Milliseconds before each answer to a write.
    #[arg(long, default_value_t = 0)]
    delay: u64,
    /// Answer writes with STATUS and BODY.
    #[arg(long, value_name = "STATUS[:BODY]")]
    fail: Option<String>,
    /// Let only every Nth write fail; without --fail with status 503.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    fail_every: Option<u64>,
    /// Read writes and never answer them.
    #[arg(long)]
    hang: bool,
    /// Hang only for this many seconds from the start.
    #[arg(long, value_name = "SECONDS")]
    hang_for: Option<f64>,
    /// Databases that are there from the start.
    #[arg(long, value_delimiter = ',')]
    databases: Vec<String>,
}

/// How writes are answered.
#[derive(Clone, Debug)]
pub struct Behaviour {
    pub delay: Duration,
    pub failure: Option<(u16, String)>,
    pub fail_every: u64,
    pub hang: bool,
    /// When hanging ends, if ever.
    pub hang_until: Option<Instant>,
}

impl Behaviour {
    fn new(arguments: &Arguments) -> io::Result<Self> {
        let a = arguments;
        let failure = match &a.fail {
            Some(text) => Some(failure(text)?),
            None => a.fail_every.map(|_| (503, r#"{"error":"told to fail"}"#.to_owned())),
        };
        let hang_for = match a.hang_for {
            Some(seconds) if seconds >= 0.0 => Some(Duration::from_secs_f64(seconds.min(1e9))),
            Some(_) => return Err(usage("--hang-for must be above 0")),
            None => None,
        };
        Ok(Behaviour {
            delay: Duration::from_millis(a.delay),
            failure,
            fail_every: a.fail_every.unwrap_or(1),
            hang: a.hang || hang_for.is_some(),
            hang_until: hang_for.map(|time| Instant::now() + time),
        })
    }
}

fn failure(text: &str) -> io::Result<(u16, String)> {
    let (status, body) = text.split_once(':').unwrap_or((text, r#"{"error":"told to fail"}"#));
    let status = status.parse().ok().filter(|status| (200..600).contains(status));
    let status = status.ok_or_else(|| usage(format!("--fail {text}: no status in front")))?;
    Ok((status, body.to_owned()))
}

/// Serves until SIGTERM or SIGINT, then prints one line of counts for each address.
pub fn run(arguments: &Arguments) -> io::Result<bool> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])?;
    let behaviour = Arc::new(Behaviour::new(arguments)?);
    let mut sinks = Vec::new();
    for address in &arguments.addresses {
        let listener = TcpListener::bind(address)
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        let local = listener.local_addr()?;
        let counts = Arc::new(Counts::new(&arguments.databases));
        println!("listening {local}");
        sinks.push((local, Arc::clone(&counts)));
        let behaviour = Arc::clone(&behaviour);
        thread::spawn(move || accept(&listener, &counts, &behaviour));
    }
    signals.forever().next();
    for (address, counts) in &sinks {
        println!("{address} {}", counts.json());
    }
    Ok(true)
}

fn accept(listener: &TcpListener, counts: &Arc<Counts>, behaviour: &Arc<Behaviour>) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                let (counts, behaviour) = (Arc::clone(counts), Arc::clone(behaviour));
                thread::spawn(move || serve::connection(stream, &counts, &behaviour));
            }
            // Out of descriptors: give connections the time to end.
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}
