//! Expressions as InfluxDB prints them.

use super::{Expr, Kind};
use crate::proto::influxql::{identifier, quoted};
use crate::proto::moment;
use std::fmt::{self, Display, Formatter};

impl Display for Expr {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Ref { name, kind } => {
                out.write_str(&identifier(name))?;
                match kind {
                    Kind::Unknown => Ok(()),
                    Kind::Value(kind) => write!(out, "::{}", kind.name()),
                    Kind::Tag => out.write_str("::tag"),
                    Kind::AnyField => out.write_str("::field"),
                }
            }
            Expr::Call { name, arguments } => {
                write!(out, "{name}(")?;
                for (at, argument) in arguments.iter().enumerate() {
                    write!(out, "{}{argument}", if at > 0 { ", " } else { "" })?;
                }
                out.write_str(")")
            }
            Expr::Binary { operator, left, right } => {
                write!(out, "{left} {} {right}", operator.text())
            }
            Expr::Paren(inner) => write!(out, "({inner})"),
            Expr::Distinct(name) => write!(out, "DISTINCT {}", identifier(name)),
            Expr::Wildcard(kind) => out.write_str(match kind {
                None => "*",
                Some(true) => "*::tag",
                Some(false) => "*::field",
            }),
            Expr::Regex(pattern) => write!(out, "/{}/", pattern.text.replace('/', "\\/")),
            Expr::String(text) => out.write_str(&quoted(text, '\'')),
            Expr::Number(number) => write!(out, "{number:.3}"),
            Expr::Integer(number) => write!(out, "{number}"),
            Expr::Unsigned(number) => write!(out, "{number}"),
            Expr::Boolean(value) => write!(out, "{value}"),
            Expr::Duration(ns) => out.write_str(&duration(*ns)),
            Expr::Time(ns) => {
                let ns = i64::try_from(*ns).unwrap_or(i64::MAX);
                write!(out, "'{}'", moment::text(ns))
            }
        }
    }
}

/// In the largest whole unit.
pub fn duration(ns: i64) -> String {
    const UNITS: [(i64, &str); 8] = [
        (604_800_000_000_000, "w"),
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "u"),
        (1, "ns"),
    ];
    if ns == 0 {
        return "0s".to_owned();
    }
    let (unit_ns, unit) = UNITS.iter().find(|(unit, _)| ns % unit == 0).unwrap_or(&(1, "ns"));
    format!("{}{unit}", ns / unit_ns)
}

/// As Go prints a duration: `168h0m0s`.
pub fn go_duration(ns: i64) -> String {
    let (sign, ns) = (if ns < 0 { "-" } else { "" }, ns.unsigned_abs());
    let fraction = |ns: u64, unit: u64, name: &str| {
        let text = format!("{}.{:0width$}", ns / unit, ns % unit, width = unit.ilog10() as usize);
        format!("{sign}{}{name}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    match ns {
        0 => "0s".to_owned(),
        1..1_000 => format!("{sign}{ns}ns"),
        1_000..1_000_000 => fraction(ns, 1_000, "µs"),
        1_000_000..1_000_000_000 => fraction(ns, 1_000_000, "ms"),
        _ => {
            let (minutes, rest) = (ns / 60_000_000_000, ns % 60_000_000_000);
            let seconds = format!("{}.{:09}", rest / 1_000_000_000, rest % 1_000_000_000);
            let seconds = seconds.trim_end_matches('0').trim_end_matches('.').to_owned();
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{sign}{seconds}s"),
                (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
                (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}
