//! What an InfluxQL text says. Names are as decoded: no quotes, escapes resolved.

/// One statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Select(Box<Select>),
    Explain {
        analyze: bool,
        select: Box<Select>,
    },
    Show(Show),
    CreateDatabase {
        name: String,
        policy: Option<PolicyOptions>,
    },
    DropDatabase(String),
    CreateRetentionPolicy {
        name: String,
        database: String,
        options: PolicyOptions,
        default: bool,
    },
    AlterRetentionPolicy {
        name: String,
        database: String,
        options: PolicyOptions,
        default: bool,
    },
    DropRetentionPolicy {
        name: String,
        database: String,
    },
    Delete(Removal),
    DropSeries(Removal),
    DropMeasurement(String),
    DropShard(u64),
    CreateUser {
        name: String,
        password: String,
        admin: bool,
    },
    DropUser(String),
    SetPassword {
        user: String,
        password: String,
    },
    /// Without `database` all databases are meant, and the privilege is to administer.
    Grant {
        privilege: Privilege,
        database: Option<String>,
        user: String,
    },
    Revoke {
        privilege: Privilege,
        database: Option<String>,
        user: String,
    },
    CreateContinuousQuery(Box<ContinuousQuery>),
    DropContinuousQuery {
        name: String,
        database: String,
    },
    CreateSubscription(Box<Subscription>),
    DropSubscription {
        name: String,
        database: String,
        policy: String,
    },
    KillQuery {
        id: u64,
        host: Option<String>,
    },
}

/// What a retention policy may be told. Durations in ns, 0 = for ever.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyOptions {
    pub duration_ns: Option<i64>,
    pub replication: Option<i64>,
    pub shard_duration_ns: Option<i64>,
    /// Only CREATE DATABASE names its policy here.
    pub name: Option<String>,
}

/// DELETE and DROP SERIES: at least one of both is there.
#[derive(Clone, Debug, PartialEq)]
pub struct Removal {
    pub sources: Vec<Source>,
    pub condition: Option<Expression>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    Read,
    Write,
    All,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ContinuousQuery {
    pub name: String,
    pub database: String,
    pub every_ns: Option<i64>,
    pub for_ns: Option<i64>,
    pub select: Select,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    pub name: String,
    pub database: String,
    pub policy: String,
    pub any: bool,
    pub destinations: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    pub fields: Vec<Field>,
    pub into: Option<Measurement>,
    pub sources: Vec<Source>,
    pub condition: Option<Expression>,
    /// `time(1h)` is a call; a regular expression is one of its own.
    pub dimensions: Vec<Expression>,
    pub fill: Fill,
    pub order: Option<Order>,
    pub limits: Limits,
    /// The name of a time zone, not looked up.
    pub zone: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    pub expression: Expression,
    pub alias: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    Measurement(Measurement),
    Subquery(Box<Select>),
}

/// `database.policy.name`; what was left out or left empty is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    pub database: Option<String>,
    pub policy: Option<String>,
    pub name: MeasurementName,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeasurementName {
    Name(String),
    Regex(String),
    /// `:MEASUREMENT`, only as a target: each point keeps the name of its source.
    OfSource,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// Nothing said.
    Default,
    Null,
    None,
    Previous,
    Linear,
    Integer(i64),
    Number(f64),
}

/// By time; `named` says that the text spells `time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub named: bool,
    pub descending: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    pub limit: Option<u64>,
    pub offset: Option<u64>,
    pub series_limit: Option<u64>,
    pub series_offset: Option<u64>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// Operators of one precedence, applied from left to right: long chains stay flat.
    Chain {
        first: Box<Expression>,
        rest: Vec<(Operator, Expression)>,
    },
    Parenthesis(Box<Expression>),
    /// The name is in lower case.
    Call {
        name: String,
        arguments: Vec<Expression>,
    },
    /// `a.b::tag` has the name `a.b`.
    Reference {
        name: String,
        kind: Option<Kind>,
    },
    Wildcard(Option<Kind>),
    /// `DISTINCT name` without parentheses.
    Distinct(String),
    Regex(String),
    String(String),
    Number(f64),
    Integer(i64),
    Unsigned(u64),
    Boolean(bool),
    /// In ns.
    Duration(i64),
}

/// What a reference is said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Float,
    Integer,
    Unsigned,
    String,
    Boolean,
    Field,
    Tag,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Matches,
    MatchesNot,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    BitOr,
    BitXor,
    Multiply,
    Divide,
    Modulo,
    BitAnd,
}

/// SHOW, by what it asks for.
#[derive(Clone, Debug, PartialEq)]
pub enum Show {
    Databases,
    Queries,
    Users,
    Shards,
    ShardGroups,
    Subscriptions,
    ContinuousQueries,
    Grants { user: String },
    Stats { module: Option<String> },
    Diagnostics { module: Option<String> },
    RetentionPolicies { database: Option<String> },
    Schema(Box<ShowSchema>),
}

/// SHOW of measurements, series, keys and values, and of how many there are.
#[derive(Clone, Debug, PartialEq)]
pub struct ShowSchema {
    pub subject: Subject,
    /// `Some(exact)` asks for the number only.
    pub cardinality: Option<bool>,
    pub database: Option<String>,
    /// FROM; for measurements what WITH MEASUREMENT names.
    pub sources: Vec<Source>,
    pub keys: Option<Keys>,
    pub condition: Option<Expression>,
    pub dimensions: Vec<Expression>,
    pub order: Option<Order>,
    pub limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Measurements,
    Series,
    TagKeys,
    TagValues,
    FieldKeys,
}

/// WITH KEY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    Equal(String),
    NotEqual(String),
    In(Vec<String>),
    Matches(String),
    MatchesNot(String),
}

impl Expression {
    /// Visits this expression and all inside it, itself first.
    pub fn walk(&self, visit: &mut impl FnMut(&Expression)) {
        visit(self);
        match self {
            Expression::Chain { first, rest } => {
                first.walk(visit);
                rest.iter().for_each(|(_, expression)| expression.walk(visit));
            }
            Expression::Parenthesis(inner) => inner.walk(visit),
            Expression::Call { arguments, .. } => {
                arguments.iter().for_each(|expression| expression.walk(visit))
            }
            _ => {}
        }
    }
}

impl Operator {
    /// As written, keywords in upper case.
    pub fn text(self) -> &'static str {
        match self {
            Operator::Or => "OR",
            Operator::And => "AND",
            Operator::Equal => "=",
            Operator::NotEqual => "!=",
            Operator::Matches => "=~",
            Operator::MatchesNot => "!~",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Add => "+",
            Operator::Subtract => "-",
            Operator::BitOr => "|",
            Operator::BitXor => "^",
            Operator::Multiply => "*",
            Operator::Divide => "/",
            Operator::Modulo => "%",
            Operator::BitAnd => "&",
        }
    }

    /// The operator that a keyword or symbol is.
    pub fn from_text(text: &str) -> Option<Operator> {
        use Operator as O;
        const ALL: [Operator; 18] = [
            O::Or,
            O::And,
            O::Equal,
            O::NotEqual,
            O::Matches,
            O::MatchesNot,
            O::Less,
            O::LessOrEqual,
            O::Greater,
            O::GreaterOrEqual,
            O::Add,
            O::Subtract,
            O::BitOr,
            O::BitXor,
            O::Multiply,
            O::Divide,
            O::Modulo,
            O::BitAnd,
        ];
        ALL.into_iter().find(|operator| operator.text() == text)
    }

    /// How tightly it binds: 1 is the loosest, 5 the tightest.
    pub fn precedence(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And => 2,
            Operator::Equal | Operator::NotEqual | Operator::Matches | Operator::MatchesNot => 3,
            Operator::Less | Operator::LessOrEqual => 3,
            Operator::Greater | Operator::GreaterOrEqual => 3,
            Operator::Add | Operator::Subtract | Operator::BitOr | Operator::BitXor => 4,
            Operator::Multiply | Operator::Divide | Operator::Modulo | Operator::BitAnd => 5,
        }
    }
}

impl Kind {
    pub fn text(self) -> &'static str {
        match self {
            Kind::Float => "float",
            Kind::Integer => "integer",
            Kind::Unsigned => "unsigned",
            Kind::String => "string",
            Kind::Boolean => "boolean",
            Kind::Field => "field",
            Kind::Tag => "tag",
        }
    }
}

impl Measurement {
    /// All measurements whose name matches.
    pub fn matching(regex: String) -> Measurement {
        Measurement { database: None, policy: None, name: MeasurementName::Regex(regex) }
    }
}
