//! The default org, and the table that renames databases.

use crate::config::problem::{Place, Problems};
use crate::config::raw::RawFile;
use crate::config::section::quoted;
use crate::ring::{Mapping, Naming, Target};

const DEFAULT_ORG: &str = "default";

/// Of an org or a bucket, in bytes. Requests bound their names by the length of their URL.
const NAME_BYTES_MAX: usize = 512;

pub fn naming(raw: &RawFile, problems: &mut Problems) -> Option<Naming> {
    let org = match &raw.default_org {
        Some(found) => org(&found.place, &found.value, problems)?,
        None => DEFAULT_ORG,
    };
    let mut rows: Vec<(Place, Mapping)> = Vec::new();
    for mapping in &raw.mappings {
        let (Some(database), Some(bucket)) = (&mapping.database, &mapping.bucket) else { continue };
        if database.value.contains('/') {
            let mend = "write what is behind the \"/\" as retention_policy";
            problems.add(&database.place, "a \"/\" in the name of a database", mend);
        }
        if bucket.value.len() > NAME_BYTES_MAX {
            too_long(&bucket.place, problems);
        }
        if bucket.value.starts_with('/') {
            problems.add(&bucket.place, "no name before the \"/\"", "bucket = \"name\"");
        }
        let org = mapping.org.as_ref();
        let org = org.and_then(|found| self::org(&found.place, &found.value, problems));
        let row = Mapping {
            database: database.value.as_str().into(),
            retention_policy: mapping
                .retention_policy
                .as_ref()
                .map_or("", |found| found.value.as_str())
                .into(),
            bucket: bucket.value.as_str().into(),
            org: org.map(Box::from),
        };
        rows.push((mapping.place.clone(), row));
    }
    let mappings: Vec<Mapping> = rows.iter().map(|(_, row)| row.clone()).collect();
    let naming = Naming::new(org, &mappings);
    chains_and_twins(&rows, &naming, problems);
    Some(naming)
}

/// One database has one row, and a row's bucket is not renamed again: else a target would have two
/// names, and which one counts would depend on the request.
fn chains_and_twins(rows: &[(Place, Mapping)], naming: &Naming, problems: &mut Problems) {
    let plain = Naming::new("", &[]);
    let names = |target: Target| (target.database, target.retention_policy);
    let source = |row: &Mapping| names(plain.v1(&row.database, Some(&row.retention_policy)));
    for (index, (place, row)) in rows.iter().enumerate() {
        if let Some(twin) = rows[..index].iter().position(|(_, it)| source(it) == source(row)) {
            let what = format!("the same database and retention policy as {}", rows[twin].0.path);
            problems.add(place, what, "keep one of the two");
        }
        let renamed_again = names(naming.v2(None, &row.bucket));
        if renamed_again != names(plain.v2(None, &row.bucket)) {
            let what = format!("bucket {} is renamed by another row", quoted(&row.bucket));
            problems.add(place, what, "name the last bucket in each row");
        }
    }
}

/// An org is a name: requests that give an id get the default one.
fn org<'t>(place: &Place, text: &'t str, problems: &mut Problems) -> Option<&'t str> {
    let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if text.is_empty() {
        problems.add(place, "empty", "org = \"default\"");
    } else if text.len() > NAME_BYTES_MAX {
        too_long(place, problems);
    } else if is_id {
        let what = format!("{} is an id, which differs from server to server", quoted(text));
        problems.add(place, what, "give the org's name");
    } else {
        return Some(text);
    }
    None
}

fn too_long(place: &Place, problems: &mut Problems) {
    let what = format!("longer than {NAME_BYTES_MAX} bytes");
    problems.add(place, what, "choose a shorter name");
}
