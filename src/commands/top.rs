//! `circlet top`: a running gateway at a glance, once a second.
//!
//! Read in this order: `snapshot` (what was asked), `screen` (what the person looks at), `draw` (how it looks).
//! A thread asks, so that a gateway that does not answer never keeps a key waiting.

mod draw;
mod metrics;
mod screen;
mod snapshot;

use super::{Exit, arguments, http, print};
use circlet::config::Config;
use clap::Args;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use screen::Screen;
use snapshot::Snapshot;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Between two looks at the gateway.
const PERIOD: Duration = Duration::from_secs(1);

/// How long an answer of the gateway may lie before it is shown.
const KEYS_WAIT: Duration = Duration::from_millis(100);

/// Of the one frame of `--once`: room for errors.
const ONCE_COLUMNS: u16 = 132;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    pub file: arguments::ConfigFile,
    /// Print one frame as text, after two looks a second apart, and end
    #[arg(long)]
    pub once: bool,
}

/// A snapshot, or why there is none.
type Seen = Result<Snapshot, String>;

pub fn run(config: &Config, arguments: &Arguments) -> Exit {
    let outcome = match arguments.once {
        true => once(config),
        false if io::stdout().is_terminal() && io::stdin().is_terminal() => watch(config),
        false => {
            eprintln!(
                "circlet top: this is no terminal; `circlet top --once` prints one frame as text, \
                 `circlet status --json` is for programs"
            );
            return Exit::Usage;
        }
    };
    match outcome {
        Ok(()) => Exit::Done,
        Err(why) => {
            eprintln!("circlet top: {why}");
            Exit::Failed
        }
    }
}

fn look(config: &Config) -> Seen {
    let ask = |path| {
        let reply = http::ask_gateway(config, "GET", path).map_err(|error| error.to_string())?;
        match reply.is_success() {
            true => String::from_utf8(reply.body).map_err(|error| error.to_string()),
            false => Err(reply.complaint()),
        }
    };
    Snapshot::read(&ask("/-/status")?, &ask("/metrics")?)
}

fn once(config: &Config) -> Result<(), String> {
    let mut screen = Screen::new(http::admin(config).to_string());
    screen.see(Ok(look(config)?));
    pause(PERIOD);
    screen.see(Ok(look(config)?));
    print(text_of(&screen).as_bytes());
    Ok(())
}

/// The frame as lines, as high as it needs to be.
fn text_of(screen: &Screen) -> String {
    let backend = TestBackend::new(ONCE_COLUMNS, draw::rows(screen));
    let mut terminal = Terminal::new(backend).unwrap_or_else(|never| match never {});
    terminal.draw(|frame| draw::draw(frame, screen)).unwrap_or_else(|never| match never {});
    let buffer = terminal.backend().buffer();
    let cells = buffer.content.chunks(usize::from(ONCE_COLUMNS));
    let lines = cells.map(|row| row.iter().map(|cell| cell.symbol()).collect::<String>());
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

fn watch(config: &Config) -> Result<(), String> {
    let (sender, looks) = channel();
    let asked = config.clone();
    thread::Builder::new()
        .name("looks".to_owned())
        .spawn(move || look_for_ever(&asked, &sender))
        .map_err(|error| error.to_string())?;
    let mut terminal = ratatui::try_init().map_err(|error| error.to_string())?;
    let outcome = show(&mut terminal, &looks, Screen::new(http::admin(config).to_string()));
    ratatui::restore();
    outcome.map_err(|error| error.to_string())
}

/// Until nobody listens any more.
fn look_for_ever(config: &Config, to: &Sender<Seen>) {
    while to.send(look(config)).is_ok() {
        pause(PERIOD);
    }
}

#[expect(clippy::disallowed_methods, reason = "a thread of a command, which does nothing else")]
fn pause(time: Duration) {
    thread::sleep(time);
}

fn show(
    terminal: &mut ratatui::DefaultTerminal,
    looks: &Receiver<Seen>,
    mut screen: Screen,
) -> io::Result<()> {
    loop {
        for seen in looks.try_iter() {
            screen.see(seen);
        }
        terminal.draw(|frame| draw::draw(frame, &screen))?;
        if !event::poll(KEYS_WAIT)? {
            continue;
        }
        if let Event::Key(key) = event::read()?
            && key.kind == KeyEventKind::Press
            && !press(&mut screen, key)
        {
            return Ok(());
        }
    }
}

/// False if it is the end.
fn press(screen: &mut Screen, key: KeyEvent) -> bool {
    match key.code {
        KeyCode::Char('q') | KeyCode::Esc => return false,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => return false,
        KeyCode::Char('p' | ' ') => screen.pause(),
        KeyCode::Char('s') => screen.sort_otherwise(),
        KeyCode::Char('j') | KeyCode::Down => screen.scroll(1),
        KeyCode::Char('k') | KeyCode::Up => screen.scroll(-1),
        KeyCode::PageDown => screen.scroll(10),
        KeyCode::PageUp => screen.scroll(-10),
        _ => {}
    }
    true
}
