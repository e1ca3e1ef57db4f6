//! The highest rate that holds: steps up until one fails, then halves the gap, then proves the result.
//! A rate fails only if it does so twice, so that one hiccup of a busy machine does not end a search.
//!
//! A search knows nothing of requests: it names a rate and is told whether that held.

/// Factor between two steps up.
const STEP: f64 = 1.6;
/// The search ends when a failing rate is no more than this factor above a holding one.
const GAP: f64 = 1.05;
/// A rate that does not hold when it is proved is lowered by this factor.
const BACK: f64 = 0.95;
const RUNS_MAX: u32 = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Looking for a rate that fails, or for one that holds where none is known.
    Step,
    Bisect,
    /// Is the result true? This run is longer.
    Confirm,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Phase::Step => "step",
            Phase::Bisect => "bisect",
            Phase::Confirm => "confirm",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Search {
    phase: Phase,
    rate: f64,
    holds: Option<f64>,
    fails: Option<f64>,
    /// Whether the rate tried last has failed once before.
    is_second: bool,
    runs: u32,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    Try(Phase, f64),
    /// The highest rate that was proved; None if none held.
    Done(Option<f64>),
}

impl Search {
    pub fn from(rate: f64) -> Self {
        Search { phase: Phase::Step, rate, holds: None, fails: None, is_second: false, runs: 0 }
    }

    pub fn first(&self) -> Next {
        Next::Try(self.phase, self.rate)
    }

    /// What to do after the rate tried last held, or did not.
    pub fn next(&mut self, held: bool) -> Next {
        self.runs += 1;
        if !held && !self.is_second && self.runs < RUNS_MAX {
            self.is_second = true;
            return Next::Try(self.phase, self.rate);
        }
        self.is_second = false;
        if held {
            self.holds = Some(self.rate);
        } else {
            self.fails = Some(self.rate);
        }
        if self.phase == Phase::Confirm && held {
            return Next::Done(Some(self.rate));
        }
        if self.runs >= RUNS_MAX || self.rate < 1.0 {
            return Next::Done(None);
        }
        (self.phase, self.rate) = match (self.phase, self.holds, self.fails) {
            (Phase::Confirm, ..) => (Phase::Confirm, self.rate * BACK),
            (_, Some(holds), None) => (Phase::Step, holds * STEP),
            (_, None, _) => (Phase::Step, self.rate / STEP / STEP),
            (_, Some(holds), Some(fails)) if fails > holds * GAP => {
                (Phase::Bisect, (holds * fails).sqrt())
            }
            (_, Some(holds), Some(_)) => (Phase::Confirm, holds),
        };
        Next::Try(self.phase, self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Searches a server that holds up to `limit`; gives the result and the number of runs.
    fn searched(from: f64, limit: impl Fn(Phase) -> f64) -> (Option<f64>, u32) {
        let mut search = Search::from(from);
        let mut next = search.first();
        for runs in 0.. {
            match next {
                Next::Done(rate) => return (rate, runs),
                Next::Try(phase, rate) => next = search.next(rate <= limit(phase)),
            }
        }
        unreachable!()
    }

    #[test]
    fn the_limit_is_found_from_below_and_from_above() {
        for from in [10.0, 999.0, 1001.0, 50_000.0] {
            let (rate, runs) = searched(from, |_| 1000.0);
            let rate = rate.unwrap();
            assert!((1000.0 / GAP..=1000.0).contains(&rate), "{rate} from {from}");
            assert!(runs < 30, "{runs} runs from {from}");
        }
    }

    #[test]
    fn a_rate_that_does_not_hold_when_proved_is_lowered() {
        let limit = |phase| if phase == Phase::Confirm { 800.0 } else { 1000.0 };
        let rate = searched(100.0, limit).0.unwrap();
        assert!((700.0..=800.0).contains(&rate), "{rate}");
    }

    #[test]
    fn a_server_that_never_holds_ends_the_search() {
        assert_eq!(searched(1e6, |_| 0.0).0, None);
    }

    #[test]
    fn one_hiccup_does_not_fail_a_rate() {
        let mut search = Search::from(100.0);
        assert_eq!(search.next(false), Next::Try(Phase::Step, 100.0));
        assert_eq!(search.next(true), Next::Try(Phase::Step, 100.0 * STEP));
    }
}
