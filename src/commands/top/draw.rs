//! From what is known to a frame: nothing is asked here, and nothing changes.

use super::screen::{Screen, Sort};
use super::snapshot::{Backend, Snapshot};
use crate::commands::status::size;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Cell, Paragraph, Row, Table};
use std::iter;

/// Lines above the table, and its header.
const HEAD_ROWS: u16 = 6;

const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
const DIM: Style = Style::new().add_modifier(Modifier::DIM);
const GOOD: Style = Style::new().fg(Color::Green);
const WARN: Style = Style::new().fg(Color::Yellow);
const BAD: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);

/// How high a frame must be to show everything.
pub fn rows(screen: &Screen) -> u16 {
    let backends = screen.now.as_ref().map_or(0, |now| now.backends.len());
    // The header of the table, the line between it and the notes, and the line of keys.
    HEAD_ROWS + height(backends + notes(screen).len() + 3)
}

fn height(rows: usize) -> u16 {
    u16::try_from(rows).unwrap_or(u16::MAX - HEAD_ROWS)
}

pub fn draw(frame: &mut Frame<'_>, screen: &Screen) {
    let parts = [Constraint::Length(HEAD_ROWS), Constraint::Fill(1), Constraint::Length(1)];
    let [head, middle, foot] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Paragraph::new(head_lines(screen)), head);
    match &screen.now {
        Some(now) => {
            let notes = notes(screen);
            // A table that does not fit leaves a third to what is wrong.
            let most = height(notes.len() + 1).min(middle.height / 3 + 1);
            let table_rows = height(now.backends.len() + 1);
            let parts = [Constraint::Max(table_rows), Constraint::Min(most)];
            let [upper, lower] = Layout::vertical(parts).areas(middle);
            frame.render_widget(table(screen), upper);
            let text = iter::once(Line::default()).chain(notes).collect::<Vec<_>>();
            frame.render_widget(Paragraph::new(text), lower);
        }
        None => frame.render_widget(Paragraph::new("no answer yet"), middle),
    }
    frame.render_widget(Paragraph::new(foot_line(screen)), foot);
}

fn head_lines(screen: &Screen) -> Vec<Line<'static>> {
    let Some(now) = &screen.now else {
        let title =
            Line::from(vec![Span::styled("Circlet", BOLD), format!("  {}", screen.address).into()]);
        return vec![title, trouble(screen)];
    };
    vec![
        title(screen, now),
        state(screen, now),
        work(screen, now),
        store(now),
        latency(now),
        busy(now),
    ]
}

fn title(screen: &Screen, now: &Snapshot) -> Line<'static> {
    let up = time(now.up_seconds);
    let text = format!(" {}  {}  up {up}", now.version, screen.address);
    Line::from(vec![Span::styled("Circlet", BOLD), text.into()])
}

/// The one line to look at: is anything wrong?
fn state(screen: &Screen, now: &Snapshot) -> Line<'static> {
    if screen.trouble.is_some() {
        return trouble(screen);
    }
    if let Some(why) = &now.not_ready {
        return Line::styled(format!("WRITES ARE REFUSED: {why}"), BAD);
    }
    if now.lost > 0.0 {
        return Line::styled(format!("{} points are lost", count(now.lost)), BAD);
    }
    let closed = now.circles.iter().filter(|(_, can_answer)| !can_answer);
    let closed: Vec<&str> = closed.map(|(name, _)| name.as_str()).collect();
    let down = now.backends.iter().filter(|backend| backend.state != "up").count();
    let of = now.backends.len();
    match (down, closed.is_empty()) {
        (0, true) => Line::styled(format!("writes are taken, all {of} backends are up"), GOOD),
        (0, false) => Line::styled(format!("not complete: {}", closed.join(", ")), WARN),
        (down, _) => Line::styled(
            format!("{down} of {of} backends are down, their lines wait in the log"),
            WARN,
        ),
    }
}

fn trouble(screen: &Screen) -> Line<'static> {
    let why = screen.trouble.as_deref().map_or(String::new(), |why| format!("NO ANSWER: {why}"));
    Line::styled(why, BAD)
}

fn work(screen: &Screen, now: &Snapshot) -> Line<'static> {
    let rate = |of: fn(&Snapshot) -> f64| screen.rate(of).map_or("-".to_owned(), count);
    Line::from(format!(
        "lines/s {}  requests/s {}  queries/s {}  5xx/s {}  connections {}",
        rate(|snapshot| snapshot.lines),
        rate(|snapshot| snapshot.requests),
        rate(|snapshot| snapshot.queries),
        rate(|snapshot| snapshot.errors),
        count(now.connections),
    ))
}

fn store(now: &Snapshot) -> Line<'static> {
    let limit = now.log_bytes_max.map_or(String::new(), |most| format!(" of {}", size(most)));
    let memory = match now.memory_bytes {
        none if none <= 0.0 => String::new(),
        #[expect(clippy::cast_possible_truncation, reason = "a size, shown with three digits")]
        #[expect(clippy::cast_sign_loss, reason = "it is above 0")]
        bytes => format!("  memory {}", size(bytes as u64)),
    };
    Line::from(format!(
        "log {}{limit}  disk free {} (least {}){memory}",
        size(now.log_bytes),
        size(now.free_bytes),
        size(now.min_free_bytes),
    ))
}

fn latency(now: &Snapshot) -> Line<'static> {
    let stage =
        |name: &str, median: f64, p99: f64| format!("  {name} {}/{}", short(median), short(p99));
    let stages = now.stages.iter().map(|it| stage(it.name, it.median, it.p99));
    Line::from(format!("p50/p99{}", stages.collect::<String>()))
}

fn busy(now: &Snapshot) -> Line<'static> {
    let mut spans = vec![Span::from("busy")];
    for (shard, busy) in &now.shards {
        let style = if *busy > 0.95 { BAD } else { Style::new() };
        spans.push(Span::from(format!("  {shard}: ")));
        spans.push(Span::styled(format!("{:.0} %", busy * 100.0), style));
    }
    Line::from(spans)
}

fn table(screen: &Screen) -> Table<'static> {
    let head = ["CIRCLE", "BACKEND", "STATE", "SINCE", "BACKLOG", "AGE", "LINES/S"];
    let shown = screen.backends().into_iter().skip(screen.first);
    let rows: Vec<Row<'static>> = shown.map(|backend| row(screen, backend)).collect();
    let names = |of: fn(&Backend) -> &String, least: usize| {
        let all = screen.now.iter().flat_map(|now| &now.backends);
        let longest = all.map(|backend| of(backend).chars().count()).max().unwrap_or(0);
        Constraint::Length(u16::try_from(longest.clamp(least, 16)).unwrap_or(16))
    };
    let widths = [
        names(|backend| &backend.circle, 6),
        names(|backend| &backend.name, 7),
        Constraint::Length(10),
        Constraint::Length(7),
        Constraint::Length(9),
        Constraint::Length(7),
        Constraint::Length(7),
    ];
    Table::new(rows, widths).header(Row::new(head).style(BOLD))
}

fn row(screen: &Screen, backend: &Backend) -> Row<'static> {
    let (state, style) = match (backend.state.as_str(), &backend.incomplete) {
        ("up", None) => ("up", GOOD),
        ("up", Some(_)) => ("incomplete", WARN),
        ("down", _) => ("DOWN", BAD),
        (_, _) => ("unknown", DIM),
    };
    let backlog = size(backend.backlog_bytes);
    let backlog = if backend.is_full { Span::styled(backlog, BAD) } else { Span::from(backlog) };
    Row::new([
        Cell::from(backend.circle.clone()),
        Cell::from(backend.name.clone()),
        Cell::from(Span::styled(state, style)),
        Cell::from(backend.state_seconds.map_or("-".to_owned(), time)),
        Cell::from(backlog),
        Cell::from(backend.backlog_seconds.map_or("-".to_owned(), time)),
        Cell::from(screen.backend_rate(backend).map_or("-".to_owned(), count)),
    ])
}

/// What is wrong with each backend with which something is, the gravest first.
fn notes(screen: &Screen) -> Vec<Line<'static>> {
    let note = |backend: &Backend| {
        let full = backend.is_full.then(|| "its backlog is full".to_owned());
        let incomplete = backend.incomplete.as_ref().map(|why| format!("incomplete: {why}"));
        let parked =
            (backend.parked > 0).then(|| format!("databases that wait: {}", backend.parked));
        let all = [full, incomplete, parked, backend.last_error.clone()];
        let all = all.into_iter().flatten().collect::<Vec<_>>().join("; ");
        (!all.is_empty()).then(|| Line::from(format!("{}/{}: {all}", backend.circle, backend.name)))
    };
    screen.backends().into_iter().filter_map(note).collect()
}

fn foot_line(screen: &Screen) -> Line<'static> {
    let pause = if screen.is_paused { "p go on" } else { "p pause" };
    let sort = screen.sort;
    let more = if sort == Sort::Circle { "" } else { ", most first" };
    let text = format!("q quit  {pause}  s sort: {}{more}  arrows scroll", sort.word());
    match screen.is_paused {
        true => Line::from(vec![Span::styled("PAUSED  ", WARN), Span::styled(text, DIM)]),
        false => Line::styled(text, DIM),
    }
}

/// A number as a person reads it.
fn count(number: f64) -> String {
    match number {
        small if small < 10.0 && small.fract() > 0.05 => format!("{small:.1}"),
        small if small < 9_999.5 => format!("{small:.0}"),
        thousands if thousands < 9_999_500.0 => format!("{:.0}k", thousands / 1e3),
        millions => format!("{:.1}M", millions / 1e6),
    }
}

/// Seconds, in at most six letters.
fn time(seconds: f64) -> String {
    match seconds {
        short if short < 9.95 => format!("{short:.1}s"),
        short if short < 120.0 => format!("{short:.0}s"),
        minutes if minutes < 7_200.0 => format!("{:.0}m", minutes / 60.0),
        hours if hours < 172_800.0 => format!("{:.0}h", hours / 3600.0),
        days => format!("{:.0}d", days / 86_400.0),
    }
}

/// The same for what takes moments.
fn short(seconds: f64) -> String {
    match seconds {
        none if none <= 0.0 => "-".to_owned(),
        micros if micros < 1e-3 => format!("{:.0}us", micros * 1e6),
        millis if millis < 1.0 => {
            format!("{:.3}", millis * 1e3)[..4].trim_end_matches('.').to_owned() + "ms"
        }
        seconds => format!("{seconds:.1}s"),
    }
}

#[cfg(test)]
mod tests;
