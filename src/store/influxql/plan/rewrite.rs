//! Wildcards become names, and names get their types.

use super::select::{Field, Name, Select, Source};
use crate::store::influxql::expr::types::{self, Schema};
use crate::store::influxql::expr::{Expr, Kind};
use crate::store::value::FieldType;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Subqueries first.
pub fn rewrite(select: &mut Select, schema: &dyn Schema) -> Result<(), String> {
    for source in &mut select.sources {
        if let Source::Subquery(inner) = source {
            rewrite(inner, schema)?;
        }
    }
    let sources = std::mem::take(&mut select.sources);
    let mut typed = |expr: &mut Expr| {
        if let Expr::Ref { name, kind } = expr
            && matches!(kind, Kind::Unknown | Kind::AnyField)
        {
            let found = types::reference(name, *kind, &sources, schema);
            if !(found == Kind::Tag && *kind == Kind::AnyField) {
                *kind = found;
            }
        }
    };
    for field in &mut select.fields {
        field.expr.walk_mut(&mut typed);
    }
    if let Some(condition) = &mut select.condition {
        condition.walk_mut(&mut typed);
    }
    select.sources = sources;
    wildcards(select, schema)?;
    select
        .fields
        .iter()
        .try_for_each(|field| types::of(&field.expr, &select.sources, schema).map(|_| ()))
}

fn is_wild(expr: &Expr) -> bool {
    matches!(expr, Expr::Wildcard(_) | Expr::Regex(_))
}

fn wildcards(select: &mut Select, schema: &dyn Schema) -> Result<(), String> {
    let mut has_wild_field = false;
    for field in &select.fields {
        field.expr.walk(&mut |expr| has_wild_field |= is_wild(expr));
    }
    let has_wild_dimension = select.dimensions.iter().any(is_wild);
    if !has_wild_field && !has_wild_dimension {
        return Ok(());
    }
    let (fields, mut tags) = names(&select.sources, schema);
    let mut all: Vec<(Arc<str>, Kind)> = fields.into_iter().collect();
    if !has_wild_dimension {
        let dimensions = select.dimension_names();
        tags.retain(|tag| !dimensions.contains(tag));
        all.extend(tags.iter().map(|tag| (tag.clone(), Kind::Tag)));
        tags.clear();
    }
    // A field stands before a tag of its name.
    all.sort_by(|a, b| a.0.cmp(&b.0).then((a.1 == Kind::Tag).cmp(&(b.1 == Kind::Tag))));
    if has_wild_field {
        let mut expanded = Vec::new();
        for field in std::mem::take(&mut select.fields) {
            expand(field, &all, &mut expanded)?;
        }
        select.fields = expanded;
    }
    let mut dimensions = Vec::new();
    for dimension in std::mem::take(&mut select.dimensions) {
        let name = |tag: &Arc<str>| Expr::Ref { name: tag.clone(), kind: Kind::Tag };
        match &dimension {
            Expr::Wildcard(_) => dimensions.extend(tags.iter().map(name)),
            Expr::Regex(pattern) => {
                dimensions.extend(tags.iter().filter(|tag| pattern.matches(tag)).map(name));
            }
            _ => dimensions.push(dimension),
        }
    }
    select.dimensions = dimensions;
    Ok(())
}

/// All fields and tags of the sources.
fn names(sources: &[Source], schema: &dyn Schema) -> (BTreeMap<Arc<str>, Kind>, Vec<Arc<str>>) {
    let mut fields: BTreeMap<Arc<str>, Kind> = BTreeMap::new();
    let mut tags = Vec::new();
    let mut add = |name: Arc<str>, kind: Kind| {
        let known = fields.entry(name).or_insert(Kind::Unknown);
        *known = known.better(kind);
    };
    for source in sources {
        match source {
            Source::Measurement(measurement) => {
                let (of, keys) = schema.names(measurement);
                of.into_iter().for_each(|(name, kind)| add(name, kind));
                tags.extend(keys);
            }
            Source::Subquery(inner) => {
                for field in &inner.fields {
                    let kind = types::of(&field.expr, &inner.sources, schema);
                    add(field.name().into(), kind.unwrap_or(Kind::Unknown));
                    for added in super::select::added_by(&field.expr) {
                        if let Expr::Ref { name, kind } = added {
                            add(name.clone(), *kind);
                        }
                    }
                }
                tags.extend(inner.dimension_names());
            }
        }
    }
    tags.sort();
    tags.dedup();
    (fields, tags)
}

fn expand(field: Field, all: &[(Arc<str>, Kind)], out: &mut Vec<Field>) -> Result<(), String> {
    let plain = |(name, kind): &(Arc<str>, Kind)| Field {
        expr: Expr::Ref { name: name.clone(), kind: *kind },
        alias: None,
    };
    match &field.expr {
        Expr::Wildcard(only) => {
            let fits = |kind: Kind| only.is_none_or(|tags| tags == (kind == Kind::Tag));
            out.extend(all.iter().filter(|(_, kind)| fits(*kind)).map(plain));
        }
        Expr::Regex(pattern) => {
            out.extend(all.iter().filter(|(name, _)| pattern.matches(name)).map(plain));
        }
        Expr::Call { .. } => return expand_call(field, all, out),
        _ => out.push(field),
    }
    Ok(())
}

/// The innermost first argument of nested calls, and the name of its call.
fn innermost(expr: &mut Expr) -> Option<(Arc<str>, &mut Expr)> {
    let Expr::Call { name, arguments } = expr else { return None };
    let name = name.clone();
    let first = arguments.first_mut()?;
    if matches!(first, Expr::Call { .. }) { innermost(first) } else { Some((name, first)) }
}

fn expand_call(field: Field, all: &[(Arc<str>, Kind)], out: &mut Vec<Field>) -> Result<(), String> {
    let name = field.name();
    let mut template = field.expr.clone();
    let Some((call, argument)) = innermost(&mut template) else {
        out.push(field);
        return Ok(());
    };
    let pattern = match argument {
        Expr::Wildcard(Some(true)) => {
            return Err(format!("unable to use tag wildcard in {call}()"));
        }
        Expr::Wildcard(_) => None,
        Expr::Regex(pattern) => Some(pattern.clone()),
        _ => {
            out.push(field);
            return Ok(());
        }
    };
    for (known, kind) in all {
        let Kind::Value(of) = kind else { continue };
        if !takes(&call, *of) || pattern.as_ref().is_some_and(|one| !one.matches(known)) {
            continue;
        }
        let mut expr = field.expr.clone();
        if let Some((_, argument)) = innermost(&mut expr) {
            *argument = Expr::Ref { name: known.clone(), kind: *kind };
        }
        out.push(Field { expr, alias: Some(format!("{name}_{known}")) });
    }
    Ok(())
}

/// Whether a wildcard in this function stands for fields of this type.
fn takes(call: &str, of: FieldType) -> bool {
    let any =
        matches!(call, "count" | "first" | "last" | "distinct" | "elapsed" | "mode" | "sample");
    match of {
        FieldType::Float | FieldType::Integer | FieldType::Unsigned => true,
        FieldType::String => any,
        FieldType::Boolean => any || matches!(call, "min" | "max"),
    }
}

/// InfluxDB's own names for what SHOW shows.
pub fn refuse_system(name: &Name) -> Result<(), String> {
    let Name::Exact(name) = name else { return Ok(()) };
    let instead = match &**name {
        "_fieldKeys" => "SHOW FIELD KEYS",
        "_measurements" => "SHOW MEASUREMENTS",
        "_series" => "SHOW SERIES",
        "_tagKeys" => "SHOW TAG KEYS",
        "_tags" => "SHOW TAG VALUES",
        _ => return Ok(()),
    };
    Err(format!("unable to use system source '{name}': use {instead} instead"))
}
