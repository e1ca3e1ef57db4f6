//! The line splitter of InfluxDB, written from its behaviour and apart from ours: the state is a closure of
//! flags here. The fuzz target `line` includes this file, too.

/// The lines of a body as the servers find them. The end of the body is treated as version 1.6 does or as
/// later ones do.
pub fn lines(body: &[u8], version_1_6: bool) -> Vec<&[u8]> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < body.len() {
        let mut fields = false;
        let mut quoted = false;
        let mut depth = 0_i64; // unquoted `=` less unquoted `,`
        let mut at = start;
        loop {
            if at >= body.len() {
                break;
            }
            let byte = body[at];
            if byte == b'\\' && (version_1_6 || at + 2 < body.len()) {
                at += 2;
                continue;
            }
            fields |= byte == b' ';
            if fields && byte == b'"' && depth > 0 {
                quoted = !quoted;
            } else if fields && !quoted {
                depth += i64::from(byte == b'=') - i64::from(byte == b',');
            }
            if byte == b'\n' && !quoted {
                break;
            }
            at += 1;
        }
        let end = at.min(body.len());
        lines.push(&body[start..end]);
        start = end + 1;
    }
    lines
}
