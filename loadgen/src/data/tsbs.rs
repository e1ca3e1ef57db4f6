//! Servers' processor times in the shape of the Time Series Benchmark Suite: long lines, many fields.

use super::{Random, Series};
use std::io::Write;

const REGIONS: [&str; 4] = ["eu-central-1", "us-west-2", "ap-southeast-2", "sa-east-1"];
const SYSTEMS: [&str; 3] = ["Ubuntu16.04LTS", "Ubuntu16.10", "Ubuntu15.10"];
const TEAMS: [&str; 4] = ["SF", "NYC", "LON", "CHI"];
const STAGES: [&str; 3] = ["production", "staging", "test"];
const FIELDS: [&str; 10] = [
    "usage_user",
    "usage_system",
    "usage_idle",
    "usage_nice",
    "usage_iowait",
    "usage_irq",
    "usage_softirq",
    "usage_steal",
    "usage_guest",
    "usage_guest_nice",
];

pub fn push(series: Series, measurements: u64, random: &mut Random, out: &mut Vec<u8>) {
    // The tags follow from the host, as on real hosts: 1,000 series a measurement.
    let (pick, host) = super::pick(series, measurements, 1000, random);
    super::push_name("cpu", pick, out);
    let region = REGIONS[(host % 4) as usize];
    let fits = "a vector takes every byte";
    write!(
        out,
        ",hostname=host_{host},region={region},datacenter={region}{},rack={},os={},arch=x64,team={},service={},service_version={},service_environment={} ",
        ['a', 'b', 'c'][(host % 3) as usize],
        host % 100,
        SYSTEMS[(host / 7 % 3) as usize],
        TEAMS[(host / 3 % 4) as usize],
        host % 19,
        host % 2,
        STAGES[(host / 5 % 3) as usize],
    )
    .expect(fits);
    for (at, field) in FIELDS.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(out, "{comma}{field}={}i", random.below(100)).expect(fits);
    }
}
