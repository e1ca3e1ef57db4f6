//! `circlet-load sink`: backends that take everything, count it, and keep nothing.
//!
//! Promise: a line counts once its request was read whole, whatever is answered then; the summary comes
//! at SIGTERM. It understands no line protocol: a line is what ends in a line feed.
//! Read `serve` (requests), `behaviour` (how writes are answered), `counts`.

mod behaviour;
mod counts;
mod serve;

use crate::span::span;
use crate::url::usage;
use behaviour::{Behaviour, Settings};
use clap::Args;
use counts::Counts;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Addresses to listen on, each a backend of its own: 127.0.0.1:8086, or 127.0.0.1:8086-8089 for
    /// four of them; port 0 takes a free one.
    #[arg(required = true, value_name = "ADDRESS")]
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
    /// Hang only for this time from the start, for example 60s.
    #[arg(long, value_name = "TIME", value_parser = span)]
    hang_for: Option<Duration>,
    /// Answer at most this many writes a second at each address, one after the other.
    #[arg(long, value_name = "REQUESTS_PER_S")]
    limit: Option<f64>,
    /// Do not look into gzip: such bodies are counted, their lines are not.
    #[arg(long)]
    no_inflate: bool,
    /// Databases and buckets that are there from the start.
    #[arg(long, value_delimiter = ',')]
    databases: Vec<String>,
}

/// What the connections of one address share.
#[derive(Debug)]
pub struct Sink {
    pub counts: Counts,
    pub behaviour: Behaviour,
    pub inflates: bool,
}

fn settings(a: &Arguments) -> io::Result<Settings> {
    let mut settings = Settings {
        delay: Duration::from_millis(a.delay),
        failure: a.fail.as_deref().map(behaviour::failure).transpose()?,
        hang: a.hang,
        limit: a.limit,
        ..Settings::default()
    };
    if a.limit.is_some_and(|limit| !(limit > 0.0 && limit < 1e9)) {
        return Err(usage("--limit must be above 0"));
    }
    if let Some(every) = a.fail_every {
        settings.failing_every(every);
    }
    if let Some(time) = a.hang_for {
        settings.hang_for(time);
    }
    Ok(settings)
}

/// Every address of `127.0.0.1:8086-8089`.
fn spread(text: &str) -> io::Result<Vec<String>> {
    let wrong = || usage(format!("{text}: write HOST:PORT or HOST:FIRST-LAST"));
    let (host, ports) = text.rsplit_once(':').ok_or_else(wrong)?;
    let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
    let port = |text: &str| text.parse::<u16>().map_err(|_| wrong());
    let (first, last) = (port(first)?, port(last)?);
    if last < first {
        return Err(wrong());
    }
    Ok((first..=last).map(|port| format!("{host}:{port}")).collect())
}

/// Serves until SIGTERM or SIGINT, then prints one line of counts for each address.
pub fn run(arguments: &Arguments) -> io::Result<bool> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let settings = settings(arguments)?;
    let mut addresses = Vec::new();
    for text in &arguments.addresses {
        addresses.extend(spread(text)?);
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])?;
    let mut sinks = Vec::new();
    for address in &addresses {
        let listener = TcpListener::bind(address)
            .map_err(|error| io::Error::new(error.kind(), format!("{address}: {error}")))?;
        let local = listener.local_addr()?;
        let sink = Arc::new(Sink {
            counts: Counts::new(&arguments.databases),
            behaviour: Behaviour::new(settings.clone()),
            inflates: !arguments.no_inflate,
        });
        println!("listening {local}");
        sinks.push((local, Arc::clone(&sink)));
        thread::spawn(move || accept(&listener, &sink));
    }
    signals.forever().next();
    for (address, sink) in &sinks {
        println!("{address} {}", sink.counts.json());
    }
    Ok(true)
}

fn accept(listener: &TcpListener, sink: &Arc<Sink>) {
    for stream in listener.incoming() {
        match stream {
            Ok(stream) => {
                let sink = Arc::clone(sink);
                thread::spawn(move || serve::connection(stream, &sink));
            }
            // Out of descriptors: give connections the time to end.
            Err(_) => thread::sleep(Duration::from_millis(10)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_may_name_many_ports() {
        assert_eq!(spread("127.0.0.1:80").unwrap(), ["127.0.0.1:80"]);
        assert_eq!(spread("[::1]:8-10").unwrap(), ["[::1]:8", "[::1]:9", "[::1]:10"]);
        for wrong in ["localhost", "h:", "h:9-8", "h:1-x", "h:70000"] {
            assert!(spread(wrong).is_err(), "{wrong}");
        }
    }
}
