//! The fast ways find the same lines as the grammar alone: accepted or refused, the same places, times,
//! numbers and reasons.

use super::super::{Line, LineError, Lines, Precision, Rules, Way};
use super::vectors;

const PRECISIONS: [Precision; 6] = [
    Precision::Nanoseconds,
    Precision::Microseconds,
    Precision::Milliseconds,
    Precision::Seconds,
    Precision::Minutes,
    Precision::Hours,
];

fn all_rules() -> Vec<Rules> {
    let mut all = Vec::new();
    for precision in PRECISIONS {
        for (unsigned, nul_tag_key) in [(false, false), (true, false), (false, true), (true, true)]
        {
            all.push(Rules { precision, unsigned, nul_tag_key });
        }
    }
    all
}

fn found(way: Way, body: &[u8], rules: Rules) -> Vec<Result<Line<'_>, LineError<'_>>> {
    Lines::by(way, body, rules).collect()
}

/// Where the pieces of an accepted line lie, as slices that are equal need not be the same ones.
fn places(body: &[u8], found: &[Result<Line<'_>, LineError<'_>>]) -> Vec<(usize, usize)> {
    let at = |slice: &[u8]| slice.as_ptr() as usize - body.as_ptr() as usize;
    found
        .iter()
        .map(|line| match line {
            Ok(line) => (at(line.head), at(line.measurement)),
            Err(error) => (at(error.line), 0),
        })
        .collect()
}

/// Gives the number of accepted lines.
fn assert_alike(body: &[u8], rules: Rules) -> usize {
    let reference = found(Way::Grammar, body, rules);
    for way in [Way::Best, Way::Avx2, Way::Portable] {
        let fast = found(way, body, rules);
        assert_eq!(fast, reference, "{way:?} {rules:?}: {}", body.escape_ascii());
        assert_eq!(places(body, &fast), places(body, &reference), "{}", body.escape_ascii());
    }
    reference.iter().filter(|line| line.is_ok()).count()
}

/// A small seeded generator: a multiply and a shift are random enough here.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        ((self.0 >> 33) as usize) % limit
    }

    fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

const NAMES: &[&str] = &[
    "cpu",
    "m",
    "app\\ log",
    "a\\,b",
    "a=b",
    "x\\\\y",
    "disk_usage_of_a_long_name",
    "é",
    "#c",
    "\"q\"",
    "time",
    "i",
    "1",
    "a\\\\",
    "a\\",
    "",
];

const KEYS: &[&str] = &[
    "host",
    "a",
    "b",
    "region",
    "service_version",
    "service",
    "k\\ 1",
    "k\\=",
    "time",
    "_field",
    "_measurement",
    "tim",
    "timer",
    "q\"",
    "é",
    "a_key_of_thirty_one_bytes_______",
    "a_key_of_thirty_bytes_________",
    "i",
    "0",
    "",
    "\\\\",
];

const TAG_VALUES: &[&str] = &[
    "x",
    "server-001",
    "eu\\ west",
    "a\\,b?c\\=d",
    "C:\\\\srv",
    "1",
    "-5i",
    "ü",
    "\"s\"",
    "t\tb",
    "",
    "a\\",
    "a=b",
    "long\\ value",
];

const VALUES: &[&str] = &[
    "1",
    "0i",
    "-1i",
    "12.5",
    "-0.25",
    "1.",
    ".5",
    "-.5",
    "1e5",
    "1E-7",
    "123456789012345678i",
    "1234567890123456789i",
    "9223372036854775807i",
    "9223372036854775808i",
    "0.1234567890123456789",
    "123456789012345678.123456789012345678",
    "1u",
    "18446744073709551615u",
    "t",
    "true",
    "True",
    "TRUE",
    "F",
    "false",
    "tru",
    "truee",
    "\"\"",
    "\"text\"",
    "\"a, b=c d\"",
    "\"q\\\"q\"",
    "\"b\\\\\"",
    "\"b\\\\\\\"\"",
    "\"\n\"",
    "\"é\t\"",
    "\"\\\n\"",
    "-",
    "-t",
    // Refused, but valid to whoever does not see the backslash.
    "\"x\\\",w=\"y\"",
    "-\"s\"",
    "",
    "i",
    "1i1",
    "1.5i",
    "1.2.3",
    "--1",
    "+1",
    "NaN",
    "\"open",
    "x\"",
    "\"a\"b",
    "\"a string that is longer than one block of sixty-four bytes, with = and \\\" in it\"",
];

const TIMES: &[&str] = &[
    " 1700000000000000000",
    " 1700000000",
    " 0",
    " 9223372036854775806",
    " 9223372036854775807",
    " 99999999999999999999",
    " 1700000000000",
    " -5",
    " 2562047",
    " 12345678",
    " 123456789",
    " 1234567890123456",
    " 12345678901234567",
    "",
    " ",
    "  5",
    " 5 ",
    " 5,a=1",
    " 5 5",
    " 1.5",
    " 5i",
    " \t5",
    " a=1",
];

const ENDS: &[&str] = &["\n", "\n", "\n", "\n", "\r\n", "", "\n\n", "\n# c\n", "\r", " \n"];

/// A line from the pieces above; most are good or nearly so.
fn push_line(random: &mut Random, body: &mut Vec<u8>) {
    // The first pieces of each list are good ones.
    let tame = random.below(3) > 0;
    let some = |list: &'static [&'static str], tame_count: usize| {
        if tame { &list[..tame_count] } else { list }
    };
    body.extend_from_slice(random.pick(some(NAMES, 4)).as_bytes());
    let sorted = random.below(2) == 0;
    for turn in 0..random.below(4) {
        let key = if sorted { KEYS[turn + 1] } else { random.pick(some(KEYS, 8)) };
        body.extend_from_slice(format!(",{key}={}", random.pick(some(TAG_VALUES, 7))).as_bytes());
    }
    for turn in 0..1 + random.below(4) {
        body.push(if turn == 0 { b' ' } else { b',' });
        let key = random.pick(some(KEYS, 6));
        body.extend_from_slice(format!("{key}={}", random.pick(some(VALUES, 6))).as_bytes());
    }
    body.extend_from_slice(random.pick(some(TIMES, 4)).as_bytes());
    body.extend_from_slice(random.pick(some(ENDS, 4)).as_bytes());
}

const BYTES: &[u8] = b",= \n\"\\.-i0159tfuae#\t\0\r\x7F\xC3\xFF";

fn mutate(random: &mut Random, body: &mut Vec<u8>) {
    for _ in 0..random.below(4) {
        if body.is_empty() {
            return;
        }
        let at = random.below(body.len());
        let byte = BYTES[random.below(BYTES.len())];
        match random.below(4) {
            0 => body[at] = byte,
            1 => body.insert(at, byte),
            2 => drop(body.remove(at)),
            _ => {
                let end = body.len().min(at + random.below(40));
                let piece = body[at..end].to_vec();
                let to = random.below(body.len());
                drop(body.splice(to..to, piece));
            }
        }
    }
}

#[test]
fn every_recorded_row_is_found_alike() {
    for body in vectors::bodies() {
        for rules in all_rules() {
            assert_alike(&body, rules);
            assert_alike(&[b"a v=1 1\n", &body[..], b"\nb v=2 2\n"].concat(), rules);
        }
    }
}

#[test]
fn mutations_of_recorded_rows_are_found_alike() {
    let mut random = Random(1);
    let rules = all_rules();
    let bodies: Vec<_> = vectors::bodies().into_iter().filter(|body| body.len() < 1000).collect();
    for turn in 0..30_000 {
        let mut body = Vec::new();
        for _ in 0..1 + random.below(4) {
            body.extend_from_slice(&bodies[random.below(bodies.len())]);
            body.push(b'\n');
        }
        mutate(&mut random, &mut body);
        assert_alike(&body, rules[turn % rules.len()]);
    }
}

#[test]
fn composed_lines_are_found_alike() {
    let mut random = Random(2);
    let rules = all_rules();
    let mut accepted = 0;
    for turn in 0..30_000 {
        let mut body = Vec::new();
        for _ in 0..1 + random.below(8) {
            push_line(&mut random, &mut body);
        }
        if turn % 4 == 0 {
            mutate(&mut random, &mut body);
        }
        accepted += assert_alike(&body, rules[turn % rules.len()]);
    }
    assert!(accepted > 10_000, "{accepted}");
}

/// A body is any slice of memory: what stands before and behind it must not matter.
#[test]
fn a_body_cut_at_every_byte_is_found_alike() {
    let mut random = Random(3);
    let rules = all_rules();
    let mut memory = b"z,host=a v=1i 1\n".repeat(3);
    for _ in 0..24 {
        push_line(&mut random, &mut memory);
    }
    memory.extend_from_slice(b"cpu,a=1,b=2 v=1i,w=\"s\" 1700000000000000000\n");
    for at in 0..memory.len() {
        assert_alike(&memory[..at], rules[0]);
        assert_alike(&memory[at..], rules[0]);
    }
}

/// Each piece stands at each place of a block once.
#[test]
fn lines_at_every_alignment_are_found_alike() {
    let line = |name: usize, rest: &str| format!("{}{rest}", "n".repeat(name));
    for value in VALUES {
        for name in 1..140 {
            let rest = format!(",t=x v={value} 1700000000000000000\na v={value},w={value} 5\n");
            assert_alike(line(name, &rest).as_bytes(), super::RULES);
        }
    }
    for time in TIMES {
        for name in 1..140 {
            let rest = format!(",t=x v=1{time}\na v=1i 5\n");
            assert_alike(line(name, &rest).as_bytes(), super::RULES);
        }
    }
}

#[test]
fn every_byte_at_every_place_is_found_alike() {
    let good = b"cpu,t=x,u=\\, v=-1i,w=2.5,x=\"s\",y=t 1700\nb w=1 17\n";
    let line = good.len() - 9;
    for at in 0..line {
        for byte in 0..=255 {
            let mut replaced = good.to_vec();
            replaced[at] = byte;
            assert_alike(&replaced, super::RULES);
            let mut inserted = good.to_vec();
            inserted.insert(at, byte);
            assert_alike(&inserted, super::RULES);
        }
    }
}
