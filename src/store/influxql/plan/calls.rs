//! The fields of a SELECT: which functions, with which arguments, beside which others.

use crate::store::influxql::expr::text::duration;
use crate::store::influxql::expr::{Expr, math};

/// What has been seen of the fields so far.
#[derive(Default)]
pub struct Calls {
    interval_ns: i64,
    limit: u64,
    /// Not where the answer is written into a measurement.
    adds_columns: bool,
    pub calls: usize,
    has_others: bool,
    has_distinct: bool,
    has_aggregate: bool,
    ranked: Option<String>,
}

type Checked = Result<(), String>;

pub fn count(name: &str, expected: usize, got: usize) -> Checked {
    if expected == got {
        return Ok(());
    }
    Err(format!("invalid number of arguments for {name}, expected {expected}, got {got}"))
}

fn between(name: &str, min: usize, max: usize, got: usize) -> Checked {
    if (min..=max).contains(&got) {
        return Ok(());
    }
    Err(format!(
        "invalid number of arguments for {name}, expected at least {min} but no more than {max}, got {got}"
    ))
}

impl Calls {
    pub fn new(interval_ns: i64, limit: u64, adds_columns: bool) -> Calls {
        Calls { interval_ns, limit, adds_columns, ..Calls::default() }
    }

    pub fn field(&mut self, expr: &Expr) -> Checked {
        self.expr(expr, &mut true)
    }

    /// `wildcards`: whether `*` and `/re/` may stand here.
    fn expr(&mut self, expr: &Expr, wildcards: &mut bool) -> Checked {
        match expr {
            Expr::Ref { .. } => self.has_others = true,
            Expr::Wildcard(_) | Expr::Regex(_) => {
                self.has_others = true;
                if !*wildcards {
                    let what = if matches!(expr, Expr::Regex(_)) { "regex" } else { "wildcard" };
                    return Err(format!("unable to use {what} in a binary expression"));
                }
            }
            Expr::Call { name, arguments } if math::arguments(name).is_some() => {
                count(name, math::arguments(name).expect("it is one"), arguments.len())?;
                if arguments.iter().all(Expr::is_literal) {
                    return Err("field must contain at least one variable".to_owned());
                }
                for argument in arguments.iter().filter(|argument| !argument.is_literal()) {
                    self.expr(argument, wildcards)?;
                }
            }
            Expr::Call { name, arguments } => {
                self.calls += 1;
                return self.call(name, arguments, *wildcards);
            }
            Expr::Distinct(name) => {
                self.calls += 1;
                return self.distinct(&[super::select::untyped(name)], false);
            }
            Expr::Binary { left, right, .. } => {
                *wildcards = false;
                match (left.is_literal(), right.is_literal()) {
                    (true, true) => {
                        let text = "cannot perform a binary expression on two literals";
                        return Err(text.to_owned());
                    }
                    (true, false) => self.expr(right, wildcards)?,
                    (false, true) => self.expr(left, wildcards)?,
                    (false, false) => {
                        self.expr(left, wildcards)?;
                        self.expr(right, wildcards)?;
                    }
                }
            }
            Expr::Paren(inner) => return self.expr(inner, wildcards),
            _ => return Err("field must contain at least one variable".to_owned()),
        }
        Ok(())
    }

    fn symbol(&mut self, name: &str, argument: &Expr, wildcards: bool) -> Checked {
        match argument {
            Expr::Ref { .. } => Ok(()),
            Expr::Wildcard(_) if !wildcards => {
                Err(format!("unsupported expression with wildcard: {name}()"))
            }
            Expr::Regex(_) if !wildcards => {
                Err(format!("unsupported expression with regex field: {name}()"))
            }
            Expr::Wildcard(_) | Expr::Regex(_) => {
                self.has_aggregate = true;
                Ok(())
            }
            _ => Err(format!("expected field argument in {name}()")),
        }
    }

    fn call(&mut self, name: &str, arguments: &[Expr], wildcards: bool) -> Checked {
        match name {
            "percentile" => {
                count(name, 2, arguments.len())?;
                if !matches!(arguments[1], Expr::Integer(_) | Expr::Number(_)) {
                    return Err("expected float argument in percentile()".to_owned());
                }
                self.symbol(name, &arguments[0], wildcards)
            }
            "sample" => {
                count(name, 2, arguments.len())?;
                match arguments[1] {
                    Expr::Integer(n) if n <= 0 => {
                        return Err(format!("sample window must be greater than 1, got {n}"));
                    }
                    Expr::Integer(_) => {}
                    _ => return Err("expected integer argument in sample()".to_owned()),
                }
                self.symbol(name, &arguments[0], wildcards)
            }
            "distinct" => self.distinct(arguments, false),
            "top" | "bottom" => self.ranked(name, arguments),
            "integral" => self.integral(arguments, wildcards),
            "holt_winters" | "holt_winters_with_fit" => self.holt_winters(name, arguments),
            _ if super::functions::is_transform(name) => self.transform(name, arguments, wildcards),
            _ => self.function(name, arguments, wildcards),
        }
    }

    fn function(&mut self, name: &str, arguments: &[Expr], wildcards: bool) -> Checked {
        match name {
            "max" | "min" | "first" | "last" => {}
            "count" | "sum" | "mean" | "median" | "mode" | "stddev" | "spread" => {
                self.has_aggregate = true;
            }
            _ => return Err(format!("undefined function {name}()")),
        }
        count(name, 1, arguments.len())?;
        match (&arguments[0], name) {
            (Expr::Call { name, arguments }, "count") if &**name == "distinct" => {
                self.distinct(arguments, true)
            }
            (Expr::Distinct(field), "count") => {
                self.distinct(&[super::select::untyped(field)], true)
            }
            (argument, _) => self.symbol(name, argument, wildcards),
        }
    }

    fn distinct(&mut self, arguments: &[Expr], is_nested: bool) -> Checked {
        if arguments.is_empty() {
            return Err("distinct function requires at least one argument".to_owned());
        }
        if arguments.len() > 1 {
            return Err("distinct function can only have one argument".to_owned());
        }
        if !matches!(arguments[0], Expr::Ref { .. }) {
            return Err("expected field argument in distinct()".to_owned());
        }
        self.has_distinct |= !is_nested;
        self.has_aggregate = true;
        Ok(())
    }

    fn ranked(&mut self, name: &str, arguments: &[Expr]) -> Checked {
        if let Some(other) = &self.ranked {
            return Err(format!(
                "selector function {other}() cannot be combined with other functions"
            ));
        }
        let [first, between @ .., last] = arguments else {
            let got = arguments.len();
            return Err(format!(
                "invalid number of arguments for {name}, expected at least 2, got {got}"
            ));
        };
        if arguments.len() < 2 {
            return Err(format!(
                "invalid number of arguments for {name}, expected at least 2, got 1"
            ));
        }
        match last {
            Expr::Integer(limit) if *limit <= 0 => {
                return Err(format!("limit ({limit}) in {name} function must be at least 1"));
            }
            Expr::Integer(limit) if self.limit > 0 && limit.unsigned_abs() > self.limit => {
                return Err(format!(
                    "limit ({limit}) in {name} function can not be larger than the LIMIT ({}) in the select statement",
                    self.limit
                ));
            }
            Expr::Integer(_) => {}
            other => {
                return Err(format!(
                    "expected integer as last argument in {name}(), found {other}"
                ));
            }
        }
        if !matches!(first, Expr::Ref { .. }) {
            return Err(format!(
                "expected first argument to be a field in {name}(), found {first}"
            ));
        }
        for one in between {
            if !matches!(one, Expr::Ref { .. }) {
                return Err(format!("only fields or tags are allowed in {name}(), found {one}"));
            }
            self.has_others |= self.adds_columns;
        }
        self.ranked = Some(name.to_owned());
        Ok(())
    }

    fn integral(&mut self, arguments: &[Expr], wildcards: bool) -> Checked {
        between("integral", 1, 2, arguments.len())?;
        match arguments.get(1) {
            None => {}
            Some(Expr::Duration(ns)) => positive(*ns)?,
            Some(_) => return Err("second argument must be a duration".to_owned()),
        }
        self.has_aggregate = true;
        self.symbol("integral", &arguments[0], wildcards)
    }

    fn holt_winters(&mut self, name: &str, arguments: &[Expr]) -> Checked {
        count(name, 3, arguments.len())?;
        match arguments[1] {
            Expr::Integer(n) if n <= 0 => {
                return Err(format!("second arg to {name} must be greater than 0, got {n}"));
            }
            Expr::Integer(_) => {}
            _ => return Err(format!("expected integer argument as second arg in {name}")),
        }
        match arguments[2] {
            Expr::Integer(n) if n < 0 => {
                return Err(format!("third arg to {name} cannot be negative, got {n}"));
            }
            Expr::Integer(_) => {}
            _ => return Err(format!("expected integer argument as third arg in {name}")),
        }
        self.has_aggregate = true;
        let Expr::Call { name: inner, arguments } = &arguments[0] else {
            return Err(format!("must use aggregate function with {name}"));
        };
        if self.interval_ns == 0 {
            return Err(format!("{name} aggregate requires a GROUP BY interval"));
        }
        self.nested(inner, arguments)
    }

    fn transform(&mut self, name: &str, arguments: &[Expr], wildcards: bool) -> Checked {
        super::functions::check_arguments(name, arguments)?;
        self.has_aggregate = true;
        match &arguments[0] {
            Expr::Call { name: inner, arguments } => {
                if self.interval_ns == 0 {
                    return Err(format!("{name} aggregate requires a GROUP BY interval"));
                }
                self.nested(inner, arguments)
            }
            _ if self.interval_ns != 0 => {
                Err(format!("aggregate function required inside the call to {name}"))
            }
            argument => self.symbol(name, argument, wildcards),
        }
    }

    fn nested(&mut self, name: &str, arguments: &[Expr]) -> Checked {
        match name {
            "percentile" | "sample" | "top" | "bottom" | "integral" => {
                self.call(name, arguments, true)
            }
            "distinct" => self.distinct(arguments, true),
            _ => self.function(name, arguments, true),
        }
    }

    /// What no field alone shows.
    pub fn whole(&self) -> Checked {
        if let (Some(name), 2..) = (&self.ranked, self.calls) {
            return Err(format!(
                "selector function {name}() cannot be combined with other functions"
            ));
        }
        if self.has_distinct && (self.calls != 1 || self.has_others) {
            return Err(
                "aggregate function distinct() cannot be combined with other functions or fields"
                    .to_owned(),
            );
        }
        if self.has_others && self.has_aggregate {
            return Err("mixing aggregate and non-aggregate queries is not supported".to_owned());
        }
        if self.has_others && self.calls > 1 {
            return Err("mixing multiple selector functions with tags or fields is not supported"
                .to_owned());
        }
        Ok(())
    }
}

pub fn positive(ns: i64) -> Checked {
    if ns > 0 {
        return Ok(());
    }
    Err(format!("duration argument must be positive, got {}", duration(ns)))
}
