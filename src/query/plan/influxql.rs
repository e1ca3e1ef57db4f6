//! The plan for InfluxQL.
//!
//! Read on in `steps` (a text that one backend cannot answer, statement by statement), `spread` (a statement as each
//! of several backends must be asked it) and `known` (what the backends must be asked before).

pub mod known;
pub mod spread;
pub mod steps;
mod stops;

use super::{Plan, Refusal, SEVERAL, both, statements};
use crate::proto::influxql::{
    self as language, Measurement, MeasurementName, Params, Select, Show, ShowSchema, Source,
    Statement, Subject,
};
use crate::ring::{Naming, Target};

/// The text of such a query must be written anew, with the names that the backends have: see [`steps`].
pub const RENAMED: &str = "a query that spells the name of a renamed database";

/// What a request says beside the text.
#[derive(Clone, Copy)]
struct Context<'a> {
    database: Option<&'a str>,
    policy: Option<&'a str>,
    naming: &'a Naming,
}

/// Who answers `text`, with `db` and `rp` of the request and the values of its `$name`s.
///
/// A statement without any database is anybody's: each backend answers that it is required.
pub fn plan(
    text: &str,
    db: Option<&str>,
    rp: Option<&str>,
    naming: &Naming,
    params: &Params,
) -> Result<Plan, Refusal> {
    let statements = language::parse(text, params)
        .map_err(|error| Refusal::Parse { message: format!("error parsing query: {error}") })?;
    let said = |name: &&str| !name.is_empty();
    let context = Context { database: db.filter(said), policy: rp.filter(said), naming };
    let mut plans = Vec::new();
    let mut renamed = None;
    for statement in &statements {
        match context.statement(statement) {
            Err(Refusal::NotYet { what }) if what == RENAMED => renamed = Some(what),
            plan => plans.push(plan?),
        }
    }
    if plans.iter().any(|plan| matches!(plan, Plan::Everywhere { .. })) {
        return Ok(Plan::Everywhere { statements });
    }
    if let Some(what) = renamed {
        return Err(Refusal::NotYet { what });
    }
    plans.into_iter().try_fold(Plan::AnyBackend, both)
}

impl Context<'_> {
    fn statement(&self, statement: &Statement) -> Result<Plan, Refusal> {
        match statement {
            Statement::Select(select) | Statement::Explain { select, .. } => self.select(select),
            Statement::Show(show) => self.show(show),
            other => match statements::never(other) {
                None => Ok(Plan::Everywhere { statements: vec![other.clone()] }),
                Some((what, why)) => {
                    Err(Refusal::CannotMerge { why: format!("{what} is not run: {why}") })
                }
            },
        }
    }

    fn select(&self, select: &Select) -> Result<Plan, Refusal> {
        if writes(select) {
            return Err(Refusal::not_yet("SELECT INTO"));
        }
        self.sources(&select.sources, self.database, SEVERAL)
    }

    fn show(&self, show: &Show) -> Result<Plan, Refusal> {
        let what = match show {
            Show::Databases => return Ok(Plan::AnyBackend),
            Show::RetentionPolicies { database } => {
                if let Some(database) = database {
                    self.spelled(Some(database), None, &self.naming.v1(database, None))?;
                }
                return Ok(Plan::AnyBackend);
            }
            Show::Schema(schema) => return self.show_schema(schema),
            Show::Users => "SHOW USERS",
            Show::Grants { .. } => "SHOW GRANTS",
            Show::ContinuousQueries => "SHOW CONTINUOUS QUERIES",
            Show::Subscriptions => "SHOW SUBSCRIPTIONS",
            Show::Queries => return Err(of_one_backend("SHOW QUERIES")),
            Show::Shards => return Err(of_one_backend("SHOW SHARDS")),
            Show::ShardGroups => return Err(of_one_backend("SHOW SHARD GROUPS")),
            Show::Stats { .. } => return Err(of_one_backend("SHOW STATS")),
            Show::Diagnostics { .. } => return Err(of_one_backend("SHOW DIAGNOSTICS")),
        };
        Ok(Plan::WholeCircle { what: format!("{what} over several backends") })
    }

    fn show_schema(&self, schema: &ShowSchema) -> Result<Plan, Refusal> {
        let on = schema.database.as_deref();
        let what = format!("{} over several measurements", title(schema));
        if schema.sources.is_empty() {
            return Ok(match on.or(self.database) {
                None => Plan::AnyBackend,
                Some(database) => {
                    let target = self.naming.v1(database, self.policy);
                    self.spelled(on, None, &target)?;
                    Plan::WholeCircle { what }
                }
            });
        }
        if let Some(on) = on {
            for source in &schema.sources {
                let Source::Measurement(measurement) = source else { continue };
                if measurement.database.as_deref().is_some_and(|database| database != on) {
                    return Err(Refusal::not_yet("SHOW with two databases"));
                }
            }
            self.spelled(Some(on), None, &self.naming.v1(on, self.policy))?;
        }
        self.sources(&schema.sources, on.or(self.database), &what)
    }

    /// The plan for what these sources name; `database` is for those that name none.
    fn sources(
        &self,
        sources: &[Source],
        database: Option<&str>,
        what: &str,
    ) -> Result<Plan, Refusal> {
        let mut found: Option<Plan> = None;
        for source in sources {
            let next = match source {
                Source::Measurement(measurement) => self.source(measurement, database, what)?,
                Source::Subquery(select) => self.sources(&select.sources, database, what)?,
            };
            found = Some(match found {
                None => next,
                Some(plan) => match both(plan, next)? {
                    Plan::WholeCircle { .. } => Plan::WholeCircle { what: what.to_owned() },
                    plan => plan,
                },
            });
        }
        Ok(found.unwrap_or(Plan::AnyBackend))
    }

    fn source(
        &self,
        source: &Measurement,
        database: Option<&str>,
        what: &str,
    ) -> Result<Plan, Refusal> {
        let Some(database) = source.database.as_deref().or(database) else {
            return Ok(Plan::AnyBackend);
        };
        let policy = source.policy.as_deref().or(self.policy);
        let target = self.naming.v1(database, policy);
        if source.database.is_some() || source.policy.is_some() {
            self.spelled(Some(database), policy, &target)?;
        }
        Ok(match &source.name {
            MeasurementName::Name(name) => {
                Plan::Owner { target, measurement: name.as_bytes().to_vec() }
            }
            MeasurementName::Regex(_) | MeasurementName::OfSource => {
                Plan::WholeCircle { what: what.to_owned() }
            }
        })
    }

    /// The text goes out as it came, so a name that it spells must be the backends' own.
    fn spelled(
        &self,
        database: Option<&str>,
        policy: Option<&str>,
        target: &Target,
    ) -> Result<(), Refusal> {
        let policy = policy.filter(|policy| *policy != "autogen").unwrap_or("");
        let renamed = database.is_some_and(|database| database != &*target.database)
            || (!policy.is_empty() && policy != &*target.retention_policy);
        if renamed {
            return Err(Refusal::not_yet(RENAMED));
        }
        Ok(())
    }
}

/// Whether it, or a query inside it, has a target.
fn writes(select: &Select) -> bool {
    select.into.is_some()
        || select.sources.iter().any(|source| match source {
            Source::Subquery(inner) => writes(inner),
            Source::Measurement(_) => false,
        })
}

fn of_one_backend(statement: &str) -> Refusal {
    let why = format!("{statement} tells of one backend; ask that backend");
    Refusal::CannotMerge { why }
}

fn title(schema: &ShowSchema) -> &'static str {
    if schema.cardinality.is_some() {
        return "SHOW CARDINALITY";
    }
    match schema.subject {
        Subject::Measurements => "SHOW MEASUREMENTS",
        Subject::Series => "SHOW SERIES",
        Subject::TagKeys => "SHOW TAG KEYS",
        Subject::TagValues => "SHOW TAG VALUES",
        Subject::FieldKeys => "SHOW FIELD KEYS",
    }
}

#[cfg(test)]
mod tests;
