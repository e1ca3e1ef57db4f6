//! How evenly the two placements spread keys: the law, and the measurement that the manual shows.

use super::crc_ring::CrcRing;
use super::even::Even;

type Owner = Box<dyn Fn(&[u8]) -> u16>;

/// As the default `hash_key` of each placement names them.
fn influx_proxy(backends: usize) -> Owner {
    let nodes: Vec<Box<str>> = (0..backends).map(|index| index.to_string().into()).collect();
    let ring = CrcRing::new(&nodes);
    Box::new(move |key| ring.owner(key))
}

fn even(backends: usize) -> Owner {
    let name = |index: usize| format!("influxdb-1-{}", index + 1).into();
    let nodes: Vec<Box<str>> = (0..backends).map(name).collect();
    let even = Even::new(&nodes);
    Box::new(move |key| even.owner(key))
}

fn keys(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("my-org,telegraf,measurement_{number}"))
}

struct Spread {
    /// Keys of the poorest and of the richest backend, in multiples of an equal share.
    least: f64,
    most: f64,
    /// The share of keys that another backend, put at the end, moves.
    moved: f64,
}

fn measure(placement: fn(usize) -> Owner, backends: usize, count: usize) -> Spread {
    let (now, with_another) = (placement(backends), placement(backends + 1));
    let mut shares = vec![0_u32; backends];
    let mut moved = 0_u32;
    for key in keys(count) {
        let owner = now(key.as_bytes());
        shares[usize::from(owner)] += 1;
        moved += u32::from(with_another(key.as_bytes()) != owner);
    }
    let equal = count as f64 / backends as f64;
    Spread {
        least: f64::from(*shares.iter().min().unwrap()) / equal,
        most: f64::from(*shares.iter().max().unwrap()) / equal,
        moved: f64::from(moved) / count as f64,
    }
}

#[test]
fn even_spreads_as_evenly_as_chance_and_moves_no_more_than_it_must() {
    let count = 20_000;
    for backends in [2, 3, 5, 10, 30, 100] {
        let spread = measure(even, backends, count);
        // Five standard deviations of a share that is drawn by chance.
        let chance = 5.0 * (backends as f64 / count as f64).sqrt();
        assert!(spread.least > 1.0 - chance, "{backends}: {} times", spread.least);
        assert!(spread.most < 1.0 + chance, "{backends}: {} times", spread.most);
        let needed = 1.0 / (backends + 1) as f64;
        let chance = 5.0 * (needed / count as f64).sqrt();
        assert!((spread.moved - needed).abs() < chance, "{backends}: {} moved", spread.moved);
    }
}

#[test]
#[ignore = "prints the table of docs/placement.md; takes minutes"]
fn the_table_of_the_manual() {
    println!("| backends | influx-proxy | moved | even | moved | 1/(n+1) |");
    println!("|---:|---:|---:|---:|---:|---:|");
    for backends in [2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64, 80, 100] {
        let [crc, even] = [influx_proxy, even].map(|it| measure(it, backends, 1_000_000));
        println!(
            "| {backends} | {:.2} to {:.2} | {:.1} % | {:.2} to {:.2} | {:.1} % | {:.1} % |",
            crc.least,
            crc.most,
            crc.moved * 100.0,
            even.least,
            even.most,
            even.moved * 100.0,
            100.0 / (backends + 1) as f64
        );
    }
}
