//! JSON strings as Go writes them, because clients compare error texts that InfluxDB's encoder made.
//!
//! Shape: `<`, `>`, `&`, U+2028 and U+2029 are escaped; each byte that is not UTF-8 becomes one `\ufffd`;
//! line feed, return and TAB have short forms, other control bytes do not.

/// Appends `text` as a JSON string, with its quotes.
pub fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for part in text.utf8_chunks() {
        for character in part.valid().chars() {
            push_char(out, character);
        }
        for _ in part.invalid() {
            out.extend_from_slice(b"\\ufffd");
        }
    }
    out.push(b'"');
}

fn push_char(out: &mut Vec<u8>, character: char) {
    match character {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\0'..='\u{1f}' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
            out.extend_from_slice(format!("\\u{:04x}", u32::from(character)).as_bytes());
        }
        _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn string(text: &[u8]) -> String {
        let mut out = Vec::new();
        push_string(&mut out, text);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_are_those_of_go() {
        assert_eq!(string(b"a\"b\\c\n\r\t"), r#""a\"b\\c\n\r\t""#);
        assert_eq!(
            string(b"<a&b>\x00\x04\x08\x7f"),
            "\"\\u003ca\\u0026b\\u003e\\u0000\\u0004\\u0008\x7f\""
        );
        assert_eq!(string("\u{2028}\u{2029}é".as_bytes()), "\"\\u2028\\u2029é\"");
        assert_eq!(string(b"\xe2\x82x\xff"), "\"\\ufffd\\ufffdx\\ufffd\"");
    }

    proptest! {
        #[test]
        fn every_text_is_one_json_string(text in proptest::collection::vec(any::<u8>(), 0..60)) {
            let parsed: serde_json::Value = serde_json::from_str(&string(&text)).unwrap();
            if let Ok(text) = std::str::from_utf8(&text) {
                prop_assert_eq!(parsed.as_str(), Some(text));
            }
        }
    }
}
