//! The packages `date` and `timezone`.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::interval::{self, Interval};
use super::super::node::Location;
use super::super::run::windows::truncated;
use super::super::value::Value;
use super::{Builtin, packaged};
use crate::store::zone::Zone;

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
const T: &str = "t:timeable ?location:record";

const fn part(name: &'static str) -> Builtin {
    packaged("date", name, T, part_of)
}

pub const FUNCTIONS: &[Builtin] = &[
    part("year"),
    part("quarter"),
    part("month"),
    part("monthDay"),
    part("yearDay"),
    part("week"),
    part("weekDay"),
    part("hour"),
    part("minute"),
    part("second"),
    part("millisecond"),
    part("microsecond"),
    part("nanosecond"),
    packaged("date", "truncate", "t:timeable unit:duration ?location:record", |call| {
        let location = location_of(call)?;
        let unit = call.interval("unit").unwrap_or_default();
        if !unit.is_positive() {
            return Failure::invalid("unit must be positive");
        }
        Ok(Value::Time(truncated(moment(call, "t"), unit, &location)))
    }),
    packaged("date", "add", "d:duration to:timeable ?location:record", |call| {
        let interval = call.interval("d").unwrap_or_default();
        Ok(Value::Time(interval.added_to(moment(call, "to"))))
    }),
    packaged("date", "sub", "d:duration from:timeable ?location:record", |call| {
        let interval = call.interval("d").unwrap_or_default();
        Ok(Value::Time(interval.negated().added_to(moment(call, "from"))))
    }),
    packaged("date", "time", "t:timeable ?location:record", |call| {
        Ok(Value::Time(moment(call, "t")))
    }),
    packaged("date", "scale", "d:duration n:int", |call| {
        let (interval, n) = (call.interval("d").unwrap_or_default(), call.integer_or("n", 1));
        let (months, nanos) = (interval.months.saturating_mul(n), interval.nanos.saturating_mul(n));
        Ok(Value::Duration(Interval { months, nanos }))
    }),
    packaged("timezone", "fixed", "offset:duration", |call| {
        zone("UTC", call.interval("offset").unwrap_or_default())
    }),
    packaged("timezone", "location", "name:string", |call| {
        zone(&call.text("name"), Interval::default())
    }),
];

fn zone(name: &str, offset: Interval) -> Result<Value, Failure> {
    Value::record(vec![
        ("zone".into(), Value::text(name)),
        ("offset".into(), Value::Duration(offset)),
    ])
}

/// `timezone.utc`
pub fn utc() -> Result<Value, Failure> {
    zone("UTC", Interval::default())
}

/// The place that a record of the package `timezone` says.
pub fn location(value: &Value) -> Result<Location, Failure> {
    let offset_ns = match value.field("offset") {
        Some(Value::Duration(offset)) => offset.length_ns(),
        _ => 0,
    };
    let zone = match value.field("zone") {
        Some(Value::String(zone)) if *zone != *"UTC" && !zone.is_empty() => {
            match Zone::named(&zone) {
                Some(zone) => Some(zone),
                None => return Failure::invalid(format!("unknown time zone {zone}")),
            }
        }
        Some(_) => None,
        None => return Failure::invalid("a location is a record of the package timezone"),
    };
    Ok(Location { offset_ns, zone })
}

fn location_of(call: &Call<'_, '_>) -> Result<Location, Failure> {
    match call.get("location") {
        Some(value) => location(value),
        None => Ok(call.interpreter.location.borrow().clone()),
    }
}

/// A time, or a duration from now.
fn moment(call: &Call<'_, '_>, name: &str) -> i64 {
    match call.value(name) {
        Value::Time(time) => *time,
        Value::Duration(interval) => interval.added_to(call.interpreter.now.get()),
        _ => unreachable!("the signature asks for one of them"),
    }
}

fn part_of(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let time = location_of(call)?.local(moment(call, "t"));
    let (year, month, day, of_day) = interval::parts(time);
    let days = time.div_euclid(DAY_NS);
    // 1970-01-01 was a Thursday; Sunday is 0.
    let weekday = (days + 4).rem_euclid(7);
    Ok(Value::Integer(match call.name {
        "year" => year,
        "quarter" => (month - 1) / 3 + 1,
        "month" => month,
        "monthDay" => day,
        "yearDay" => days - interval::month_start(year * 12) / DAY_NS + 1,
        "week" => week(days),
        "weekDay" => weekday,
        "hour" => of_day / (3600 * SECOND_NS),
        "minute" => of_day / (60 * SECOND_NS) % 60,
        "second" => of_day / SECOND_NS % 60,
        "millisecond" => of_day / 1_000_000 % 1000,
        "microsecond" => of_day / 1000 % 1_000_000,
        _ => of_day % SECOND_NS,
    }))
}

/// The number of the week by ISO 8601: that of its Thursday.
fn week(days: i64) -> i64 {
    let thursday = days - (days + 3).rem_euclid(7) + 3;
    let (year, ..) = interval::parts(thursday.saturating_mul(DAY_NS));
    (thursday - interval::month_start(year * 12) / DAY_NS) / 7 + 1
}
