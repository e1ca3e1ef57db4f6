//! What a question or statement touches: which databases it reads or changes, found without running it.
//!
//! Never less than what it touches. What cannot be told from the text wants the right to everything.

use super::flux_body::FluxRequest;
use crate::config::token::{Extent, Need};
use crate::proto::flux;
use crate::proto::influxql::{self, Measurement, Params, Select, Show, Source, Statement};
use crate::ring::Naming;

/// Functions of Flux that list what is there; the text is searched for their names.
const LISTING: [&str; 2] = ["buckets", "databases"];

/// A statement, and what it wants. Lives on: whoever was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    pub statement: Statement,
    pub needs: Vec<Need>,
}

/// What each statement of a text wants. A text that is no InfluxQL touches nothing.
pub fn influxql(
    text: &str,
    db: Option<&str>,
    rp: Option<&str>,
    naming: &Naming,
    params: &Params,
) -> Vec<Wanted> {
    let Ok(statements) = influxql::parse(text, params) else { return Vec::new() };
    let said = |name: &&str| !name.is_empty();
    let context = Context { database: db.filter(said), policy: rp.filter(said), naming };
    let wanted = |statement: Statement| {
        let mut needs = Vec::new();
        context.statement(&statement, &mut needs);
        Wanted { statement, needs }
    };
    statements.into_iter().map(wanted).collect()
}

/// What a script wants; `org` is that of the URL. A text that is no Flux touches nothing.
pub fn flux(request: &FluxRequest, org: Option<&str>, naming: &Naming) -> Vec<Need> {
    let Ok(file) = flux::parse(&request.query) else { return Vec::new() };
    let reads = flux::reads(&file, &request.variables);
    let is_sure = reads.doubt.is_none()
        && !request.opaque_extern
        && reads.results.iter().all(|result| !result.parts.is_empty())
        && !LISTING.iter().any(|name| request.query.contains(name));
    if !is_sure {
        return vec![Need::ReadAll];
    }
    let target = |read: &flux::Read| naming.v2(read.org.as_deref().or(org), &read.bucket);
    reads.reads.iter().map(|read| Need::Read(Extent::from(&target(read)))).collect()
}

/// What a request says beside the text.
struct Context<'a> {
    database: Option<&'a str>,
    policy: Option<&'a str>,
    naming: &'a Naming,
}

impl Context<'_> {
    fn statement(&self, statement: &Statement, needs: &mut Vec<Need>) {
        match statement {
            Statement::Select(select) | Statement::Explain { select, .. } => {
                self.select(select, self.database, needs);
            }
            Statement::Show(show) => self.show(show, needs),
            Statement::CreateDatabase { name, .. } | Statement::DropDatabase(name) => {
                needs.push(self.change(name));
            }
            Statement::CreateRetentionPolicy { database, .. }
            | Statement::AlterRetentionPolicy { database, .. }
            | Statement::DropRetentionPolicy { database, .. } => needs.push(self.change(database)),
            Statement::Delete(removal) | Statement::DropSeries(removal) => {
                needs.extend(self.database.map(|database| self.change(database)));
                for source in &removal.sources {
                    if let Source::Measurement(Measurement { database: Some(name), .. }) = source {
                        needs.push(self.change(name));
                    }
                }
            }
            Statement::DropMeasurement(_) => {
                needs.extend(self.database.map(|database| self.change(database)));
            }
            // Of users, of other databases or of one backend; a gateway runs none of them.
            _ => needs.push(Need::Admin),
        }
    }

    fn select(&self, select: &Select, database: Option<&str>, needs: &mut Vec<Need>) {
        if let Some(into) = &select.into
            && let Some(database) = into.database.as_deref().or(database)
        {
            needs.push(Need::Write(self.extent(database, into.policy.as_deref())));
        }
        self.sources(&select.sources, database, needs);
    }

    fn sources(&self, sources: &[Source], database: Option<&str>, needs: &mut Vec<Need>) {
        for source in sources {
            match source {
                Source::Subquery(select) => self.select(select, database, needs),
                Source::Measurement(measurement) => {
                    // Without a database there is nothing to read: the answer says that one is required.
                    if let Some(database) = measurement.database.as_deref().or(database) {
                        let policy = measurement.policy.as_deref();
                        needs.push(Need::Read(self.extent(database, policy)));
                    }
                }
            }
        }
    }

    fn extent(&self, database: &str, policy: Option<&str>) -> Extent {
        Extent::from(&self.naming.v1(database, policy.or(self.policy)))
    }

    fn show(&self, show: &Show, needs: &mut Vec<Need>) {
        match show {
            // The answer lists what may be seen.
            Show::Databases => {}
            Show::RetentionPolicies { database } => {
                let database = database.as_deref().or(self.database);
                needs.extend(database.map(|database| self.look(database)));
            }
            Show::Schema(schema) => {
                let database = schema.database.as_deref().or(self.database);
                needs.extend(database.map(|database| self.look(database)));
                self.sources(&schema.sources, database, needs);
            }
            _ => needs.push(Need::Admin),
        }
    }

    /// All policies of a database are shown together.
    fn look(&self, database: &str) -> Need {
        self.naming
            .whole(database)
            .map_or(Need::ReadAll, |target| Need::Read(Extent::whole(&target.database)))
    }

    /// A database as a whole is changed.
    fn change(&self, database: &str) -> Need {
        self.naming
            .whole(database)
            .map_or(Need::Admin, |target| Need::Write(Extent::whole(&target.database)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needs(text: &str) -> Vec<Need> {
        let naming = Naming::new("default", &[]);
        let wanted = influxql(text, Some("d"), None, &naming, &Params::default());
        assert!(!wanted.is_empty(), "{text}");
        wanted.into_iter().flat_map(|wanted| wanted.needs).collect()
    }

    fn read(text: &str) -> Need {
        Need::Read(Extent::parse(text))
    }

    #[test]
    fn every_source_is_found_however_deep() {
        assert_eq!(needs("SELECT v FROM m"), [read("d/autogen")]);
        assert_eq!(
            needs("SELECT v FROM m, x..n, y.p./r/"),
            [read("d/autogen"), read("x/autogen"), read("y/p")]
        );
        assert_eq!(
            needs("SELECT v FROM (SELECT v FROM (SELECT v FROM x.p.m)), n"),
            [read("x/p"), read("d/autogen")]
        );
        assert_eq!(needs("EXPLAIN SELECT v FROM x..m"), [read("x/autogen")]);
        assert_eq!(
            needs("SELECT v INTO y.p.m FROM x..m"),
            [Need::Write(Extent::parse("y/p")), read("x/autogen")]
        );
        assert_eq!(
            needs("SELECT v FROM (SELECT v INTO y.p.m FROM m)"),
            [Need::Write(Extent::parse("y/p")), read("d/autogen")]
        );
    }

    #[test]
    fn what_shows_or_changes_a_database_wants_all_of_it() {
        let write = |name: &str| vec![Need::Write(Extent::whole(name))];
        assert_eq!(needs("SHOW MEASUREMENTS"), [read("d")]);
        assert_eq!(needs("SHOW TAG KEYS ON x FROM m"), [read("x"), read("x/autogen")]);
        assert_eq!(needs("SHOW RETENTION POLICIES ON x"), [read("x")]);
        assert_eq!(needs("SHOW DATABASES"), []);
        assert_eq!(needs("SHOW USERS"), [Need::Admin]);
        assert_eq!(needs("DROP MEASUREMENT m"), write("d"));
        assert_eq!(needs("DELETE FROM m"), write("d"));
        assert_eq!(needs("DROP DATABASE x"), write("x"));
        assert_eq!(needs("CREATE DATABASE x"), write("x"));
        assert_eq!(needs("DROP RETENTION POLICY p ON x"), write("x"));
        assert_eq!(needs("CREATE USER u WITH PASSWORD 'p'"), [Need::Admin]);
    }

    #[test]
    fn a_script_wants_its_buckets_or_everything() {
        let of = |script: &str| {
            let request = FluxRequest { query: script.to_owned(), ..FluxRequest::default() };
            flux(&request, None, &Naming::new("default", &[]))
        };
        let from = |bucket: &str| format!("from(bucket: \"{bucket}\") |> range(start: 0)");
        assert_eq!(of(&from("b")), [read("b/autogen")]);
        assert_eq!(of(&from("b/p")), [read("b/p")]);
        let union = format!("union(tables: [{}, {}])", from("a"), from("b"));
        assert_eq!(of(&union), [read("a/autogen"), read("b/autogen")]);
        assert_eq!(of("buckets()"), [Need::ReadAll]);
        assert_eq!(of(&format!("union(tables: [buckets(), {}])", from("a"))), [Need::ReadAll]);
        assert_eq!(of("import \"array\" array.from(rows: [{a: 1}])"), [Need::ReadAll]);
        assert_eq!(of(&from("b").replace("\"b\"", "x")), [Need::ReadAll]);
    }
}
