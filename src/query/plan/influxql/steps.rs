//! A text that is not one backend's, statement by statement: who is asked each, and with which names.

use super::super::Refusal;
use super::Context;
use crate::proto::influxql::{
    self as language, Measurement, MeasurementName, Params, Select, Show, Source, Statement,
};
use crate::ring::{Naming, Target};

/// One statement of a text. The names in it are those that the backends have.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub statement: Statement,
    pub who: Who,
}

/// Who knows the answer to a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// Any backend.
    Any,
    /// The owners of these measurements, in one circle.
    Owners(Vec<(Target, Vec<u8>)>),
    /// All backends of a circle; the targets that are read.
    Everything(Vec<Target>),
}

/// The steps of `text`, for which [`super::plan`] found that it only reads.
pub fn steps(
    text: &str,
    db: Option<&str>,
    rp: Option<&str>,
    naming: &Naming,
    params: &Params,
) -> Result<Vec<Step>, Refusal> {
    let statements = language::parse(text, params)
        .map_err(|error| Refusal::Parse { message: format!("error parsing query: {error}") })?;
    let said = |name: &&str| !name.is_empty();
    let context = Context { database: db.filter(said), policy: rp.filter(said), naming };
    statements.into_iter().map(|statement| context.step(statement)).collect()
}

/// What the sources of a statement read.
#[derive(Default)]
struct Reads {
    owned: Vec<(Target, Vec<u8>)>,
    /// Regular expressions and whole databases.
    wide: Vec<Target>,
}

impl Reads {
    fn who(self) -> Who {
        if !self.wide.is_empty() {
            let mut all = self.wide;
            for (target, _) in self.owned {
                if !all.contains(&target) {
                    all.push(target);
                }
            }
            Who::Everything(all)
        } else if !self.owned.is_empty() {
            Who::Owners(self.owned)
        } else {
            Who::Any
        }
    }
}

impl Context<'_> {
    fn step(&self, mut statement: Statement) -> Result<Step, Refusal> {
        let mut reads = Reads::default();
        match &mut statement {
            Statement::Select(select) | Statement::Explain { select, .. } => {
                self.read_all(&mut select.sources, self.database, &mut reads);
            }
            Statement::Show(show) => return self.step_of_show(show.clone()),
            // What writes never comes here.
            _ => return Err(Refusal::not_yet("a statement for all backends beside others")),
        }
        Ok(Step { statement, who: reads.who() })
    }

    fn step_of_show(&self, mut show: Show) -> Result<Step, Refusal> {
        let mut reads = Reads::default();
        let who = match &mut show {
            Show::Databases => Who::Any,
            Show::RetentionPolicies { database } => {
                if let Some(database) = database {
                    *database = self.naming.v1(database, None).database.to_string();
                }
                Who::Any
            }
            Show::Schema(schema) => {
                let on = schema.database.clone();
                let database = on.as_deref().or(self.database);
                if let Some(database) = database.filter(|_| schema.sources.is_empty()) {
                    reads.wide.push(self.naming.v1(database, self.policy));
                }
                if let Some(on) = &on {
                    let target = self.naming.v1(on, None);
                    if !target.retention_policy.is_empty() {
                        return Err(Refusal::not_yet(
                            "SHOW of a database that is renamed to a retention policy",
                        ));
                    }
                    schema.database = Some(target.database.to_string());
                }
                self.read_all(&mut schema.sources, database, &mut reads);
                reads.who()
            }
            _ => Who::Everything(Vec::new()),
        };
        Ok(Step { statement: Statement::Show(show), who })
    }

    fn read_all(&self, sources: &mut [Source], database: Option<&str>, reads: &mut Reads) {
        for source in sources {
            match source {
                Source::Measurement(measurement) => self.read(measurement, database, reads),
                Source::Subquery(select) => self.read_inner(select, database, reads),
            }
        }
    }

    fn read_inner(&self, select: &mut Select, database: Option<&str>, reads: &mut Reads) {
        self.read_all(&mut select.sources, database, reads);
    }

    /// Notes what the source reads, and writes its names as the backends have them.
    fn read(&self, source: &mut Measurement, database: Option<&str>, reads: &mut Reads) {
        let Some(database) = source.database.as_deref().or(database) else { return };
        let policy = source.policy.as_deref().or(self.policy);
        let target = self.naming.v1(database, policy);
        if source.database.is_some() || source.policy.is_some() {
            let policy = source.policy.as_deref().unwrap_or("");
            let plain = if policy == "autogen" { "" } else { policy };
            let is_kept = *database == *target.database
                && (plain == &*target.retention_policy || policy.is_empty());
            if !is_kept {
                source.database = Some(target.database.to_string());
                let policy = Some(target.retention_policy.to_string());
                source.policy = policy.filter(|policy| !policy.is_empty());
            }
        }
        match &source.name {
            MeasurementName::Name(name) => {
                let owned = (target, name.as_bytes().to_vec());
                if !reads.owned.contains(&owned) {
                    reads.owned.push(owned);
                }
            }
            MeasurementName::Regex(_) | MeasurementName::OfSource => {
                if !reads.wide.contains(&target) {
                    reads.wide.push(target);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
