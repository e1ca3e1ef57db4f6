//! Every statement by its first word, and those that define, change and remove.

use super::ast::{
    ContinuousQuery, Expression, PolicyOptions, Privilege, Removal, Select, Source, Statement,
    Subscription,
};
use super::error::ParseError;
use super::parser::{Parsed, Parser};
use super::render;
use super::token::{Position, Token};

const REPLICATION_MAX: i64 = i32::MAX as i64;

impl Parser<'_> {
    pub(super) fn statement(&mut self) -> Parsed<Statement> {
        const FIRST: [&str; 11] = [
            "SELECT", "DELETE", "SHOW", "CREATE", "DROP", "EXPLAIN", "GRANT", "REVOKE", "ALTER",
            "SET", "KILL",
        ];
        match self.expect_one(&FIRST)? {
            "SELECT" => Ok(Statement::Select(Box::new(self.select(false)?))),
            "DELETE" => self.removal().map(Statement::Delete),
            "SHOW" => self.show().map(Statement::Show),
            "CREATE" => self.create(),
            "DROP" => self.drop_statement(),
            "EXPLAIN" => {
                let analyze = self.accept("ANALYZE");
                self.expect("SELECT")?;
                Ok(Statement::Explain { analyze, select: Box::new(self.select(false)?) })
            }
            "GRANT" => self.grant(),
            "REVOKE" => self.revoke(),
            "ALTER" => self.alter(),
            "SET" => {
                self.expect("PASSWORD")?;
                self.expect("FOR")?;
                let user = self.identifier()?;
                self.expect("=")?;
                Ok(Statement::SetPassword { user, password: self.string()? })
            }
            _ => {
                self.expect("QUERY")?;
                let id = self.integer(0, i64::MAX)?.unsigned_abs();
                Ok(Statement::KillQuery { id, host: self.on()? })
            }
        }
    }

    /// `FROM sources [WHERE expression] | WHERE expression`; InfluxDB takes no database or policy here.
    fn removal(&mut self) -> Parsed<Removal> {
        let sources = self.from()?;
        if sources.is_empty() && !self.peek().is("WHERE") {
            let lexeme = self.next();
            return Err(self.unexpected(lexeme, &["FROM", "WHERE"]));
        }
        for source in &sources {
            let Source::Measurement(measurement) = source else { continue };
            let what = match (&measurement.policy, &measurement.database) {
                (Some(_), _) => "retention policy",
                (None, Some(_)) => "database",
                (None, None) => continue,
            };
            let at = Position { line: 1, char: 1 };
            return Err(ParseError::At { message: format!("{what} not supported"), at });
        }
        Ok(Removal { sources, condition: self.condition()? })
    }

    fn create(&mut self) -> Parsed<Statement> {
        let kinds = ["CONTINUOUS", "DATABASE", "USER", "RETENTION", "SUBSCRIPTION"];
        match self.expect_one(&kinds)? {
            "CONTINUOUS" => self.create_continuous_query(),
            "DATABASE" => self.create_database(),
            "USER" => self.create_user(),
            "RETENTION" => self.create_retention_policy(),
            _ => self.create_subscription(),
        }
    }

    fn create_database(&mut self) -> Parsed<Statement> {
        let name = self.identifier()?;
        if !self.accept("WITH") {
            return Ok(Statement::CreateDatabase { name, policy: None });
        }
        const OPTIONS: [&str; 4] = ["DURATION", "NAME", "REPLICATION", "SHARD"];
        let first = self.peek();
        if !OPTIONS.iter().any(|option| first.is(option)) {
            return Err(self.unexpected(first, &OPTIONS));
        }
        let mut policy = PolicyOptions::default();
        if self.accept("DURATION") {
            policy.duration_ns = Some(self.duration()?);
        }
        if self.accept("REPLICATION") {
            policy.replication = Some(self.integer(1, REPLICATION_MAX)?);
        }
        if self.accept("SHARD") {
            policy.shard_duration_ns = Some(self.shard_duration()?);
        }
        if self.accept("NAME") {
            policy.name = Some(self.identifier()?);
        }
        Ok(Statement::CreateDatabase { name, policy: Some(policy) })
    }

    /// After SHARD.
    fn shard_duration(&mut self) -> Parsed<i64> {
        self.expect("DURATION")?;
        let ahead = self.peek();
        if ahead.is("INF") {
            let message = "invalid duration INF for shard duration".to_owned();
            return Err(ParseError::At { message, at: ahead.at });
        }
        self.duration()
    }

    fn create_retention_policy(&mut self) -> Parsed<Statement> {
        self.expect("POLICY")?;
        let name = self.identifier()?;
        self.expect("ON")?;
        let database = self.identifier()?;
        self.expect("DURATION")?;
        let duration_ns = Some(self.duration()?);
        self.expect("REPLICATION")?;
        let replication = Some(self.integer(1, REPLICATION_MAX)?);
        let shard = self.accept("SHARD");
        let shard_duration_ns = if shard { Some(self.shard_duration()?) } else { None };
        let options = PolicyOptions { duration_ns, replication, shard_duration_ns, name: None };
        let default = self.accept("DEFAULT");
        Ok(Statement::CreateRetentionPolicy { name, database, options, default })
    }

    fn alter(&mut self) -> Parsed<Statement> {
        self.expect("RETENTION")?;
        self.expect("POLICY")?;
        let name = match self.accept("DEFAULT") {
            true => "default".to_owned(),
            false => self.identifier()?,
        };
        self.expect("ON")?;
        let database = self.identifier()?;
        const OPTIONS: [&str; 4] = ["DURATION", "REPLICATION", "SHARD", "DEFAULT"];
        let (mut options, mut default, mut any) = (PolicyOptions::default(), false, false);
        loop {
            let ahead = self.peek();
            let Some(word) = OPTIONS.into_iter().find(|option| ahead.is(option)) else {
                if any {
                    return Ok(Statement::AlterRetentionPolicy {
                        name,
                        database,
                        options,
                        default,
                    });
                }
                return Err(self.unexpected(ahead, &OPTIONS));
            };
            self.next();
            any = true;
            let again = match word {
                "DURATION" => options.duration_ns.is_some(),
                "REPLICATION" => options.replication.is_some(),
                "SHARD" => options.shard_duration_ns.is_some(),
                _ => default,
            };
            if again {
                let message = format!("found duplicate {word} option");
                return Err(ParseError::At { message, at: ahead.at });
            }
            match word {
                "DURATION" => options.duration_ns = Some(self.duration()?),
                "REPLICATION" => options.replication = Some(self.integer(1, REPLICATION_MAX)?),
                "SHARD" => options.shard_duration_ns = Some(self.shard_duration()?),
                _ => default = true,
            }
        }
    }

    fn create_user(&mut self) -> Parsed<Statement> {
        let name = self.identifier()?;
        self.expect("WITH")?;
        self.expect("PASSWORD")?;
        let password = self.string()?;
        let admin = self.accept("WITH");
        if admin {
            self.expect("ALL")?;
            self.expect("PRIVILEGES")?;
        }
        Ok(Statement::CreateUser { name, password, admin })
    }

    fn create_subscription(&mut self) -> Parsed<Statement> {
        let name = self.identifier()?;
        let (database, policy) = self.on_policy()?;
        self.expect("DESTINATIONS")?;
        let any = self.expect_one(&["ALL", "ANY"])? == "ANY";
        let destinations = self.list(Self::string)?;
        let subscription = Subscription { name, database, policy, any, destinations };
        Ok(Statement::CreateSubscription(Box::new(subscription)))
    }

    /// `ON database.policy`
    fn on_policy(&mut self) -> Parsed<(String, String)> {
        self.expect("ON")?;
        let database = self.identifier()?;
        if !self.accept_raw(".") {
            let lexeme = self.peek_raw();
            return Err(self.unexpected(lexeme, &["."]));
        }
        Ok((database, self.identifier()?))
    }

    fn create_continuous_query(&mut self) -> Parsed<Statement> {
        self.expect("QUERY")?;
        let name = self.identifier()?;
        self.expect("ON")?;
        let database = self.identifier()?;
        let (mut every_ns, mut for_ns) = (None, None);
        if self.accept("RESAMPLE") {
            if self.accept("EVERY") {
                every_ns = Some(self.duration()?);
            }
            if self.accept("FOR") {
                for_ns = Some(self.duration()?);
            } else if every_ns.is_none() {
                let lexeme = self.next();
                return Err(self.unexpected(lexeme, &["EVERY", "FOR"]));
            }
        }
        self.expect("BEGIN")?;
        self.expect("SELECT")?;
        let select = self.select(true)?;
        let window_ns = select.dimensions.iter().find_map(window_ns).unwrap_or(0);
        if let Some(last) = self.last.as_ref().filter(|_| window_ns == 0 && aggregates(&select)) {
            let expected = vec!["GROUP BY time(...)"];
            return Err(ParseError::Expected { found: last.found(), expected, at: last.at });
        }
        self.expect("END")?;
        let least_ns = every_ns.unwrap_or(0).max(window_ns);
        if let Some(given_ns) = for_ns.filter(|ns| *ns < least_ns) {
            let (least, given) = (render::duration(least_ns), render::duration(given_ns));
            let rule = "FOR duration must be >= GROUP BY time duration";
            let message = format!("{rule}: must be a minimum of {least}, got {given}");
            return Err(ParseError::Plain(message));
        }
        let query = ContinuousQuery { name, database, every_ns, for_ns, select };
        Ok(Statement::CreateContinuousQuery(Box::new(query)))
    }

    fn drop_statement(&mut self) -> Parsed<Statement> {
        const KINDS: [&str; 8] = [
            "CONTINUOUS",
            "DATABASE",
            "MEASUREMENT",
            "RETENTION",
            "SERIES",
            "SHARD",
            "SUBSCRIPTION",
            "USER",
        ];
        match self.expect_one(&KINDS)? {
            "CONTINUOUS" => {
                self.expect("QUERY")?;
                let (name, database) = self.name_on()?;
                Ok(Statement::DropContinuousQuery { name, database })
            }
            "DATABASE" => self.identifier().map(Statement::DropDatabase),
            "MEASUREMENT" => self.identifier().map(Statement::DropMeasurement),
            "RETENTION" => {
                self.expect("POLICY")?;
                let (name, database) = self.name_on()?;
                Ok(Statement::DropRetentionPolicy { name, database })
            }
            "SERIES" => self.removal().map(Statement::DropSeries),
            "SHARD" => Ok(Statement::DropShard(self.integer(0, i64::MAX)?.unsigned_abs())),
            "SUBSCRIPTION" => {
                let name = self.identifier()?;
                let (database, policy) = self.on_policy()?;
                Ok(Statement::DropSubscription { name, database, policy })
            }
            _ => self.identifier().map(Statement::DropUser),
        }
    }

    fn name_on(&mut self) -> Parsed<(String, String)> {
        let name = self.identifier()?;
        self.expect("ON")?;
        Ok((name, self.identifier()?))
    }

    fn privilege(&mut self) -> Parsed<Privilege> {
        let lexeme = self.next();
        match lexeme.token {
            Token::Keyword("READ") => Ok(Privilege::Read),
            Token::Keyword("WRITE") => Ok(Privilege::Write),
            Token::Keyword("ALL") => {
                self.accept("PRIVILEGES");
                Ok(Privilege::All)
            }
            _ => Err(self.unexpected(lexeme, &["READ", "WRITE", "ALL [PRIVILEGES]"])),
        }
    }

    fn grant(&mut self) -> Parsed<Statement> {
        let privilege = self.privilege()?;
        let (database, user) = self.granted(privilege, "TO")?;
        Ok(Statement::Grant { privilege, database, user })
    }

    fn revoke(&mut self) -> Parsed<Statement> {
        let privilege = self.privilege()?;
        let (database, user) = self.granted(privilege, "FROM")?;
        Ok(Statement::Revoke { privilege, database, user })
    }

    /// `[ON database] TO user`; only ALL may leave out the database.
    fn granted(
        &mut self,
        privilege: Privilege,
        direction: &'static str,
    ) -> Parsed<(Option<String>, String)> {
        let everywhere = privilege == Privilege::All;
        let words: &[&'static str] = if everywhere { &["ON", direction] } else { &["ON"] };
        if self.expect_one(words)? != "ON" {
            return Ok((None, self.identifier()?));
        }
        let database = self.identifier()?;
        self.expect(direction)?;
        Ok((Some(database), self.identifier()?))
    }
}

fn aggregates(select: &Select) -> bool {
    let mut found = false;
    for field in &select.fields {
        field
            .expression
            .walk(&mut |expression| found |= matches!(expression, Expression::Call { .. }));
    }
    found
}

/// The length of `time(length)`.
fn window_ns(dimension: &Expression) -> Option<i64> {
    match dimension {
        Expression::Call { name, arguments } if name == "time" => match arguments.first() {
            Some(Expression::Duration(ns)) => Some(*ns),
            _ => None,
        },
        _ => None,
    }
}
