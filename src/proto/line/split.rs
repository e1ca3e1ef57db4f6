//! Where the servers end a line. InfluxDB 1.x and 2.x agree on this rule byte for byte.

/// The end of a line, and whether a string is still open there (then it is the end of the body).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// The index of the LF, or the length of the body.
    pub at: usize,
    pub open: bool,
}

/// The end of the line that starts at `start`.
///
/// A backslash hides the byte after it, whatever that is. After the first blank `=` and `,` are counted, and
/// a quote opens or closes a string while there are more `=` than `,`. LF ends the line outside strings.
/// In the last two bytes of the body a backslash is an ordinary byte.
pub(super) fn line_end(body: &[u8], start: usize) -> End {
    line_end_from(body, start, false)
}

/// Whether the servers would not end `line` where it ends; `after_blank` if a blank stood before it.
pub(super) fn hides_its_end(line: &[u8], after_blank: bool) -> bool {
    let hides = |in_fields| {
        let end = line_end_from(line, 0, in_fields);
        end.open || end.at != line.len()
    };
    hides(false) || (after_blank && hides(true))
}

fn line_end_from(body: &[u8], start: usize, mut in_fields: bool) -> End {
    let mut quoted = false;
    let (mut equals, mut commas) = (0_usize, 0_usize);
    let mut at = start;
    while at < body.len() {
        match body[at] {
            b'\\' if at + 2 < body.len() => at += 1,
            b'\n' if !quoted => break,
            b' ' => in_fields = true,
            b'=' if in_fields && !quoted => equals += 1,
            b',' if in_fields && !quoted => commas += 1,
            b'"' if in_fields && equals > commas => quoted = !quoted,
            _ => {}
        }
        at += 1;
    }
    End { at, open: quoted }
}
