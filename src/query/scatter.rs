//! Asks several backends of one circle the same thing at once, and hands back all answers as they begin.
//!
//! All or none: as long as nothing has been handed on, a backend that does not answer costs its circle the question,
//! and the next circle is asked. Answers of two circles are never mixed: each circle alone holds everything.

use super::choose::Choice;
use super::{Query, Refusal};
use crate::backend::client::{Arriving, Error};
use crate::backend::query::{Question, ask};
use crate::backend::{Cancel, Client, Place};
use crate::rt::{Lane, Signal, spawn};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What one circle answered. Lives on: the shard that asked.
pub enum Gathered {
    /// Every backend of the choice answered 200; in the order of its slots.
    All { choice: Choice, answers: Vec<Arriving> },
    /// One backend answered something else: to be passed on as it is.
    Other { choice: Choice, slot: u16, answer: Box<Arriving> },
}

type Outcome = Result<Arriving, Error>;

/// The answers of one round.
struct Round {
    outcomes: RefCell<Vec<Option<Outcome>>>,
    left: Cell<usize>,
    done: Signal,
}

impl Query {
    /// Asks the circles one after the other until all backends of one answer.
    ///
    /// An answer of trouble (500 and above) is passed on only when no circle has a better one.
    pub async fn gather(
        &self,
        choices: &[Choice],
        asker: &Cancel,
        question: impl Fn(&Place) -> Question,
    ) -> Result<Gathered, Refusal> {
        let mut trouble = String::from("there is no circle to ask");
        for (turn, choice) in choices.iter().enumerate() {
            if turn > 0 {
                self.meters.failovers.increment(1);
            }
            if asker.is_over() {
                break;
            }
            let is_last = turn + 1 == choices.len();
            let outcomes = self.ask_all(&choice.slots, asker, &question).await;
            match judge(choice, outcomes, is_last) {
                Ok(gathered) => return Ok(gathered),
                Err((slot, why)) => {
                    trouble = format!("{}: {why}", self.places[usize::from(slot)].label());
                }
            }
        }
        Err(Refusal::NoBackend { why: trouble, retry_after_s: 1 })
    }

    async fn ask_all(
        &self,
        slots: &[u16],
        asker: &Cancel,
        question: &impl Fn(&Place) -> Question,
    ) -> Vec<(u16, Outcome)> {
        let round = Rc::new(Round {
            outcomes: RefCell::new(slots.iter().map(|_| None).collect()),
            left: Cell::new(slots.len()),
            done: Signal::new(),
        });
        for (at, slot) in slots.iter().enumerate() {
            let client = self.clients[usize::from(*slot)].clone();
            let question = question(&client.place);
            spawn(Lane::Serve, round.clone().ask_one(at, client, question, asker.clone()));
        }
        while round.left.get() > 0 {
            round.done.wait().await;
        }
        let outcomes = round.outcomes.take().into_iter().zip(slots);
        outcomes.map(|(outcome, slot)| (*slot, outcome.expect("each task leaves one"))).collect()
    }
}

impl Round {
    async fn ask_one(
        self: Rc<Self>,
        at: usize,
        client: Rc<Client>,
        question: Question,
        asker: Cancel,
    ) {
        let outcome = ask(&client, &question, &asker).await;
        if matches!(outcome, Err(Error::Connect(_))) {
            client.forget_connections();
        }
        self.outcomes.borrow_mut()[at] = Some(outcome);
        self.left.set(self.left.get() - 1);
        self.done.raise();
    }
}

/// What the answers of one circle come to; else the backend that failed, and how.
fn judge(
    choice: &Choice,
    outcomes: Vec<(u16, Outcome)>,
    is_last: bool,
) -> Result<Gathered, (u16, String)> {
    let mut answers = Vec::new();
    let mut other = None;
    for (slot, outcome) in outcomes {
        let answer = outcome.map_err(|error| (slot, error.to_string()))?;
        if answer.is_trouble() && !is_last {
            return Err((slot, format!("it answered {}", answer.head.status)));
        }
        if answer.is_fine() {
            answers.push(answer);
        } else if other.is_none() {
            other = Some((slot, Box::new(answer)));
        }
    }
    Ok(match other {
        None => Gathered::All { choice: choice.clone(), answers },
        Some((slot, answer)) => Gathered::Other { choice: choice.clone(), slot, answer },
    })
}
