//! Ranges of time that are deleted: apart from each other, by time.

use crate::store::value::Column;
use crate::store::view::TimeRange;
use std::ops::Range;

/// Adds a range; those that it touches become one with it. An empty range changes nothing.
pub(super) fn add(ranges: &mut Vec<TimeRange>, range: TimeRange) {
    if range.min_ns > range.max_ns {
        return;
    }
    let before =
        |have: &TimeRange| have.max_ns.checked_add(1).is_some_and(|end| end < range.min_ns);
    let begin = ranges.partition_point(before);
    let touched =
        |have: &TimeRange| range.max_ns.checked_add(1).is_none_or(|end| have.min_ns <= end);
    let end = begin + ranges[begin..].partition_point(touched);
    let mut whole = range;
    if begin < end {
        whole.min_ns = whole.min_ns.min(ranges[begin].min_ns);
        whole.max_ns = whole.max_ns.max(ranges[end - 1].max_ns);
    }
    ranges.splice(begin..end, [whole]);
}

/// Whether all from `min_ns` to `max_ns` is deleted.
pub(super) fn cover(ranges: &[TimeRange], min_ns: i64, max_ns: i64) -> bool {
    let at = ranges.partition_point(|range| range.max_ns < min_ns);
    ranges.get(at).is_some_and(|range| range.min_ns <= min_ns && range.max_ns >= max_ns)
}

/// Whether anything from `min_ns` to `max_ns` is deleted.
pub(super) fn touch(ranges: &[TimeRange], min_ns: i64, max_ns: i64) -> bool {
    let at = ranges.partition_point(|range| range.max_ns < min_ns);
    ranges.get(at).is_some_and(|range| range.min_ns <= max_ns)
}

/// Leaves the points, whose times rise, that lie within `wanted` and in none of `deleted`.
pub(super) fn cut(column: &mut Column, wanted: TimeRange, deleted: &[TimeRange]) {
    column.keep(places(&column.times, wanted));
    let (Some(first), Some(last)) = (column.times.first(), column.times.last()) else { return };
    if !touch(deleted, *first, *last) {
        return;
    }
    let mut kept = Column::new(column.kind());
    let mut begin = 0;
    for range in deleted {
        let gone = places(&column.times, *range);
        if gone.start > begin {
            kept.extend(column, begin..gone.start);
        }
        begin = begin.max(gone.end);
    }
    kept.extend(column, begin..column.len());
    *column = kept;
}

/// The places of the times, which rise, that lie in a range.
pub(super) fn places(times: &[i64], range: TimeRange) -> Range<usize> {
    if times.first().is_some_and(|first| *first >= range.min_ns)
        && times.last().is_some_and(|last| *last <= range.max_ns)
    {
        return 0..times.len();
    }
    let begin = times.partition_point(|time| *time < range.min_ns);
    let end = times.partition_point(|time| *time <= range.max_ns);
    begin..end.max(begin)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::value::Values;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ranges_hold_exactly_what_was_added(
            parts in proptest::collection::vec((0..30_i64, -2..8_i64), 0..12),
            ends in proptest::collection::vec(any::<bool>(), 2),
        ) {
            let mut parts: Vec<TimeRange> = parts
                .into_iter()
                .map(|(min_ns, len)| TimeRange { min_ns, max_ns: min_ns + len })
                .collect();
            if ends[0] {
                parts.push(TimeRange { min_ns: i64::MIN, max_ns: 2 });
            }
            if ends[1] {
                parts.push(TimeRange { min_ns: 28, max_ns: i64::MAX });
            }
            let mut ranges = Vec::new();
            parts.iter().for_each(|part| add(&mut ranges, *part));
            assert!(ranges.windows(2).all(|pair| pair[0].max_ns + 1 < pair[1].min_ns));
            let is_gone =
                |time: i64| parts.iter().any(|part| part.min_ns <= time && time <= part.max_ns);
            for time in -1..45 {
                assert_eq!(touch(&ranges, time, time), is_gone(time), "{time}");
                assert_eq!(cover(&ranges, time, time), is_gone(time), "{time}");
                let five = time..=time + 4;
                assert_eq!(cover(&ranges, time, time + 4), five.clone().all(is_gone));
                assert_eq!(touch(&ranges, time, time + 4), five.clone().any(is_gone));
            }
            let times: Vec<i64> = (-1..45).collect();
            let mut column = Column { values: Values::Integer(times.clone()), times };
            cut(&mut column, TimeRange { min_ns: 3, max_ns: 40 }, &ranges);
            let left: Vec<i64> = (3..=40).filter(|time| !is_gone(*time)).collect();
            assert_eq!(column, Column { values: Values::Integer(left.clone()), times: left });
        }
    }
}
