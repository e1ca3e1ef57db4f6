//! The package `math`.

use super::super::call::Call;
use super::super::failure::Failure;
use super::super::value::Value;
use super::{Builtin, packaged};

const ONE: &str = "x:float";
const TWO: &str = "x:float y:float";

const fn of_one(name: &'static str) -> Builtin {
    packaged("math", name, ONE, one)
}

pub const FUNCTIONS: &[Builtin] = &[
    of_one("abs"),
    of_one("acos"),
    of_one("acosh"),
    of_one("asin"),
    of_one("asinh"),
    of_one("atan"),
    of_one("atanh"),
    of_one("cbrt"),
    of_one("ceil"),
    of_one("cos"),
    of_one("cosh"),
    of_one("exp"),
    of_one("exp2"),
    of_one("expm1"),
    of_one("floor"),
    of_one("log"),
    of_one("log10"),
    of_one("log1p"),
    of_one("log2"),
    of_one("round"),
    of_one("roundtoeven"),
    of_one("sin"),
    of_one("sinh"),
    of_one("sqrt"),
    of_one("tan"),
    of_one("tanh"),
    of_one("trunc"),
    packaged("math", "atan2", "y:float x:float", |call| two(call, |x, y| y.atan2(x))),
    packaged("math", "copysign", TWO, |call| two(call, f64::copysign)),
    packaged("math", "dim", TWO, |call| two(call, |x, y| if x > y { x - y } else { 0.0 })),
    packaged("math", "hypot", "p:float q:float", |call| {
        Ok(Value::Float(call.float_or("p", 0.0).hypot(call.float_or("q", 0.0))))
    }),
    packaged("math", "mMax", TWO, |call| two(call, f64::max)),
    packaged("math", "mMin", TWO, |call| two(call, f64::min)),
    packaged("math", "mod", TWO, |call| two(call, |x, y| x % y)),
    packaged("math", "pow", TWO, |call| two(call, f64::powf)),
    packaged("math", "remainder", TWO, |call| two(call, |x, y| x - y * (x / y).round_ties_even())),
    packaged("math", "isNaN", "f:float", |call| {
        Ok(Value::Boolean(call.float_or("f", 0.0).is_nan()))
    }),
    packaged("math", "isInf", "f:float sign:int", |call| {
        let (number, sign) = (call.float_or("f", 0.0), call.integer_or("sign", 0));
        let is_signed = sign == 0 || (sign > 0) == (number > 0.0);
        Ok(Value::Boolean(number.is_infinite() && is_signed))
    }),
    packaged("math", "mInf", "sign:int", |call| {
        let is_positive = call.integer_or("sign", 1) >= 0;
        Ok(Value::Float(if is_positive { f64::INFINITY } else { f64::NEG_INFINITY }))
    }),
    packaged("math", "NaN", "", |_| Ok(Value::Float(f64::NAN))),
];

/// A member that is a number.
pub fn constant(name: &str) -> Option<Value> {
    use std::f64::consts;
    Some(Value::Float(match name {
        "pi" => consts::PI,
        "e" => consts::E,
        "phi" => 1.618_033_988_749_895,
        "sqrt2" => consts::SQRT_2,
        "sqrte" => 1.648_721_270_700_128_2,
        "sqrtpi" => 1.772_453_850_905_516,
        "sqrtphi" => 1.272_019_649_514_069,
        "ln2" => consts::LN_2,
        "ln10" => consts::LN_10,
        "log2e" => consts::LOG2_E,
        "log10e" => consts::LOG10_E,
        "maxfloat" => f64::MAX,
        "smallestNonzeroFloat" => f64::from_bits(1),
        "maxint" => return Some(Value::Integer(i64::MAX)),
        "minint" => return Some(Value::Integer(i64::MIN)),
        "maxuint" => return Some(Value::Unsigned(u64::MAX)),
        _ => return None,
    }))
}

fn one(call: &Call<'_, '_>) -> Result<Value, Failure> {
    let x = call.float_or("x", 0.0);
    Ok(Value::Float(match call.name {
        "abs" => x.abs(),
        "acos" => x.acos(),
        "acosh" => x.acosh(),
        "asin" => x.asin(),
        "asinh" => x.asinh(),
        "atan" => x.atan(),
        "atanh" => x.atanh(),
        "cbrt" => x.cbrt(),
        "ceil" => x.ceil(),
        "cos" => x.cos(),
        "cosh" => x.cosh(),
        "exp" => x.exp(),
        "exp2" => x.exp2(),
        "expm1" => x.exp_m1(),
        "floor" => x.floor(),
        "log" => x.ln(),
        "log10" => x.log10(),
        "log1p" => x.ln_1p(),
        "log2" => x.log2(),
        "round" => x.round(),
        "roundtoeven" => x.round_ties_even(),
        "sin" => x.sin(),
        "sinh" => x.sinh(),
        "sqrt" => x.sqrt(),
        "tan" => x.tan(),
        "tanh" => x.tanh(),
        "trunc" => x.trunc(),
        other => unreachable!("math.{other} is not of one number"),
    }))
}

fn two(call: &Call<'_, '_>, function: impl Fn(f64, f64) -> f64) -> Result<Value, Failure> {
    Ok(Value::Float(function(call.float_or("x", 0.0), call.float_or("y", 0.0))))
}
