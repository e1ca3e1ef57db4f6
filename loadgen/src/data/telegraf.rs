//! What an agent on a server sends: 14 measurements, floats and integers; one line in ten carries
//! what is dear to parse: quoted strings, escapes, booleans.

use super::Random;
use std::io::Write;

/// Kinds without and with strings, escapes and booleans; together 14.
const PLAIN: u64 = 11;
const DEAR: u64 = 3;

pub fn push(measurements: u64, random: &mut Random, out: &mut Vec<u8>) {
    let copies = measurements.div_ceil(PLAIN + DEAR).max(1);
    let copy = random.below(copies);
    // Fewer than 14 measurements: the first ones only, then without the dear lines.
    let plain = PLAIN.min(measurements.max(1));
    let dear = measurements >= PLAIN + DEAR && random.below(10) == 0;
    let host = random.below(50);
    if dear {
        push_dear(random.below(DEAR), copy, host, random, out);
    } else {
        push_plain(random.below(plain), copy, host, random, out);
    }
}

fn push_plain(kind: u64, copy: u64, host: u64, r: &mut Random, out: &mut Vec<u8>) {
    const NAMES: [&str; PLAIN as usize] = [
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
    ];
    super::push_name(NAMES[kind as usize], copy, out);
    let (a, b) = (r.below(1 << 34), r.below(1 << 30));
    let (c, d) = (r.below(100), r.below(100_000));
    let n = host;
    let written = match kind {
        0 => write!(
            out,
            ",cpu=cpu{},host=web{n:02} usage_idle={c}.{d:05}7213,usage_iowait=0.{d:05},usage_system={c}.00834,usage_user=1.{d:05}",
            c % 8
        ),
        1 => write!(
            out,
            ",host=web{n:02} active={a}i,available={b}i,available_percent={c}.{d:05}31,buffered={d}i,cached={b}i,free={a}i,total=16695406592i,used_percent={c}.5"
        ),
        2 => write!(
            out,
            ",device=vda{},fstype=ext4,host=web{n:02},mode=rw,path=/srv/data{} free={a}i,inodes_free={b}i,inodes_used={d}i,total=270553001984i,used={b}i,used_percent={c}.{d:05}",
            c % 4,
            c % 4
        ),
        3 => write!(
            out,
            ",host=web{n:02},name=vda{} io_time={d}i,iops_in_progress={}i,read_bytes={a}i,reads={b}i,write_bytes={a}i,writes={b}i",
            c % 4,
            c % 9
        ),
        4 => write!(
            out,
            ",host=web{n:02},interface=eth{} bytes_recv={a}i,bytes_sent={b}i,drop_in=0i,drop_out=0i,err_in=0i,err_out=0i,packets_recv={b}i,packets_sent={d}i",
            c % 4
        ),
        5 => write!(
            out,
            ",host=web{n:02} load1=0.{c:02},load15=1.{c:02},load5=0.{c:02},n_cpus=8i,n_users={}i,uptime={b}i",
            c % 4
        ),
        6 => write!(
            out,
            ",host=web{n:02} blocked=0i,dead=0i,idle={c}i,running={}i,sleeping={c}i,stopped=0i,total={d}i,total_threads={d}i,zombies=0i",
            c % 7
        ),
        7 => write!(
            out,
            ",host=web{n:02} free={a}i,total=4294963200i,used={b}i,used_percent={c}.{d:05}"
        ),
        8 => write!(
            out,
            ",host=web{n:02} boot_time=1700000000i,context_switches={a}i,entropy_avail=256i,interrupts={b}i,processes_forked={d}i"
        ),
        9 => write!(
            out,
            ",host=web{n:02},port=8080,server=10.0.{}.{c} accepts={d}i,active={c}i,handled={d}i,reading=0i,requests={b}i,waiting={c}i,writing=1i",
            c % 7
        ),
        _ => write!(
            out,
            ",db=orders{},host=web{n:02},server=db{} blk_read_time=0.{d:05},blks_hit={a}i,blks_read={b}i,deadlocks=0i,numbackends={c}i,xact_commit={b}i",
            c % 5,
            c % 3
        ),
    };
    written.expect("a vector takes every byte");
}

fn push_dear(kind: u64, copy: u64, host: u64, r: &mut Random, out: &mut Vec<u8>) {
    const NAMES: [&str; DEAR as usize] = ["http_response", "app\\ log", "docker"];
    super::push_name(NAMES[kind as usize], copy, out);
    let (a, c) = (r.below(1 << 30), r.below(900));
    let n = host;
    let written = match kind {
        0 => write!(
            out,
            ",host=web{n:02},method=GET,server=https://shop.example/a\\,b?c\\=d,status_code={} content_length={a}i,http_response_code=200i,response_time=0.{c:03},result_type=\"success\"",
            200 + c % 3
        ),
        1 => write!(
            out,
            ",host=web{n:02},level=info,path=C:\\\\srv message=\"request took {c} ms, said \\\"ok\\\", path=/a/b?c=d\",ok={},latency={c}.125",
            ["true", "F", "t", "false"][(c % 4) as usize]
        ),
        _ => write!(
            out,
            ",container=job\\ {c},host=web{n:02} memory={a}i,oom=false,restarts={}i,state=\"running, healthy\",version=\"1.{}.0\"",
            c % 3,
            c % 40
        ),
    };
    written.expect("a vector takes every byte");
}
