//! Annotated CSV as InfluxDB writes it, and as nobody should.

use proptest::prelude::*;

use super::{Annotation, Cells, Decoder, Dialect, Encoder, Event, Head, plain, unquoted};

/// What a body says, one line for each event.
fn said(body: &str, delimiter: u8, sizes: &[usize]) -> Vec<String> {
    let mut decoder = Decoder::new(delimiter);
    let (mut rest, mut sizes) = (body.as_bytes(), sizes.iter().cycle());
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut said = Vec::new();
    loop {
        match decoder.event() {
            Ok(Event::More) if rest.is_empty() => decoder.end(),
            Ok(Event::More) => {
                let size = (*sizes.next().unwrap()).clamp(1, rest.len());
                decoder.push(&rest[..size]);
                rest = &rest[size..];
            }
            Ok(Event::Table { result, block, measurement, is_empty }) => {
                let columns: Vec<String> = block.columns().map(text).collect();
                let (result, measurement) = (text(&result), text(&measurement));
                said.push(format!("{result}/{measurement}/{} {is_empty}", columns.join(" ")));
            }
            Ok(Event::Row(cells)) => said.push(text(cells)),
            Ok(Event::Error { message, reference }) => {
                said.push(format!("error {} {}", text(&message), text(&reference)));
                return said;
            }
            Ok(Event::End) => return said,
            Err(error) => {
                said.push(error.to_string());
                return said;
            }
        }
    }
}

const HEAD: &str = "#datatype,string,long,string,string\r\n#group,false,false,true,false\r\n\
    #default,_result,,,\r\n,result,table,_measurement,_value\r\n";

#[test]
fn tables_begin_where_their_number_or_their_block_changes() {
    let body = format!("{HEAD},,0,a,1\r\n,,0,a,2\r\n,,1,b,1\r\n\r\n{HEAD},,1,b,1\r\n\r\n");
    let table = |name: &str| format!("_result/{name}/_measurement _value false");
    let expected = [&*table("a"), ",a,1", ",a,2", &table("b"), ",b,1", &table("b"), ",b,1"];
    assert_eq!(said(&body, b',', &[1000]), expected);
    assert_eq!(said(&body.replace("\r\n", "\n"), b',', &[3]), expected);
    assert_eq!(said(&format!("\r\n\r\n{body}\r\n\r\n"), b',', &[1]), expected);
}

#[test]
fn what_stands_in_quotes_is_one_cell() {
    let row = ",,0,\"a,\r\n\r\n#b \"\"c\"\"\",\"\"\r\n";
    let found = said(&format!("{HEAD}{row}"), b',', &[2]);
    assert_eq!(found[0], "_result/a,\r\n\r\n#b \"c\"/_measurement _value false");
    assert_eq!(found[1], row[3..row.len() - 2].trim_start_matches('0'));
    let cells: Vec<&[u8]> = Cells::new(b"a;\"b;\"\";\";;c", b';').collect();
    assert_eq!(cells, [b"a".as_slice(), b"\"b;\"\";\"", b"", b"c"]);
    for text in ["", "a", "a;b", "\"", "a\nb", " a", "ä"] {
        assert_eq!(unquoted(&plain(text, b';')).as_ref(), text.as_bytes());
    }
}

#[test]
fn an_empty_table_tells_its_key_in_its_default_row() {
    let empty = HEAD.replace("#default,_result,,,", "#default,x,0,a,");
    let line = "x/a/_measurement _value true";
    assert_eq!(said(&format!("{empty}\r\n\r\n"), b',', &[5]), [line]);
    assert_eq!(said(&format!("{empty}\r\n{empty}\r\n"), b',', &[5]), [line, line]);
    assert_eq!(said(&empty, b',', &[7]), [line]);
}

#[test]
fn an_error_is_no_table() {
    let body = "#datatype,string,string\r\n#group,true,true\r\n#default,,\r\n,error,reference\r\n\
        ,\"a \"\"b\"\"\",897\r\n";
    assert_eq!(said(body, b',', &[3]), ["error a \"b\" 897"]);
    assert_eq!(said(",error,reference\r\n,boom,\r\n", b',', &[9]), ["error boom "]);
}

#[test]
fn what_is_no_annotated_csv_is_said() {
    let cases = [
        ("a,b\r\n", "a header does not begin with"),
        ("#what,a\r\n", "an annotation is not known"),
        (",result,table,a\r\nx,,0,1\r\n", "a row does not begin with its result and table"),
        (",result,table,a\r\n,,x,1\r\n", "a table has no number"),
        (",result,table,a\r\n,x\"y\",0,1\r\n", "a quote stands inside of a cell"),
        (",result,table,a\r\n,,0,\"1\"2\r\n", "a quote stands inside of a cell"),
        (",result,table,a\r\n,,0,\"1\"2\"\"\r\n", "a quote stands inside of a cell"),
        (",result,table,a\r\n,,0,\"1", "it ends inside of a cell"),
        ("#default\r\n,result,table,a\r\n", "more or fewer cells than its header"),
        (",error,reference\r\n", "an error has no text"),
    ];
    for (body, why) in cases {
        let found = said(body, b',', &[4]);
        assert!(found.last().unwrap().contains(why), "{body}: {found:?}");
    }
}

proptest! {
    #[test]
    fn pieces_change_nothing(
        lines in proptest::collection::vec(prop_oneof![
            Just(HEAD.to_owned()),
            Just("\r\n".to_owned()),
            Just(",,0,a,1\r\n".to_owned()),
            Just(",,1,\"b\n\",\"\"\"\"\n".to_owned()),
            Just(",y,1,,\r\n".to_owned()),
            "[,a\"#\r\n]{0,5}",
        ], 0..12),
        sizes in proptest::collection::vec(1..9_usize, 1..4),
    ) {
        let body = lines.concat();
        prop_assert_eq!(said(&body, b',', &sizes), said(&body, b',', &[1 << 20]));
    }
}

/// One result of tables: labels of columns, which are all strings and of which the first is the key, and rows.
fn written(dialect: Dialect, tables: &[(&[&str], &[&[&str]])]) -> String {
    let mut encoder = Encoder::new(dialect);
    let mut out = Vec::new();
    encoder.begin_result("r");
    for (labels, rows) in tables {
        let heads = labels.iter().enumerate().map(|(at, label)| Head {
            label: (*label).to_owned(),
            datatype: "string",
            is_group: at == 0,
        });
        let keys: Vec<String> = (0..labels.len())
            .map(|at| if at == 0 { "k".to_owned() } else { String::new() })
            .collect();
        encoder.begin_table(heads.collect(), rows.is_empty(), &keys, &mut out);
        for row in *rows {
            encoder.begin_row(&mut out);
            row.iter().for_each(|cell| encoder.text(cell, &mut out));
            encoder.end_row(&mut out);
        }
    }
    encoder.end_result(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_block_begins_where_columns_change_and_around_an_empty_table() {
    let all = vec![Annotation::Group, Annotation::Default];
    let dialect = Dialect { annotations: all, delimiter: b';', ..Dialect::default() };
    let tables: [(&[&str], &[&[&str]]); 4] = [
        (&["a", "b"], &[&["k", "1;2"]]),
        (&["a", "b"], &[&["k", ""]]),
        (&["a", "b"], &[]),
        (&["a"], &[&["k"]]),
    ];
    let expected = "#group;false;false;true;false\r\n#default;r;;;\r\n;result;table;a;b\r\n\
        ;;0;k;\"1;2\"\r\n;;1;k;\r\n\r\n\
        #group;false;false;true;false\r\n#default;r;2;k;\r\n;result;table;a;b\r\n\r\n\
        #group;false;false;true\r\n#default;r;;\r\n;result;table;a\r\n;;3;k\r\n\r\n";
    assert_eq!(written(dialect.clone(), &tables), expected);
    let plain = ",result,table,a,b\r\n,r,0,k,1;2\r\n,r,1,k,\r\n\r\n,result,table,a,b\r\n\r\n\
        ,result,table,a\r\n,r,3,k\r\n\r\n";
    assert_eq!(written(Dialect::default(), &tables), plain);
    let bare = Dialect { has_header: false, ..Dialect::default() };
    assert_eq!(written(bare, &tables), ",r,0,k,1;2\r\n,r,1,k,\r\n\r\n\r\n,r,3,k\r\n\r\n");
    assert_eq!(written(dialect, &[]), "\r\n");
}

#[test]
fn a_failure_is_a_table_of_its_own() {
    let encoder =
        Encoder::new(Dialect { annotations: vec![Annotation::Datatype], ..Dialect::default() });
    let mut out = Vec::new();
    encoder.failed("a \"b\"", &mut out);
    assert_eq!(out, b"#datatype,string,string\r\n,error,reference\r\n,\"a \"\"b\"\"\",\r\n");
    let (mut encoder, mut out) = (Encoder::new(Dialect::default()), Vec::new());
    encoder.begin_result("r");
    encoder.end_result(&mut out);
    encoder.failed("x", &mut out);
    assert_eq!(out, b"\r\n\r\n,error,reference\r\n,x,\r\n");
}

proptest! {
    #[test]
    fn what_is_written_is_read(cells in proptest::collection::vec("[ab,;\"#\n \\\\]{0,4}", 1..6)) {
        let dialect = Dialect { annotations: vec![Annotation::Default], ..Dialect::default() };
        let rows: Vec<Vec<&str>> = cells.iter().map(|cell| vec!["k", cell.as_str()]).collect();
        let rows: Vec<&[&str]> = rows.iter().map(Vec::as_slice).collect();
        let body = written(dialect, &[(&["a", "b"], &rows)]);
        let mut decoder = Decoder::new(b',');
        decoder.push(body.as_bytes());
        decoder.end();
        let mut found = Vec::new();
        loop {
            match decoder.event().unwrap() {
                Event::Row(row) => {
                    let cell = Cells::new(&row[1..], b',').nth(1).unwrap();
                    found.push(String::from_utf8(unquoted(cell).into_owned()).unwrap().replace("\r\n", "\n"));
                }
                Event::End => break,
                _ => {}
            }
        }
        prop_assert_eq!(found, cells);
    }
}
