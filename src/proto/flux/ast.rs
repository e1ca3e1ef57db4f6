//! What a Flux script says.

/// Bytes of the script, the end excluded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct File {
    pub package: Option<String>,
    pub imports: Vec<Import>,
    pub statements: Vec<Statement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    pub alias: Option<String>,
    pub path: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    Assign {
        name: String,
        value: Expression,
    },
    /// `option name = value`, or `option package.name = value`.
    Option {
        package: Option<String>,
        name: String,
        value: Expression,
    },
    Return(Expression),
    Expression(Expression),
    /// `builtin name : type`; the type is not kept.
    Builtin(String),
    TestCase {
        name: String,
        body: Vec<Statement>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    pub kind: ExpressionKind,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ExpressionKind {
    Identifier(String),
    String(String),
    Interpolated(Vec<StringPart>),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    /// Counts with their units, as written.
    Duration(Vec<(i64, Unit)>),
    /// As written; its form is checked.
    Time(String),
    /// Only `\/` is resolved.
    Regex(String),
    /// `<-`
    PipeInput,
    /// `.name`
    Label(String),
    Array(Vec<Expression>),
    Dictionary(Vec<(Expression, Expression)>),
    Record {
        with: Option<String>,
        properties: Vec<Property>,
    },
    Function(Box<Function>),
    Call {
        callee: Box<Expression>,
        arguments: Vec<Property>,
    },
    Member {
        object: Box<Expression>,
        name: String,
    },
    Index {
        object: Box<Expression>,
        index: Box<Expression>,
    },
    /// Each of `calls` takes what stands before it; long pipes stay flat.
    Pipe {
        source: Box<Expression>,
        calls: Vec<Expression>,
    },
    Unary {
        operator: UnaryOperator,
        operand: Box<Expression>,
    },
    /// Operators of one precedence, from left to right.
    Chain {
        first: Box<Expression>,
        rest: Vec<(Operator, Expression)>,
    },
    Conditional {
        test: Box<Expression>,
        consequent: Box<Expression>,
        alternate: Box<Expression>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum StringPart {
    Text(String),
    Value(Expression),
}

/// `name: value`; without a value the variable of that name is meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    pub name: String,
    pub value: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub parameters: Vec<Parameter>,
    pub body: Body,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: String,
    /// `<-` stands for what is piped in.
    pub default: Option<Expression>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    Expression(Expression),
    /// Ends in the only return.
    Block(Vec<Statement>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Nanosecond,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOperator {
    Minus,
    Plus,
    Not,
    Exists,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Matches,
    MatchesNot,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
}

impl Operator {
    /// The operator that a token is.
    pub(super) fn from_text(text: &str) -> Option<Operator> {
        Some(match text {
            "or" => Operator::Or,
            "and" => Operator::And,
            "==" => Operator::Equal,
            "!=" => Operator::NotEqual,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "=~" => Operator::Matches,
            "!~" => Operator::MatchesNot,
            "+" => Operator::Add,
            "-" => Operator::Subtract,
            "*" => Operator::Multiply,
            "/" => Operator::Divide,
            "%" => Operator::Modulo,
            "^" => Operator::Power,
            _ => return None,
        })
    }

    /// How tightly it binds: 1 is the loosest, 6 the tightest. All group from the left.
    pub fn precedence(self) -> u8 {
        match self {
            Operator::Or => 1,
            Operator::And => 2,
            Operator::Equal | Operator::NotEqual | Operator::Matches | Operator::MatchesNot => 3,
            Operator::Less | Operator::LessOrEqual => 3,
            Operator::Greater | Operator::GreaterOrEqual => 3,
            Operator::Add | Operator::Subtract => 4,
            Operator::Multiply | Operator::Divide | Operator::Modulo => 5,
            Operator::Power => 6,
        }
    }
}
