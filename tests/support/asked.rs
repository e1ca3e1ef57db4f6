//! A world with something to ask for, and who answered.

use super::http::Answer;
use super::wait::seconds;
use super::world::{Setup, World};

/// The backend that an answer names, without its circle.
pub fn answered_by(answer: &Answer) -> String {
    let name = answer.header("X-Circlet-Backend").expect("an answer says who gave it");
    name.rsplit('/').next().unwrap_or(name).to_owned()
}

/// Writes 500 points of each of four measurements, and waits until they are everywhere.
pub fn filled(setup: Setup) -> World {
    let world = setup.start();
    for name in ["one", "two", "three", "four"] {
        let line =
            |index: u64| format!("{name},host=h{} v={index}.5,s=\"<a&b>\" {index}\n", index % 3);
        world.write("d", (0..500).map(line).collect::<String>()).expect(204);
    }
    world.wait_drained(seconds(30));
    world
}
