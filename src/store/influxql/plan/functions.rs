//! The functions by their families.

use super::calls::{count, positive};
use crate::store::influxql::expr::Expr;

/// Functions of the points before and after.
pub fn is_transform(name: &str) -> bool {
    matches!(
        name,
        "derivative"
            | "non_negative_derivative"
            | "difference"
            | "non_negative_difference"
            | "moving_average"
            | "cumulative_sum"
            | "elapsed"
    ) || is_technical(name)
}

/// The family that technical analysis brought.
pub fn is_technical(name: &str) -> bool {
    matches!(
        name,
        "exponential_moving_average"
            | "double_exponential_moving_average"
            | "triple_exponential_moving_average"
            | "relative_strength_index"
            | "triple_exponential_derivative"
            | "kaufmans_efficiency_ratio"
            | "kaufmans_adaptive_moving_average"
            | "chande_momentum_oscillator"
    )
}

/// A single one of these keeps the time of its point.
pub fn is_selector(name: &str) -> bool {
    matches!(name, "max" | "min" | "first" | "last" | "percentile" | "sample" | "top" | "bottom")
}

/// The arguments of a transform behind its first.
pub fn check_arguments(name: &str, arguments: &[Expr]) -> Result<(), String> {
    let got = arguments.len();
    match name {
        "difference" | "non_negative_difference" | "cumulative_sum" => count(name, 1, got),
        "moving_average" => {
            count(name, 2, got)?;
            match &arguments[1] {
                Expr::Integer(n) if *n <= 1 => {
                    Err(format!("moving_average window must be greater than 1, got {n}"))
                }
                Expr::Integer(_) => Ok(()),
                other => Err(format!(
                    "second argument for moving_average must be an integer, got {}",
                    other.go_type()
                )),
            }
        }
        _ if is_technical(name) => technical(name, arguments),
        _ => {
            if !(1..=2).contains(&got) {
                return Err(format!(
                    "invalid number of arguments for {name}, expected at least 1 but no more than 2, got {got}"
                ));
            }
            match arguments.get(1) {
                None => Ok(()),
                Some(Expr::Duration(ns)) => positive(*ns),
                Some(other) => Err(format!(
                    "second argument to {name} must be a duration, got {}",
                    other.go_type()
                )),
            }
        }
    }
}

fn technical(name: &str, arguments: &[Expr]) -> Result<(), String> {
    let kaufman = name.starts_with("kaufmans");
    let (got, max) = (arguments.len(), if kaufman { 3 } else { 4 });
    if !(2..=max).contains(&got) {
        return Err(format!(
            "invalid number of arguments for {name}, expected at least 2 but no more than {max}, got {got}"
        ));
    }
    match &arguments[1] {
        Expr::Integer(n) if *n < 1 => {
            return Err(format!("{name} period must be greater than or equal to 1"));
        }
        Expr::Integer(_) => {}
        _ => return Err(format!("{name} period must be an integer")),
    }
    match arguments.get(2) {
        None => {}
        Some(Expr::Integer(n)) if *n < -1 => {
            return Err(format!("{name} hold period must be greater than or equal to -1"));
        }
        Some(Expr::Integer(_)) => {}
        Some(_) => return Err(format!("{name} hold period must be an integer")),
    }
    match arguments.get(3) {
        None => Ok(()),
        Some(Expr::String(text)) if matches!(&**text, "exponential" | "simple") => Ok(()),
        Some(Expr::String(text)) if &**text == "none" && name == "chande_momentum_oscillator" => {
            Ok(())
        }
        Some(Expr::String(text)) => {
            Err(format!("{name} warmup type must be one of: 'exponential' 'simple', got {text}"))
        }
        Some(_) => Err(format!("{name} warmup type must be a string")),
    }
}
