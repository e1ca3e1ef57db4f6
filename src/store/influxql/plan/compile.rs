//! What a SELECT may say, in the order in which InfluxDB looks, and with its words.

use super::calls::Calls;
use super::select::{Select, Source};
use crate::proto::influxql::Fill;
use crate::store::influxql::expr::condition::{Bounds, MAX_NS, MIN_NS, split};
use crate::store::influxql::expr::fold::{Clock, fold, time_literal};
use crate::store::influxql::expr::{Expr, is_time, math};

/// What the statement around it passes on to a subquery.
struct Outer {
    ascending: bool,
    interval_ns: i64,
}

/// Checks, and takes WHERE and GROUP BY apart.
pub fn compile(select: &mut Select, now_ns: i64) -> Result<(), String> {
    statement(select, now_ns, None)
}

fn statement(select: &mut Select, now_ns: i64, outer: Option<&Outer>) -> Result<(), String> {
    prepare(select, now_ns)?;
    if let Some(outer) = outer {
        if select.says_order && select.ascending != outer.ascending {
            let text = "subqueries must be ordered in the same direction as the query itself";
            return Err(text.to_owned());
        }
        select.ascending = outer.ascending;
    }
    let inherited = outer.map_or(0, |outer| outer.interval_ns);
    let is_inherited = select.interval_ns == 0 && inherited != 0;
    let interval_ns = if is_inherited { inherited } else { select.interval_ns };
    fields(select, interval_ns, is_inherited)?;
    let here = Outer { ascending: select.ascending, interval_ns };
    for source in &mut select.sources {
        if let Source::Subquery(inner) = source {
            inner.has_time = false;
            statement(inner, now_ns, Some(&here))?;
        }
    }
    rewrite(select);
    Ok(())
}

fn prepare(select: &mut Select, now_ns: i64) -> Result<(), String> {
    let zone = select.zone.clone();
    let clock = Clock { now_ns: Some(now_ns), zone: zone.as_deref() };
    if let Some(condition) = &select.condition {
        let (condition, bounds) = split(condition, clock)?;
        if let Some(condition) = &condition {
            check_condition(condition)?;
        }
        (select.condition, select.bounds) = (condition, bounds);
    }
    dimensions(select, clock)
}

fn check_condition(expr: &Expr) -> Result<(), String> {
    match expr {
        Expr::Binary { left, right, .. } => {
            check_condition(left)?;
            check_condition(right)
        }
        Expr::Paren(inner) => check_condition(inner),
        Expr::Call { name, arguments } => {
            if math::arguments(name).is_none() {
                return Err(format!("invalid function call in condition: {expr}"));
            }
            let expected = if matches!(&**name, "atan2" | "pow") { 2 } else { 1 };
            super::calls::count(name, expected, arguments.len())?;
            arguments.iter().try_for_each(check_condition)
        }
        _ => Ok(()),
    }
}

fn dimensions(select: &mut Select, clock: Clock<'_>) -> Result<(), String> {
    let mut kept = Vec::new();
    for dimension in std::mem::take(&mut select.dimensions) {
        match fold(dimension, Clock::default()) {
            Expr::Ref { name, .. } if is_time(&name) => {
                return Err("time() is a function and expects at least one argument".to_owned());
            }
            Expr::Call { name, arguments } => {
                if &*name != "time" {
                    return Err("only time() calls allowed in dimensions".to_owned());
                }
                time_dimension(select, &arguments, clock)?;
            }
            expr @ (Expr::Ref { .. } | Expr::Wildcard(_) | Expr::Regex(_)) => kept.push(expr),
            _ => return Err("only time and tag dimensions allowed".to_owned()),
        }
    }
    select.dimensions = kept;
    Ok(())
}

fn time_dimension(select: &mut Select, arguments: &[Expr], clock: Clock<'_>) -> Result<(), String> {
    if arguments.is_empty() || arguments.len() > 2 {
        return Err("time dimension expected 1 or 2 arguments".to_owned());
    }
    let Expr::Duration(interval_ns) = arguments[0] else {
        return Err("time dimension must have duration argument".to_owned());
    };
    if select.interval_ns != 0 {
        return Err("multiple time dimensions not allowed".to_owned());
    }
    // Nothing, or less, is no window at all.
    select.interval_ns = interval_ns.max(0);
    let within = |ns: i64| if interval_ns == 0 { 0 } else { ns % interval_ns };
    select.offset_ns = match arguments.get(1) {
        None => 0,
        Some(Expr::Duration(ns)) => within(*ns),
        Some(Expr::Call { name, arguments }) if &**name == "now" && arguments.is_empty() => {
            within(clock.now_ns.unwrap_or(0))
        }
        Some(Expr::Call { name, .. }) if &**name == "now" => {
            return Err("time dimension offset now() function requires no arguments".to_owned());
        }
        Some(Expr::Call { .. }) => {
            return Err("time dimension offset function must be now()".to_owned());
        }
        Some(Expr::String(text)) if time_literal(text, clock).is_some() => {
            // Said to be allowed, and refused by a later stage of InfluxDB 1.6.
            let offset = &arguments[1];
            return Err(format!("invalid time dimension offset: {offset}"));
        }
        Some(_) => return Err("time dimension offset must be duration or now()".to_owned()),
    };
    Ok(())
}

fn fields(select: &mut Select, interval_ns: i64, is_inherited: bool) -> Result<(), String> {
    let limit = select.limits.limit.unwrap_or(0);
    let mut calls = Calls::new(interval_ns, limit, select.into.is_none());
    let mut count = 0;
    for field in &mut select.fields {
        if matches!(&field.expr, Expr::Ref { name, .. } if &**name == "time") {
            continue;
        }
        count += 1;
        field.expr = fold(field.expr.clone(), Clock::default());
        calls.field(&field.expr)?;
    }
    if count == 0 {
        return Err("at least 1 non-time field must be queried".to_owned());
    }
    calls.whole()?;
    if calls.calls == 0 {
        match select.fill {
            Fill::None => return Err("fill(none) must be used with a function".to_owned()),
            Fill::Linear => return Err("fill(linear) must be used with a function".to_owned()),
            _ => {}
        }
        if interval_ns != 0 && !is_inherited {
            return Err("GROUP BY requires at least one aggregate function".to_owned());
        }
    }
    Ok(())
}

/// DISTINCT becomes a call; the first `time` names the first column and vanishes.
fn rewrite(select: &mut Select) {
    for field in &mut select.fields {
        field.expr.walk_mut(&mut |expr| {
            if let Expr::Distinct(name) = expr {
                let arguments = vec![super::select::untyped(name)];
                *expr = Expr::Call { name: "distinct".into(), arguments };
            }
        });
    }
    let is_plain_time = |expr: &Expr| matches!(expr, Expr::Ref { name, .. } if &**name == "time");
    let aliases: Vec<usize> =
        (0..select.fields.len()).filter(|at| is_plain_time(&select.fields[*at].expr)).collect();
    let mut named = None;
    let mut gone = Vec::new();
    for at in aliases {
        match &select.fields[at].alias {
            Some(alias) if named.is_none() => {
                named = Some(alias.clone());
                gone.push(at);
            }
            Some(_) => {}
            None => gone.push(at),
        }
    }
    let mut at = 0;
    select.fields.retain(|_| {
        at += 1;
        !gone.contains(&(at - 1))
    });
    select.time_alias = named;
}

/// Where windows need an end, it is now.
pub fn range(select: &Select, now_ns: i64) -> (i64, i64) {
    let Bounds { min_ns, max_ns } = select.bounds;
    let open = if select.interval_ns > 0 { now_ns } else { MAX_NS };
    (min_ns.unwrap_or(MIN_NS), max_ns.unwrap_or(open))
}
