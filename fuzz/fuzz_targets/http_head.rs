//! Heads of requests and answers: however the bytes are cut into reads, the result is the same.
#![no_main]

use circlet::proto::http::params::Params;
use circlet::proto::http::scan::{Error, Scan};
use circlet::proto::http::{request, response};
use libfuzzer_sys::fuzz_target;

/// Shows a scan growing parts of `bytes`, `step` more each time.
fn in_steps(bytes: &[u8], step: usize) -> Result<Option<usize>, Error> {
    let mut scan = Scan::default();
    let mut seen = 0;
    loop {
        seen = (seen + step).min(bytes.len());
        let found = scan.find(&bytes[..seen])?;
        if found.is_some() || seen == bytes.len() {
            return Ok(found);
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Some((step, bytes)) = data.split_first() else { return };
    let step = usize::from(*step).max(1);
    let whole = in_steps(bytes, bytes.len().max(1));
    match (&whole, in_steps(bytes, step)) {
        (Ok(whole), Ok(cut)) => assert_eq!(*whole, cut),
        // Which of two errors comes first may depend on how much was there.
        (Err(_), Err(_)) => {}
        // A head that ends before the fault was found.
        (Err(_), Ok(Some(_))) => {}
        (whole, cut) => panic!("{whole:?} in one piece, {cut:?} in steps of {step}"),
    }
    if let Ok(Some(length)) = whole
        && let Ok(head) = request::parse(&bytes[..length])
    {
        assert!(!head.path.is_empty());
        for (name, _) in Params::parse(head.query.as_bytes()).pairs() {
            assert!(name.len() <= head.query.len());
        }
    }
    for is_head in [false, true] {
        let mut reader = response::Reader::new(is_head);
        if let Ok(Some((head, length))) = reader.push(bytes) {
            assert!(length <= bytes.len());
            let mut whole = response::Whole::new(head);
            let taken = whole.push(&bytes[length..]).unwrap_or(0);
            assert!(taken <= bytes.len() - length);
        }
    }
});
