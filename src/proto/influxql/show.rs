//! SHOW in all its forms.

use super::ast::{Keys, Limits, Show, ShowSchema, Source, Subject};
use super::parser::{Parsed, Parser};

const SHOWN: [&str; 16] = [
    "CONTINUOUS",
    "DATABASES",
    "DIAGNOSTICS",
    "FIELD",
    "GRANTS",
    "MEASUREMENT",
    "MEASUREMENTS",
    "QUERIES",
    "RETENTION",
    "SERIES",
    "SHARD",
    "SHARDS",
    "STATS",
    "SUBSCRIPTIONS",
    "TAG",
    "USERS",
];

impl Parser<'_> {
    /// After the word SHOW.
    pub(super) fn show(&mut self) -> Parsed<Show> {
        match self.expect_one(&SHOWN)? {
            "CONTINUOUS" => self.expect("QUERIES").map(|()| Show::ContinuousQueries),
            "DATABASES" => Ok(Show::Databases),
            "DIAGNOSTICS" => Ok(Show::Diagnostics { module: self.module()? }),
            "GRANTS" => {
                self.expect("FOR")?;
                Ok(Show::Grants { user: self.identifier()? })
            }
            "QUERIES" => Ok(Show::Queries),
            "RETENTION" => {
                self.expect("POLICIES")?;
                Ok(Show::RetentionPolicies { database: self.on()? })
            }
            "SHARD" => self.expect("GROUPS").map(|()| Show::ShardGroups),
            "SHARDS" => Ok(Show::Shards),
            "STATS" => Ok(Show::Stats { module: self.module()? }),
            "SUBSCRIPTIONS" => Ok(Show::Subscriptions),
            "USERS" => Ok(Show::Users),
            schema => self.show_schema(schema).map(|schema| Show::Schema(Box::new(schema))),
        }
    }

    fn module(&mut self) -> Parsed<Option<String>> {
        if self.accept("FOR") { self.string().map(Some) } else { Ok(None) }
    }

    /// ON, if it is next.
    pub(super) fn on(&mut self) -> Parsed<Option<String>> {
        if self.accept("ON") { self.identifier().map(Some) } else { Ok(None) }
    }

    fn show_schema(&mut self, word: &str) -> Parsed<ShowSchema> {
        match word {
            "MEASUREMENTS" => self.show_measurements(),
            "MEASUREMENT" => {
                let exact = self.cardinality()?;
                self.show_cardinality(Subject::Measurements, exact)
            }
            "SERIES" => {
                let exact = self.accept("EXACT");
                match self.accept("CARDINALITY") {
                    true => self.show_cardinality(Subject::Series, exact),
                    false => self.show_listed(Subject::Series),
                }
            }
            "FIELD" => match self.expect_one(&["KEY", "KEYS"])? {
                "KEYS" => self.show_listed(Subject::FieldKeys),
                _ => {
                    let exact = self.cardinality()?;
                    self.show_cardinality(Subject::FieldKeys, exact)
                }
            },
            _ => match self.expect_one(&["KEY", "KEYS", "VALUES"])? {
                "KEYS" => self.show_listed(Subject::TagKeys),
                "VALUES" if self.peek().is("EXACT") || self.peek().is("CARDINALITY") => {
                    let exact = self.cardinality()?;
                    self.show_cardinality(Subject::TagValues, exact)
                }
                "VALUES" => self.show_listed(Subject::TagValues),
                _ => {
                    let exact = self.cardinality()?;
                    self.show_cardinality(Subject::TagKeys, exact)
                }
            },
        }
    }

    /// `[EXACT] CARDINALITY`: whether it is exact.
    fn cardinality(&mut self) -> Parsed<bool> {
        if self.expect_one(&["EXACT", "CARDINALITY"])? == "CARDINALITY" {
            return Ok(false);
        }
        self.expect("CARDINALITY").map(|()| true)
    }

    fn show_cardinality(&mut self, subject: Subject, exact: bool) -> Parsed<ShowSchema> {
        Ok(ShowSchema {
            subject,
            cardinality: Some(exact),
            database: self.on()?,
            sources: self.from()?,
            keys: self.keys_of(subject)?,
            condition: self.condition()?,
            dimensions: self.dimensions()?,
            order: None,
            limits: self.limits(false)?,
        })
    }

    fn show_listed(&mut self, subject: Subject) -> Parsed<ShowSchema> {
        Ok(ShowSchema {
            subject,
            cardinality: None,
            database: self.on()?,
            sources: self.from()?,
            keys: self.keys_of(subject)?,
            condition: match subject {
                Subject::FieldKeys => None,
                _ => self.condition()?,
            },
            dimensions: vec![],
            order: self.order()?,
            limits: self.limits(subject == Subject::TagKeys)?,
        })
    }

    fn show_measurements(&mut self) -> Parsed<ShowSchema> {
        let database = self.on()?;
        let mut sources: Vec<Source> = vec![];
        if self.accept("WITH") {
            self.expect("MEASUREMENT")?;
            self.expect_one(&["=", "=~"])?;
            sources.push(self.source(false)?);
        }
        let condition = self.condition()?;
        let order = self.order()?;
        let limits: Limits = self.limits(false)?;
        Ok(ShowSchema {
            subject: Subject::Measurements,
            cardinality: None,
            database,
            sources,
            keys: None,
            condition,
            dimensions: vec![],
            order,
            limits,
        })
    }

    /// WITH KEY, which tag values must have.
    fn keys_of(&mut self, subject: Subject) -> Parsed<Option<Keys>> {
        if subject != Subject::TagValues {
            return Ok(None);
        }
        self.expect("WITH")?;
        self.expect("KEY")?;
        let operator = self.next();
        let keys = match &operator {
            o if o.is("IN") => {
                self.expect("(")?;
                let names = self.list(Self::identifier)?;
                self.expect(")")?;
                Keys::In(names)
            }
            o if o.is("=") => Keys::Equal(self.identifier()?),
            o if o.is("!=") => Keys::NotEqual(self.identifier()?),
            o if o.is("=~") => Keys::Matches(self.expect_regex()?),
            o if o.is("!~") => Keys::MatchesNot(self.expect_regex()?),
            _ => return Err(self.unexpected(operator, &["IN", "=", "=~"])),
        };
        Ok(Some(keys))
    }
}
