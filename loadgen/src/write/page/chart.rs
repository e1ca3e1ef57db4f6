//! A plot: lines over two axes, drawn so that its text can be read on a telephone.

use super::axis::Axis;
use super::escape;
use std::fmt::Write;

/// Units of the drawing: about the pixels of a small screen, so that text keeps its size there.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 270.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 24.0;
const BOTTOM: f64 = 42.0;
/// Fewer points than this are shown as dots, too.
const DOTS_MAX: usize = 40;
/// Width of a letter beside an axis, to keep neighbours apart.
const LETTER: f64 = 7.4;

#[derive(Clone, Debug)]
pub struct Series {
    pub name: String,
    pub points: Vec<(f64, f64)>,
    /// Whether the points are joined.
    pub is_line: bool,
}

#[derive(Clone, Debug)]
pub struct Chart {
    pub title: &'static str,
    pub x: Axis,
    pub y: Axis,
    pub series: Vec<Series>,
    /// A value of y that should not be passed.
    pub limit: Option<f64>,
}

impl Chart {
    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let across = LEFT + self.x.place(x) * (WIDTH - LEFT - RIGHT);
        (across, HEIGHT - BOTTOM - self.y.place(y) * (HEIGHT - TOP - BOTTOM))
    }

    /// Caption, legend and drawing.
    pub fn svg(&self) -> String {
        let mut out = format!("<figure><figcaption>{}<div class=\"legend\">", escape(self.title));
        for (number, series) in self.series.iter().enumerate() {
            let (class, name) = (number % 6, escape(&series.name));
            // Writing to a String cannot fail.
            write!(out, "<span><i class=\"c{class}\"></i>{name}</span>").unwrap_or_default();
        }
        write!(
            out,
            "</div></figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escape(self.title)
        )
        .unwrap_or_default();
        self.draw_axes(&mut out);
        if let Some(limit) = self.limit {
            let ((left, y), (right, _)) = (self.at(self.x.low, limit), self.at(self.x.high, limit));
            write!(out, "<path class=\"limit\" d=\"M{left:.1} {y:.1}H{right:.1}\"/>")
                .unwrap_or_default();
        }
        for (number, series) in self.series.iter().enumerate() {
            self.draw(series, number % 6, &mut out);
        }
        out.push_str("</svg></figure>\n");
        out
    }

    fn draw_axes(&self, out: &mut String) {
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, text) in &self.y.ticks {
            let (_, y) = self.at(self.x.low, *value);
            write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                escape(text)
            )
            .unwrap_or_default();
        }
        let mut free = 0.0;
        for (value, text) in &self.x.ticks {
            let (x, _) = self.at(*value, self.y.low);
            write!(out, "<path class=\"grid\" d=\"M{x:.1} {bottom}v4\"/>").unwrap_or_default();
            let half = text.len() as f64 * LETTER / 2.0;
            let middle = x.min(WIDTH - half);
            if middle - half < free {
                continue;
            }
            free = middle + half + LETTER;
            let y = bottom + 18.0;
            write!(
                out,
                "<text x=\"{middle:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{}</text>",
                escape(text)
            )
            .unwrap_or_default();
        }
        write!(
            out,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text><text x=\"4\" y=\"12\">{}</text>",
            f64::midpoint(LEFT, right),
            HEIGHT - 6.0,
            escape(self.x.label),
            escape(self.y.label)
        )
        .unwrap_or_default();
    }

    fn draw(&self, series: &Series, class: usize, out: &mut String) {
        let places: Vec<(f64, f64)> = series.points.iter().map(|(x, y)| self.at(*x, *y)).collect();
        if series.is_line && places.len() > 1 {
            write!(out, "<path class=\"c{class}\" style=\"fill:none\" d=\"").unwrap_or_default();
            for (number, (x, y)) in places.iter().enumerate() {
                let letter = if number == 0 { 'M' } else { 'L' };
                write!(out, "{letter}{x:.1} {y:.1}").unwrap_or_default();
            }
            out.push_str("\"/>");
        }
        if !series.is_line || places.len() <= DOTS_MAX {
            for (x, y) in &places {
                write!(out, "<circle class=\"c{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>")
                    .unwrap_or_default();
            }
        }
    }
}
