//! Scales of a plot, and the numbers that stand beside them.

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    Linear,
    Log,
}

/// An axis from `low` to `high`, with what stands at which value.
#[derive(Clone, Debug)]
pub struct Axis {
    pub label: &'static str,
    pub scale: Scale,
    pub low: f64,
    pub high: f64,
    pub ticks: Vec<(f64, String)>,
}

const TICKS: f64 = 5.0;

impl Axis {
    /// From 0 to a round number that is not below any of the values.
    pub fn linear(label: &'static str, values: impl Iterator<Item = f64>) -> Self {
        let top = values.fold(0.0, f64::max).max(1e-3);
        let step = round_step(top / TICKS);
        let count = (top / step).ceil().max(1.0) as u32;
        let ticks = (0..=count).map(|at| (f64::from(at) * step, short(f64::from(at) * step)));
        Axis {
            label,
            scale: Scale::Linear,
            low: 0.0,
            high: f64::from(count) * step,
            ticks: ticks.collect(),
        }
    }

    /// From 0 to the highest value, with round numbers on the way.
    pub fn until(label: &'static str, values: impl Iterator<Item = f64>) -> Self {
        let high = values.fold(0.0, f64::max).max(1e-3);
        let mut axis = Axis::linear(label, [high].into_iter());
        axis.ticks.retain(|(at, _)| *at <= high * 1.02);
        axis.high = high;
        axis
    }

    /// Times in nanoseconds, by powers of ten around all values; with 2 and 5 between if those are few.
    pub fn times(label: &'static str, values: impl Iterator<Item = f64>) -> Self {
        let (mut low, mut high) = (f64::MAX, 0.0f64);
        for value in values.filter(|value| *value > 0.0) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            (low, high) = (1e3, 1e6);
        }
        let (mut low, mut high) = (floor_125(low), ceil_125(high));
        if high / low < 9.0 {
            (low, high) = (floor_125(low / 1.5), ceil_125(high * 1.5));
        }
        let decades = (high / low).log10();
        let parts: &[f64] = if decades <= 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let powers = (low.log10().floor() as i32)..=(high.log10().ceil() as i32);
        let ticks = powers.flat_map(|power| parts.iter().map(move |part| part * 10f64.powi(power)));
        let ticks = ticks.filter(|at| (low * 0.999..=high * 1.001).contains(at));
        let ticks = ticks.map(|at| (at, time(at))).collect();
        Axis { label, scale: Scale::Log, low, high, ticks }
    }

    /// Shares of requests as 1/(1-share): each nine takes as much room as the one before.
    pub fn nines(label: &'static str, high: f64) -> Self {
        const SHARES: [(f64, &str); 8] = [
            (1.0, "0%"),
            (2.0, "50%"),
            (10.0, "90%"),
            (100.0, "99%"),
            (1e3, "99.9%"),
            (1e4, "99.99%"),
            (1e5, "99.999%"),
            (1e6, "99.9999%"),
        ];
        let high = high.max(10.0);
        let ticks = SHARES.iter().filter(|(at, _)| *at <= high);
        let ticks = ticks.map(|(at, text)| (*at, (*text).to_owned())).collect();
        Axis { label, scale: Scale::Log, low: 1.0, high, ticks }
    }

    /// Where a value stands: 0 at the low end, 1 at the high end.
    pub fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        };
        place.clamp(0.0, 1.0)
    }
}

/// The next of 1, 2, 5, 10, ... that is not below.
fn round_step(value: f64) -> f64 {
    ceil_125(value)
}

fn ceil_125(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|part| part * power);
    steps.into_iter().find(|step| *step >= value * 0.999_999).unwrap_or(10.0 * power)
}

fn floor_125(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let steps = [5.0, 2.0, 1.0].map(|part| part * power);
    steps.into_iter().find(|step| *step <= value * 1.000_001).unwrap_or(power)
}

/// A number with three digits and k, M or G.
pub fn short(value: f64) -> String {
    // Rounded first, so that 999,999 is 1 M and not 1000 k.
    let power = value.abs().max(1e-9).log10().floor() as i32;
    let unit = 10f64.powi(power - 2);
    let value = (value / unit).round() * unit;
    let (scaled, unit) = match value.abs() * 1.000_000_1 {
        size if size >= 1e9 => (value / 1e9, " G"),
        size if size >= 1e6 => (value / 1e6, " M"),
        size if size >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = (2 - scaled.abs().max(1e-9).log10().floor() as i32).clamp(0, 4) as usize;
    let text = format!("{scaled:.digits$}");
    let is_part = text.contains('.');
    let text = if is_part { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// A time beside an axis: round numbers only.
fn time(ns: f64) -> String {
    match ns {
        ns if ns >= 0.999e9 => format!("{} s", short(ns / 1e9)),
        ns if ns >= 0.999e6 => format!("{} ms", short(ns / 1e6)),
        ns if ns >= 0.999e3 => format!("{} us", short(ns / 1e3)),
        ns => format!("{} ns", short(ns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_hold_every_value() {
        let axis = Axis::linear("x", [3.0, 740_000.0].into_iter());
        assert_eq!(axis.high, 800_000.0);
        assert_eq!(axis.ticks.last().unwrap().1, "800 k");
        let axis = Axis::times("x", [130_000.0, 40_000_000.0].into_iter());
        assert_eq!((axis.low, axis.high), (100_000.0, 50_000_000.0));
        let texts: Vec<_> = axis.ticks.iter().map(|(_, text)| &**text).collect();
        assert_eq!(texts, ["100 us", "1 ms", "10 ms"]);
        for values in [vec![], vec![0.0], vec![5e6], vec![1.0, 4e12]] {
            let axis = Axis::times("x", values.into_iter());
            assert!(axis.high > axis.low && !axis.ticks.is_empty(), "{axis:?}");
            assert!(axis.ticks.len() < 16, "{axis:?}");
        }
    }

    #[test]
    fn every_nine_takes_equal_room() {
        let axis = Axis::nines("x", 1e4);
        let places: Vec<f64> = axis.ticks.iter().map(|(at, _)| axis.place(*at)).collect();
        assert!((places[3] - 0.5).abs() < 1e-9 && (places[4] - 0.75).abs() < 1e-9);
        assert_eq!(axis.ticks.last().unwrap().1, "99.99%");
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (1234.0, "1230"),
            (999_965.0, "1 M"),
            (0.006, "0.006"),
            (0.0875, "0.0875"),
            (0.25, "0.25"),
            (9_990_000.0, "9.99 M"),
            (45_600.0, "45.6 k"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
