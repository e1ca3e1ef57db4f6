//! What an agent on a server sends: 14 measurements, floats and integers; one line in ten carries
//! what is dear to parse: quoted strings, escapes, booleans.

use super::{Random, Series};
use std::io::{self, Write};

/// Kinds without and with strings, escapes and booleans; together 14.
const PLAIN: u64 = 11;
const DEAR: u64 = 3;

const NAMES: [&str; (PLAIN + DEAR) as usize] = [
    "cpu",
    "mem",
    "disk",
    "diskio",
    "net",
    "system",
    "processes",
    "swap",
    "kernel",
    "nginx",
    "postgresql",
    "http_response",
    "app\\ log",
    "docker",
];

/// Of 330 numbered series 297 are plain and 33 dear, each kind equally often: one in ten, as random lines.
const CYCLE: u64 = 330;
const CYCLE_PLAIN: u64 = 297;

/// The numbers of one line, big and small.
struct Values {
    host: u64,
    /// What tags other than the host are made of.
    tag: u64,
    bytes: u64,
    count: u64,
    percent: u64,
    part: u64,
}

/// Copy of all names, kind, and host of a line; the host of a random line is one of 50.
fn pick(series: Series, measurements: u64, random: &mut Random) -> (u64, u64, u64) {
    let copies = measurements.div_ceil(PLAIN + DEAR).max(1);
    // Fewer than 14 measurements: the first ones only, then without the dear lines.
    let plain = PLAIN.min(measurements.max(1));
    let all = measurements >= PLAIN + DEAR;
    let Series::Number(number) = series else {
        let copy = random.below(copies);
        let dear = all && random.below(10) == 0;
        let kind = if dear { PLAIN + random.below(DEAR) } else { random.below(plain) };
        return (copy, kind, random.below(50));
    };
    let (copy, rest) = (number % copies, number / copies);
    if !all {
        return (copy, rest % plain, rest / plain);
    }
    let (round, slot) = (rest / CYCLE, rest % CYCLE);
    match slot.checked_sub(CYCLE_PLAIN) {
        None => (copy, slot % PLAIN, round * (CYCLE_PLAIN / PLAIN) + slot / PLAIN),
        Some(slot) => {
            let hosts = (CYCLE - CYCLE_PLAIN) / DEAR;
            (copy, PLAIN + slot % DEAR, round * hosts + slot / DEAR)
        }
    }
}

pub fn push(series: Series, measurements: u64, random: &mut Random, out: &mut Vec<u8>) {
    let (copy, kind, host) = pick(series, measurements, random);
    let mut values = Values {
        host,
        tag: host,
        bytes: random.below(1 << 34),
        count: random.below(1 << 30),
        percent: random.below(100),
        part: random.below(100_000),
    };
    if series == Series::Random {
        values.tag = values.percent;
    }
    super::push_name(NAMES[kind as usize], copy, out);
    match kind {
        0..=4 => push_hardware(kind, &values, out),
        5..PLAIN => push_software(kind, &values, out),
        _ => push_dear(kind, &values, out),
    }
    .expect("a vector takes every byte");
}

fn push_hardware(kind: u64, v: &Values, out: &mut Vec<u8>) -> io::Result<()> {
    let Values { host, tag, bytes: a, count: b, percent: c, part: d } = v;
    let unit = tag % 4;
    match kind {
        0 => write!(
            out,
            ",cpu=cpu{unit},host=web{host:02} usage_idle={c}.{d:05}7213,usage_iowait=0.{d:05},usage_system={c}.00834,usage_user=1.{d:05}"
        ),
        1 => write!(
            out,
            ",host=web{host:02} active={a}i,available={b}i,available_percent={c}.{d:05}31,buffered={d}i,cached={b}i,free={a}i,total=16695406592i,used_percent={c}.5"
        ),
        2 => write!(
            out,
            ",device=vda{unit},fstype=ext4,host=web{host:02},mode=rw,path=/srv/data{unit} free={a}i,inodes_free={b}i,inodes_used={d}i,total=270553001984i,used={b}i,used_percent={c}.{d:05}"
        ),
        3 => write!(
            out,
            ",host=web{host:02},name=vda{unit} io_time={d}i,iops_in_progress={unit}i,read_bytes={a}i,reads={b}i,write_bytes={a}i,writes={b}i"
        ),
        _ => write!(
            out,
            ",host=web{host:02},interface=eth{unit} bytes_recv={a}i,bytes_sent={b}i,drop_in=0i,drop_out=0i,err_in=0i,err_out=0i,packets_recv={b}i,packets_sent={d}i"
        ),
    }
}

fn push_software(kind: u64, v: &Values, out: &mut Vec<u8>) -> io::Result<()> {
    let Values { host, tag, bytes: a, count: b, percent: c, part: d } = v;
    let unit = tag % 7;
    match kind {
        5 => write!(
            out,
            ",host=web{host:02} load1=0.{c:02},load15=1.{c:02},load5=0.{c:02},n_cpus=8i,n_users={unit}i,uptime={b}i"
        ),
        6 => write!(
            out,
            ",host=web{host:02} blocked=0i,dead=0i,idle={c}i,running={unit}i,sleeping={c}i,stopped=0i,total={d}i,total_threads={d}i,zombies=0i"
        ),
        7 => write!(
            out,
            ",host=web{host:02} free={a}i,total=4294963200i,used={b}i,used_percent={c}.{d:05}"
        ),
        8 => write!(
            out,
            ",host=web{host:02} boot_time=1700000000i,context_switches={a}i,entropy_avail=256i,interrupts={b}i,processes_forked={d}i"
        ),
        9 => write!(
            out,
            ",host=web{host:02},port=8080,server=10.0.{unit}.{tag} accepts={d}i,active={c}i,handled={d}i,reading=0i,requests={b}i,waiting={c}i,writing=1i"
        ),
        _ => write!(
            out,
            ",db=orders{unit},host=web{host:02},server=db{unit} blk_read_time=0.{d:05},blks_hit={a}i,blks_read={b}i,deadlocks=0i,numbackends={c}i,xact_commit={b}i"
        ),
    }
}

fn push_dear(kind: u64, v: &Values, out: &mut Vec<u8>) -> io::Result<()> {
    let Values { host, tag, count: a, percent: c, .. } = v;
    let unit = tag % 3;
    let truth = ["true", "F", "t", "false"][(c % 4) as usize];
    match kind - PLAIN {
        0 => write!(
            out,
            ",host=web{host:02},method=GET,server=https://shop.example/a\\,b?c\\=d,status_code=20{unit} content_length={a}i,http_response_code=200i,response_time=0.{c:03},result_type=\"success\""
        ),
        1 => write!(
            out,
            ",host=web{host:02},level=info,path=C:\\\\srv message=\"request took {c} ms, said \\\"ok\\\", path=/a/b?c=d\",ok={truth},latency={c}.125"
        ),
        _ => write!(
            out,
            ",container=job\\ {tag},host=web{host:02} memory={a}i,oom={truth},restarts={unit}i,state=\"running, healthy\",version=\"1.{c}.0\""
        ),
    }
}
