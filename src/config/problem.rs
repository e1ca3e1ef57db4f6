//! What is wrong with a configuration, told so that it can be mended without a manual.

use std::fmt;

/// Where a value stands: its dotted path, and its byte in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: String,
    pub offset: usize,
}

/// One thing that is wrong. Texts are lower-case and without a full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    pub what: String,
    pub mend: String,
}

/// The problems found so far. Reading goes on after each, so that all come at once.
#[derive(Debug, Default)]
pub struct Problems(Vec<Problem>);

impl Problems {
    pub fn add(&mut self, place: &Place, what: impl Into<String>, mend: impl Into<String>) {
        self.0.push(Problem { place: place.clone(), what: what.into(), mend: mend.into() });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Why a file gives no configuration: the whole list, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    file: String,
    told: Vec<Told>,
}

/// A problem with the line and the column, from 1, of its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub line: usize,
    pub column: usize,
    pub path: String,
    pub what: String,
    pub mend: String,
}

impl Refusal {
    /// `file` is the name to show, `text` what stands in it.
    pub fn new(file: &str, text: &str, problems: Problems) -> Refusal {
        let mut problems = problems.0;
        problems.sort_by_key(|problem| problem.place.offset);
        let told = problems.into_iter().map(|problem| {
            let (line, column) = line_and_column(text, problem.place.offset);
            let Problem { place, what, mend } = problem;
            Told { line, column, path: place.path, what, mend }
        });
        Refusal { file: file.to_owned(), told: told.collect() }
    }

    /// A file that cannot be read at all.
    pub fn unreadable(file: &str, error: &std::io::Error) -> Refusal {
        let mut problems = Problems::default();
        let place = Place { path: String::new(), offset: 0 };
        problems.add(
            &place,
            format!("cannot read the file: {error}"),
            "check the path and its permissions",
        );
        Refusal::new(file, "", problems)
    }

    /// File, line and column of one of its problems.
    pub fn place(&self, told: &Told) -> String {
        format!("{}:{}:{}", self.file, told.line, told.column)
    }

    pub fn problems(&self) -> &[Told] {
        &self.told
    }
}

/// Both from 1; the column counts characters.
fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset.min(text.len()))];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = 1 + before.bytes().filter(|byte| *byte == b'\n').count();
    (line, 1 + before[line_start..].chars().count())
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for told in &self.told {
            write!(f, "{}: ", self.place(told))?;
            if !told.path.is_empty() {
                write!(f, "{}: ", told.path)?;
            }
            writeln!(f, "{}", told.what)?;
            writeln!(f, "    mend: {}", told.mend)?;
        }
        let plural = if self.told.len() == 1 { "" } else { "s" };
        write!(f, "{}: {} problem{plural}", self.file, self.told.len())
    }
}

impl std::error::Error for Refusal {}
