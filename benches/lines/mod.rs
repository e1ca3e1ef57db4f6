//! Lines as Telegraf sends them, the same in every run.

use std::fmt::Write;

/// A body of `count` lines of 20 hosts and 4 measurements.
pub fn body(count: usize) -> String {
    let mut body = String::new();
    for turn in 0..count {
        let (host, time) = (turn / 4 % 20, 1_700_000_000 + turn as u64 / 80 * 10);
        let fields = match turn % 4 {
            0 => format!("usage_idle={}.25,usage_system=3.5,usage_user={}.75", turn % 90, turn % 9),
            1 => format!("used={}i,free={}i,used_percent=41.5", 1000 * turn, 999 * turn),
            2 => format!("bytes_recv={}i,bytes_sent={}i,drop_in=0i,drop_out=0i", 71 * turn, turn),
            _ => format!("load1=0.{},load5=0.7,load15=0.31,n_cpus=8i", turn % 100),
        };
        let name = ["cpu", "disk", "net", "system"][turn % 4];
        writeln!(body, "{name},host=server-{host:03},region=eu-west {fields} {time}000000000")
            .expect("writing to a string");
    }
    body
}
