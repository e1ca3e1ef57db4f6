//! SHOW of databases, policies, windows, users and what is noted of them.

use super::{scope, table, texts};
use crate::proto::influxql::Show;
use crate::proto::moment;
use crate::proto::results::{Series, quote};
use crate::store::influxql::expr::text::go_duration;
use crate::store::influxql::fault::Fault;
use crate::store::influxql::read::mapping::Context;
use crate::store::influxql::rows::emit::Sink;
use crate::store::influxql::select::Defaults;
use crate::store::view::{Database, Notes, TimeRange};

pub fn run(
    context: &Context<'_>,
    defaults: &Defaults<'_>,
    show: &Show,
    sink: &mut dyn Sink,
    text: &str,
) -> Result<(), Fault> {
    match show {
        Show::Databases => {
            let names = context.catalog.databases();
            sink.piece(table("databases", &["name"], texts(names.iter().map(|name| &**name))))
        }
        Show::RetentionPolicies { database } => {
            let name = scope::database(database.as_deref(), defaults.database)?;
            policies(&*context.database(name)?, sink)
        }
        Show::Shards => windows(context, sink),
        Show::ShardGroups => {
            let columns =
                ["id", "database", "retention_policy", "start_time", "end_time", "expiry_time"];
            let mut rows = Vec::new();
            for_windows(context, &mut |row| {
                rows.push(vec![
                    row.id.to_string(),
                    quote(row.database),
                    quote(row.policy),
                    quote(&row.start),
                    quote(&row.end),
                    quote(&row.expiry),
                ]);
            });
            sink.piece(table("shard groups", &columns, rows))
        }
        Show::Users => {
            let notes = context.catalog.notes();
            let row = |user: &crate::store::view::User| {
                vec![quote(&user.name), user.is_admin.to_string()]
            };
            sink.piece(table("", &["user", "admin"], notes.users.iter().map(row).collect()))
        }
        Show::Grants { user } => grants(&context.catalog.notes(), user, sink),
        Show::Subscriptions => subscriptions(context, sink),
        Show::ContinuousQueries => {
            let notes = context.catalog.notes();
            for database in context.catalog.databases() {
                let mine = notes.continuous_queries.iter().filter(|one| one.database == database);
                let rows = mine.map(|one| vec![quote(&one.name), quote(&one.text)]).collect();
                sink.piece(table(&database, &["name", "query"], rows))?;
            }
            Ok(())
        }
        Show::Queries => {
            let columns = ["qid", "query", "database", "duration", "status"];
            let row = vec![
                "1".to_owned(),
                quote(text.trim()),
                quote(defaults.database),
                quote("0s"),
                quote("running"),
            ];
            sink.piece(table("", &columns, vec![row]))
        }
        Show::Stats { module } => match module.as_deref() {
            None | Some("database") => stats(context, sink),
            Some(_) => Ok(()),
        },
        Show::Diagnostics { module } => match module.as_deref() {
            None | Some("build") => build(sink),
            Some(_) => Ok(()),
        },
        Show::Schema(_) => Ok(()),
    }
}

fn build(sink: &mut dyn Sink) -> Result<(), Fault> {
    let columns = ["Branch", "Build Time", "Commit", "Version"];
    let version = quote(env!("CARGO_PKG_VERSION"));
    let row = vec![quote("unknown"), quote(""), quote("unknown"), version];
    sink.piece(table("build", &columns, vec![row]))
}

/// What there is in each database; the engine's other numbers are in its metrics.
fn stats(context: &Context<'_>, sink: &mut dyn Sink) -> Result<(), Fault> {
    for name in context.catalog.databases() {
        let Some(database) = context.catalog.database(&name) else { continue };
        let measurements = database.measurements();
        let series = measurements.iter().map(|name| database.series_ids(name).len());
        let row = vec![measurements.len().to_string(), series.sum::<usize>().to_string()];
        let columns = ["numMeasurements", "numSeries"];
        let tags = vec![("database".to_owned(), name)];
        sink.piece(Series { tags, ..table("database", &columns, vec![row]) })?;
    }
    Ok(())
}

fn policies(database: &dyn Database, sink: &mut dyn Sink) -> Result<(), Fault> {
    let default = database.default_policy();
    let row = |policy: crate::store::view::Policy| {
        vec![
            quote(&policy.name),
            quote(&go_duration(policy.duration_ns)),
            quote(&go_duration(policy.window_ns)),
            policy.replication.to_string(),
            (policy.name == default).to_string(),
        ]
    };
    let columns = ["name", "duration", "shardGroupDuration", "replicaN", "default"];
    let rows = database.policies().into_iter().map(row).collect();
    sink.piece(table("", &columns, rows))
}

struct Shown<'s> {
    id: u64,
    database: &'s str,
    policy: &'s str,
    start: String,
    end: String,
    expiry: String,
}

fn for_windows(context: &Context<'_>, visit: &mut dyn FnMut(&Shown<'_>)) {
    for name in context.catalog.databases() {
        let Some(database) = context.catalog.database(&name) else { continue };
        for policy in database.policies() {
            for window in database.windows(&policy.name, TimeRange::ALL) {
                let info = window.info();
                let expiry = match policy.duration_ns {
                    0 => info.end_ns,
                    duration => info.end_ns.saturating_add(duration),
                };
                visit(&Shown {
                    id: info.id,
                    database: &name,
                    policy: &policy.name,
                    start: moment::text(info.start_ns),
                    end: moment::text(info.end_ns),
                    expiry: moment::text(expiry),
                });
            }
        }
    }
}

fn windows(context: &Context<'_>, sink: &mut dyn Sink) -> Result<(), Fault> {
    let columns = [
        "id",
        "database",
        "retention_policy",
        "shard_group",
        "start_time",
        "end_time",
        "expiry_time",
        "owners",
    ];
    let mut by_database: Vec<(String, Vec<Vec<String>>)> =
        context.catalog.databases().into_iter().map(|name| (name, Vec::new())).collect();
    for_windows(context, &mut |row| {
        let mine = by_database.iter_mut().find(|(name, _)| name == row.database);
        if let Some((_, rows)) = mine {
            rows.push(vec![
                row.id.to_string(),
                quote(row.database),
                quote(row.policy),
                row.id.to_string(),
                quote(&row.start),
                quote(&row.end),
                quote(&row.expiry),
                quote(""),
            ]);
        }
    });
    for (name, rows) in by_database {
        sink.piece(table(&name, &columns, rows))?;
    }
    Ok(())
}

fn grants(notes: &Notes, name: &str, sink: &mut dyn Sink) -> Result<(), Fault> {
    let Some(user) = notes.users.iter().find(|user| user.name == name) else {
        return Err(Fault::text("user not found"));
    };
    let row = |(database, privilege): &(String, crate::store::view::Granted)| {
        vec![quote(database), quote(privilege.text())]
    };
    let rows = user.grants.iter().map(row).collect();
    sink.piece(table("", &["database", "privilege"], rows))
}

fn subscriptions(context: &Context<'_>, sink: &mut dyn Sink) -> Result<(), Fault> {
    let notes = context.catalog.notes();
    for database in context.catalog.databases() {
        let mine = notes.subscriptions.iter().filter(|one| one.database == database);
        let row = |one: &crate::store::view::Subscription| {
            let urls: Vec<String> = one.destinations.iter().map(|url| quote(url)).collect();
            let mode = if one.any { "ANY" } else { "ALL" };
            vec![quote(&one.policy), quote(&one.name), quote(mode), format!("[{}]", urls.join(","))]
        };
        let rows: Vec<Vec<String>> = mine.map(row).collect();
        if !rows.is_empty() {
            let columns = ["retention_policy", "name", "mode", "destinations"];
            sink.piece(table(&database, &columns, rows))?;
        }
    }
    Ok(())
}
