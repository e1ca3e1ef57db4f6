//! Results JSON: what is read is written again and read the same, in plain, indented and chunked form; and however
//! its series are split over backends, the merger gives them back.
#![no_main]

use circlet::proto::results::{Form, Series, Writer, cells, read};
use circlet::query::merge::influxql::{Merge, Turn, Way};
use libfuzzer_sys::fuzz_target;

fn written(series: &[Series], error: Option<&str>, form: Form) -> String {
    let (mut writer, mut out) = (Writer::new(form), String::new());
    writer.statement(true, &mut out);
    series.iter().for_each(|series| writer.piece(series.clone(), &mut out));
    writer.end(error, &mut out);
    writer.finish(&mut out);
    out
}

/// Series that one server could send: of a name and tags each once, by name, all of one shape.
fn sorted(mut all: Vec<Series>) -> Vec<Series> {
    let Some(first) = all.first().cloned() else { return all };
    let keys = |series: &Series| series.tags.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    all.retain(|series| series.columns == first.columns && keys(series) == keys(&first));
    let values =
        |series: &Series| series.tags.iter().map(|(_, value)| value.clone()).collect::<Vec<_>>();
    all.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| values(a).cmp(&values(b))));
    all.dedup_by(|a, b| a.is_same(b));
    all.iter_mut().for_each(|series| series.partial = false);
    all
}

fn merged(all: &[Series], owners: usize) -> Vec<Series> {
    let mut merge = Merge::new(Way::Side { descending: false }, owners);
    let owner = |series: &Series| series.name.bytes().map(usize::from).sum::<usize>() % owners;
    let mut out = Vec::new();
    let mut fed = vec![false; owners];
    loop {
        match merge.turn().expect("no series is on two backends") {
            Turn::Need(at) if fed[at] => merge.end(at),
            Turn::Need(at) => {
                let own = all.iter().filter(|series| owner(series) == at);
                merge.feed(at, own.cloned().collect());
                fed[at] = true;
            }
            Turn::Piece(series) => out.push(series),
            Turn::Done => return out,
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((owners, text)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    // A backend's answer is cut at line ends before it is read.
    if text.contains(['\n', '\r']) {
        return;
    }
    let Ok(line) = read(text) else { return };
    for part in line.parts {
        for row in part.series.iter().flat_map(|series| series.rows.iter()).flat_map(|rows| rows.iter()) {
            cells(row).for_each(drop);
        }
        let series = sorted(part.series);
        let error = part.error.as_deref();
        for pretty in [false, true] {
            let text = written(&series, error, Form::Json { pretty, chunked: false });
            let again = read(&text).expect("what is written can be read").parts.remove(0);
            assert_eq!(again.error.as_deref(), error);
            if !pretty {
                assert_eq!(again.series, series);
            }
        }
        let chunked = written(&series, error, Form::Json { pretty: false, chunked: true });
        let lines = chunked.lines().map(|line| read(line).expect("a chunk can be read"));
        let again: Vec<Series> = lines.flat_map(|mut line| line.parts.remove(0).series).collect();
        assert_eq!(again, series);
        written(&series, error, Form::Csv);
        assert_eq!(merged(&series, usize::from(owners % 4) + 1), series);
    }
});
