//! kill -9 again and again, under load and at random moments; then everything is looked for.

use super::ledger::{Load, Tally, findings};
use super::wait::{let_pass, seconds};
use super::world::{Setup, World};
use std::time::Duration;

/// What was seen at the end.
pub struct End {
    pub tally: Tally,
    /// What is not as it was acknowledged, in words.
    pub findings: Vec<String>,
}

/// Numbers that look random and come again with their seed.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}

/// Kills a gateway of its own, with this level of acknowledgement, so many times. For a third of them a backend is dead, too; about every
/// eighth death comes while it starts. The moments come from `seed`.
pub fn at_random_moments(ack: &str, deaths: u64, seed: u64) -> End {
    let setup = Setup::new().tables("[log]\nsegment_bytes = \"1MiB\"\nspill_after = \"0s\"");
    let mut world = setup.write(&format!("ack = \"{ack}\"")).start();
    let mut dice = Dice::new(seed);
    // Only with `delivered` the backends set the pace.
    let pause = Duration::from_millis(if ack == "delivered" { 5 } else { 30 });
    let load = Load { padding: 200, pause, ..Load::default() };
    let running = load.start(world.circlet.address);
    let down = world.circles[1][0].name.clone();
    for death in 0..deaths {
        if death == deaths / 3 {
            world.server_mut(&down).kill();
        }
        if death == deaths * 2 / 3 {
            world.server_mut(&down).restart();
        }
        running.wait_for_more(500);
        let_pass(Duration::from_millis(dice.below(193)));
        world.circlet.kill();
        if dice.below(8) == 0 {
            world.circlet.start_only();
            let_pass(Duration::from_millis(dice.below(400)));
            world.circlet.kill();
        }
        world.circlet.restart();
    }
    running.wait_for_more(500);
    let (load, tally) = running.stop();
    world.wait_drained(seconds(120));
    let mut findings = all_findings(&world, &load, &tally);
    if !findings.is_empty() {
        findings.push(format!("everything is kept in {}", world.keep_directory().display()));
    }
    End { tally, findings }
}

/// Points that are not where they belong, and what the gateway itself says of losses.
pub fn all_findings(world: &World, load: &Load, tally: &Tally) -> Vec<String> {
    let mut findings = findings(world, load, tally);
    let metrics = world.metrics();
    for name in ["circlet_lost_points_total", "circlet_backend_incomplete"] {
        let value = metrics.must(name, &[]);
        if value != 0.0 {
            findings.push(format!("{name} is {value}"));
        }
    }
    if tally.count() == 0 {
        findings.push("nothing was acknowledged".to_owned());
    }
    findings
}
