//! Blocks against those that InfluxDB's own encoders made, and against themselves.

use crate::store::tsm::{BLOCK_POINTS_MAX, count, decode, encode, uvarint};
use crate::store::value::{Column, FieldType, Strings, Value, Values};
use proptest::prelude::*;
use serde_json::Value as Json;

pub(super) fn rows(name: &str) -> Vec<Json> {
    let path = format!("{}/tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub(super) fn kind(name: &str) -> FieldType {
    let all = [
        FieldType::Float,
        FieldType::Integer,
        FieldType::Unsigned,
        FieldType::String,
        FieldType::Boolean,
    ];
    all.into_iter().find(|kind| kind.name() == name).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

fn recorded(row: &Json) -> (Column, Vec<u8>) {
    let texts = |name: &str| row[name].as_array().unwrap().clone();
    let times = texts("timestamps").into_iter().map(|text| text.as_str().unwrap().parse().unwrap());
    let mut column = Column::new(kind(row["type"].as_str().unwrap()));
    let values = if column.kind() == FieldType::Float { "value_bits" } else { "values" };
    for (time, value) in times.zip(texts(values)) {
        let value = match column.kind() {
            FieldType::Float => Value::Float(f64::from_bits(
                u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap(),
            )),
            FieldType::Integer => Value::Integer(value.as_str().unwrap().parse().unwrap()),
            FieldType::Unsigned => Value::Unsigned(value.as_str().unwrap().parse().unwrap()),
            FieldType::String => Value::String(value.as_str().unwrap().as_bytes().into()),
            FieldType::Boolean => Value::Boolean(value.as_bool().unwrap()),
        };
        column.push(time, &value);
    }
    (column, hex(row["block_hex"].as_str().unwrap()))
}

/// Bit by bit, so that zeros keep their sign.
#[track_caller]
pub(super) fn assert_same(have: &Column, want: &Column, what: &str) {
    assert_eq!(have.times, want.times, "{what}");
    match (&have.values, &want.values) {
        (Values::Float(have), Values::Float(want)) => {
            let bits =
                |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(have), bits(want), "{what}");
        }
        (have, want) => assert_eq!(have, want, "{what}"),
    }
}

#[test]
fn every_recorded_block_decodes_to_its_points_and_is_encoded_to_the_same_bytes() {
    let rows = rows("tsm_blocks.jsonl");
    assert_eq!(rows.len(), 182);
    for row in rows {
        let name = row["name"].as_str().unwrap();
        let (column, block) = recorded(&row);
        let have = decode(&block).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_same(&have, &column, name);
        let mut bytes = Vec::new();
        encode(&column, &mut bytes);
        assert_eq!(bytes, block, "{name}");
    }
}

fn times(count: usize) -> impl Strategy<Value = Vec<i64>> {
    let steps = prop_oneof![
        proptest::collection::vec(Just(10_000_000_000_i64), count),
        proptest::collection::vec(1..4_i64, count),
        proptest::collection::vec((1..5000_i64).prop_map(|step| step * 1000), count),
        proptest::collection::vec(any::<i64>(), count),
        proptest::collection::vec((0..62_u32).prop_map(|bits| 1 << bits), count),
    ];
    (any::<i64>(), steps).prop_map(|(mut time, steps)| {
        let walk = steps.into_iter().map(|step| {
            time = time.wrapping_add(step);
            time
        });
        walk.collect()
    })
}

fn integers(count: usize) -> impl Strategy<Value = Vec<i64>> {
    let of = |element: BoxedStrategy<i64>| proptest::collection::vec(element, count);
    prop_oneof![
        of((0..3_i64).boxed()),
        of(any::<i64>().boxed()),
        of(any::<i16>().prop_map(i64::from).boxed()),
        (any::<i64>(), -3..3_i64).prop_map(move |(first, step)| {
            let values = 0..i64::try_from(count).unwrap();
            values.map(|at| first.wrapping_add(step * at)).collect()
        }),
    ]
}

fn floats(count: usize) -> impl Strategy<Value = Vec<f64>> {
    let of = |element: BoxedStrategy<f64>| proptest::collection::vec(element, count);
    let bits = any::<u64>().prop_map(f64::from_bits).prop_filter("stored", |value| !value.is_nan());
    prop_oneof![
        of((0..3_u8).prop_map(f64::from).boxed()),
        of((0..1000_u16).prop_map(|value| f64::from(value) / 10.0).boxed()),
        of(bits.boxed()),
        of(any::<u64>()
            .prop_map(|low| f64::from_bits(1.5_f64.to_bits() ^ (low >> (low & 63))))
            .prop_filter("stored", |value| !value.is_nan())
            .boxed()),
    ]
}

fn strings(count: usize) -> impl Strategy<Value = Strings> {
    let text = proptest::collection::vec(any::<u8>(), 0..200);
    let texts = prop_oneof![
        proptest::collection::vec(text, count),
        proptest::collection::vec((0..3_u8).prop_map(|n| vec![b'a' + n; 30]), count),
    ];
    texts.prop_map(|texts| {
        let mut values = Strings::default();
        texts.iter().for_each(|text| values.push(text));
        values
    })
}

/// Any points, also such whose times do not rise.
pub(super) fn column() -> impl Strategy<Value = Column> {
    (1..300_usize).prop_flat_map(|count| {
        let values = prop_oneof![
            floats(count).prop_map(Values::Float),
            integers(count).prop_map(Values::Integer),
            integers(count)
                .prop_map(|all| all.into_iter().map(i64::cast_unsigned).collect())
                .prop_map(Values::Unsigned),
            strings(count).prop_map(Values::String),
            proptest::collection::vec(any::<bool>(), count).prop_map(Values::Boolean),
        ];
        (times(count), values).prop_map(|(times, values)| Column { times, values })
    })
}

proptest! {
    #[test]
    fn a_block_gives_back_what_was_put_into_it(column in column()) {
        let mut block = Vec::new();
        encode(&column, &mut block);
        assert_same(&decode(&block).unwrap(), &column, "round trip");
        assert_eq!(count(&block), Ok(column.len()));
    }

    #[test]
    fn a_damaged_block_is_refused_or_read_but_never_panics(
        column in column(),
        damages in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut block = Vec::new();
        encode(&column, &mut block);
        for (at, byte) in damages {
            let at = at.index(block.len());
            block[at] = byte;
        }
        if let Some(cut) = cut {
            block.truncate(cut.index(block.len()));
        }
        if let Ok(column) = decode(&block) {
            assert_eq!(column.len(), column.values.len());
            assert_eq!(count(&block), Ok(column.len()));
        }
    }

    #[test]
    fn any_bytes_are_refused_or_read_but_never_panic(
        kind in 0..6_u8,
        encodings in (0..4_u8, 0..14_u8, 0..4_u8),
        times in proptest::collection::vec(any::<u8>(), 0..40),
        values in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut block = vec![kind];
        uvarint::write(times.len() as u64 + 1, &mut block);
        block.push(encodings.0 << 4 | encodings.1);
        block.extend(times);
        block.push(encodings.2 << 4);
        block.extend(values);
        if let Ok(column) = decode(&block) {
            assert_eq!(column.len(), column.values.len());
            assert_eq!(count(&block), Ok(column.len()));
        }
    }
}

#[test]
fn runs_that_claim_to_be_endless_are_refused_without_memory() {
    let mut times = vec![0x20];
    times.extend(0_u64.to_be_bytes());
    uvarint::write(1, &mut times);
    uvarint::write(1 << 60, &mut times);
    let mut block = vec![1];
    uvarint::write(times.len() as u64, &mut block);
    block.extend(&times);
    block.extend([0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    uvarint::write((1 << 60) - 1, &mut block);
    assert!(decode(&block).is_err());

    let words = BLOCK_POINTS_MAX / 240 + 1;
    let mut times = vec![0x10];
    times.extend(vec![0; 8 * (words + 1)]);
    let mut block = vec![1];
    uvarint::write(times.len() as u64, &mut block);
    block.extend(&times);
    assert!(decode(&block).is_err());

    // 4 GiB of strings in ten bytes.
    let block = [3, 9, 0x1c, 0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
    assert!(decode(&block).is_err());
}

#[test]
fn floats_without_an_end_or_with_an_early_one_are_refused() {
    let mut whole = Vec::new();
    let column = Column { times: vec![1, 2, 3], values: Values::Float(vec![1.0, 2.0, 3.0]) };
    encode(&column, &mut whole);
    assert!(decode(&whole).is_ok());
    assert!(decode(&whole[..whole.len() - 1]).is_err());
    // The same stream said to be of two points, and of four.
    for count in [2, 4] {
        let mut other = whole.clone();
        let at = 2 + whole[1] as usize - 1;
        assert_eq!(other[at], 3);
        other[at] = count;
        assert!(decode(&other).is_err(), "{count}");
    }
}
