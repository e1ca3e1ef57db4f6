//! Fields of a `multipart/form-data` body, which curl's `-F` sends.
//!
//! Shape: RFC 7578, whole in memory. What does not look like it has no parts.

/// Name and content of each part that has a name.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Vec<(String, &'a [u8])> {
    let Some(boundary) = parameter(content_type, "boundary") else { return Vec::new() };
    let delimiter = format!("--{boundary}").into_bytes();
    let mut found = Vec::new();
    let mut rest = body;
    while let Some(at) = memchr::memmem::find(rest, &delimiter) {
        rest = &rest[at + delimiter.len()..];
        if rest.starts_with(b"--") {
            break;
        }
        let end = memchr::memmem::find(rest, &delimiter).unwrap_or(rest.len());
        found.extend(part(&rest[..end]));
    }
    found
}

/// One part, between two delimiters: a line end, fields, an empty line, content, a line end.
fn part(bytes: &[u8]) -> Option<(String, &[u8])> {
    let at = memchr::memmem::find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..at]).ok()?;
    let content = &bytes[at + 4..];
    let content = content.strip_suffix(b"\r\n").unwrap_or(content);
    let field = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    Some((parameter(field, "name")?, content))
}

/// `name=value` or `name="value"` after a `;`.
fn parameter(field: &str, name: &str) -> Option<String> {
    field.split(';').skip(1).find_map(|part| {
        let (known, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (known.trim().eq_ignore_ascii_case(name) && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_files_are_found() {
        let body = b"--b\r\nContent-Disposition: form-data; name=\"q\"\r\n\r\nSHOW DATABASES\r\n--b\r\nContent-Disposition: form-data; name=\"db\"; filename=\"x\"\r\nContent-Type: text/plain\r\n\r\na\r\n--b--\r\n";
        let found = parts("multipart/form-data; boundary=b", body);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], ("q".to_owned(), &b"SHOW DATABASES"[..]));
        assert_eq!(found[1], ("db".to_owned(), &b"a"[..]));
    }

    #[test]
    fn what_is_no_form_has_no_parts() {
        assert!(parts("multipart/form-data", b"--b\r\n").is_empty());
        assert!(parts("multipart/form-data; boundary=b", b"--b--").is_empty());
        assert!(parts("multipart/form-data; boundary=b", b"--b\r\nno head").is_empty());
    }
}
