//! Functions as Go computes them, by the same polynomials in the same order: the C library rounds otherwise.

use std::f64::consts::{FRAC_PI_2, FRAC_PI_4, LN_2, LOG10_E, PI, SQRT_2};

/// A fraction from 0.5 to 1 and a power of two. Of a positive number.
fn parts(x: f64) -> (f64, i64) {
    let (x, less) = if x.is_normal() { (x, 0) } else { (x * (1_u64 << 52) as f64, 52) };
    let bits = x.to_bits();
    let exponent = i64::from((bits >> 52) as u16 & 0x7ff) - 1022 - less;
    (f64::from_bits((bits & !(0x7ff << 52)) | (1022 << 52)), exponent)
}

pub fn ln(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 || x.is_infinite() {
        return x.ln();
    }
    let (mut fraction, mut exponent) = parts(x);
    if fraction < SQRT_2 / 2.0 {
        (fraction, exponent) = (fraction * 2.0, exponent - 1);
    }
    let (f, k) = (fraction - 1.0, exponent as f64);
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let t1 = s2
        * (6.666_666_666_666_735e-1
            + s4 * (2.857_142_874_366_239e-1
                + s4 * (1.818_357_216_161_805e-1 + s4 * 1.479_819_860_511_658_6e-1)));
    let t2 = s4
        * (3.999_999_999_940_942e-1
            + s4 * (2.222_219_843_214_978_4e-1 + s4 * 1.531_383_769_920_937_3e-1));
    let rest = t1 + t2;
    let half = 0.5 * f * f;
    k * 6.931_471_803_691_238e-1
        - ((half - (s * (half + rest) + k * 1.908_214_929_270_587_7e-10)) - f)
}

/// The exponent apart, so that powers of two are exact.
pub fn log2(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 || x.is_infinite() {
        return x.log2();
    }
    let (fraction, exponent) = parts(x);
    if fraction == 0.5 {
        return (exponent - 1) as f64;
    }
    ln(fraction) * (1.0 / LN_2) + exponent as f64
}

pub fn log10(x: f64) -> f64 {
    ln(x) * LOG10_E
}

/// By squaring, with fractions and exponents apart.
pub fn pow(x: f64, y: f64) -> f64 {
    /// From here on the power of any other base than one is nothing or infinite.
    const WHOLE_MAX: f64 = (1_u64 << 31) as f64;
    if x > 0.0 && y.abs() == 0.5 {
        return if y < 0.0 { 1.0 / x.sqrt() } else { x.sqrt() };
    }
    let is_plain = x.is_finite() && x != 0.0 && y.abs() < WHOLE_MAX;
    let (mut whole, mut rest) = (y.abs().trunc(), y.abs().fract());
    if !is_plain || (x < 0.0 && rest != 0.0) {
        return x.powf(y);
    }
    let (mut power, mut exponent) = (1.0, 0_i64);
    if rest != 0.0 {
        if rest > 0.5 {
            (whole, rest) = (whole + 1.0, rest - 1.0);
        }
        power = (rest * ln(x)).exp();
    }
    let (fraction, mut square_exponent) = parts(x.abs());
    let mut square = fraction.copysign(x);
    let mut left = whole as u64;
    while left != 0 {
        if square_exponent.abs() > 1 << 12 {
            // Beyond all numbers.
            exponent += square_exponent;
            break;
        }
        if left & 1 == 1 {
            power *= square;
            exponent += square_exponent;
        }
        square *= square;
        square_exponent <<= 1;
        if square < 0.5 {
            square += square;
            square_exponent -= 1;
        }
        left >>= 1;
    }
    if y < 0.0 {
        (power, exponent) = (1.0 / power, -exponent);
    }
    scaled(power, exponent)
}

/// A number times a power of two.
fn scaled(x: f64, exponent: i64) -> f64 {
    let exponent = exponent.clamp(-2200, 2200) as i32;
    // In two steps: the first may not yet leave the numbers.
    let half = exponent / 2;
    let two = |exponent: i32| f64::from_bits(((exponent + 1023) as u64) << 52);
    if exponent.abs() <= 1022 {
        return x * two(exponent);
    }
    x * two(half.clamp(-1022, 1023)) * two((exponent - half).clamp(-1022, 1023))
}

/// Beyond, what is left of a quarter turn has no digits.
const TURNS_MAX: f64 = (1 << 29) as f64;

/// The eighth of a turn, made even, and what is left over.
fn eighth(x: f64) -> (u64, f64) {
    let mut j = (x * (4.0 / PI)) as u64;
    let mut y = j as f64;
    if j & 1 == 1 {
        (j, y) = (j + 1, y + 1.0);
    }
    const PARTS: [f64; 3] =
        [7.853_981_256_484_985e-1, 3.774_894_707_930_798e-8, 2.695_151_429_079_059_5e-15];
    (j, ((x - y * PARTS[0]) - y * PARTS[1]) - y * PARTS[2])
}

fn sine_part(z: f64) -> f64 {
    let zz = z * z;
    let sum = 1.589_623_015_765_465_7e-10 * zz - 2.505_074_776_285_780_7e-8;
    let sum = (sum * zz + 2.755_731_362_138_572_4e-6) * zz - 1.984_126_982_958_954e-4;
    let sum = (sum * zz + 8.333_333_333_322_118e-3) * zz - 1.666_666_666_666_663e-1;
    z + z * zz * sum
}

fn cosine_part(z: f64) -> f64 {
    let zz = z * z;
    let sum = -1.135_853_652_138_768_2e-11 * zz + 2.087_570_084_197_473e-9;
    let sum = (sum * zz - 2.755_731_417_929_674e-7) * zz + 2.480_158_728_885_170_5e-5;
    let sum = (sum * zz - 1.388_888_888_887_305_6e-3) * zz + 4.166_666_666_666_659_5e-2;
    1.0 - 0.5 * zz + zz * zz * sum
}

fn turned(x: f64, is_sine: bool) -> f64 {
    let (j, z) = eighth(x.abs());
    let j = j & 7;
    let mut negative = is_sine && x < 0.0;
    negative ^= j > 3;
    negative ^= !is_sine && j & 3 > 1;
    let y = if (j & 3 == 2) == is_sine { cosine_part(z) } else { sine_part(z) };
    if negative { -y } else { y }
}

pub fn sin(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() || x.abs() >= TURNS_MAX { x.sin() } else { turned(x, true) }
}

pub fn cos(x: f64) -> f64 {
    if x.is_nan() || x.abs() >= TURNS_MAX { x.cos() } else { turned(x, false) }
}

pub fn tan(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() || x.abs() >= TURNS_MAX {
        return x.tan();
    }
    let (j, z) = eighth(x.abs());
    let zz = z * z;
    let mut y = z;
    if zz > 1e-14 {
        let above = (-1.309_369_391_813_837_3e4 * zz + 1.153_516_648_385_874_2e6) * zz
            - 1.795_652_519_764_848_8e7;
        let below = (zz + 1.368_129_634_706_929_6e4) * zz - 1.320_892_344_402_109_7e6;
        let below = (below * zz + 2.500_838_018_233_579e7) * zz - 5.386_957_559_294_546_4e7;
        y = z + z * (zz * above / below);
    }
    if j & 2 == 2 {
        y = -1.0 / y;
    }
    if x < 0.0 { -y } else { y }
}

fn small_arc(x: f64) -> f64 {
    let z = x * x;
    let above = ((-8.750_608_600_031_904e-1 * z - 1.615_753_718_733_365_2e1) * z
        - 7.500_855_792_314_705e1)
        * z
        - 1.228_866_684_490_136_1e2;
    let above = above * z - 6.485_021_904_942_025e1;
    let below = ((z + 2.485_846_490_142_306_3e1) * z + 1.650_270_098_316_988_5e2) * z
        + 4.328_810_604_912_902_7e2;
    let below = (below * z + 4.853_903_996_359_137e2) * z + 1.945_506_571_482_614e2;
    x * (z * above / below) + x
}

fn arc(x: f64) -> f64 {
    const MORE: f64 = 6.123_233_995_736_766e-17;
    if x <= 0.66 {
        small_arc(x)
    } else if x > 2.414_213_562_373_095 {
        FRAC_PI_2 - small_arc(1.0 / x) + MORE
    } else {
        FRAC_PI_4 + small_arc((x - 1.0) / (x + 1.0)) + 0.5 * MORE
    }
}

pub fn atan(x: f64) -> f64 {
    if x == 0.0 || x.is_nan() {
        return x;
    }
    if x > 0.0 { arc(x) } else { -arc(-x) }
}

pub fn asin(x: f64) -> f64 {
    let size = x.abs();
    if x == 0.0 || x.is_nan() || size > 1.0 {
        return x.asin();
    }
    let other = (1.0 - size * size).sqrt();
    let angle = if size > 0.7 { FRAC_PI_2 - arc(other / size) } else { arc(size / other) };
    if x < 0.0 { -angle } else { angle }
}

pub fn acos(x: f64) -> f64 {
    FRAC_PI_2 - asin(x)
}

pub fn atan2(y: f64, x: f64) -> f64 {
    if y == 0.0 || x == 0.0 || !y.is_finite() || !x.is_finite() {
        return y.atan2(x);
    }
    let angle = atan(y / x);
    match x < 0.0 {
        true if angle <= 0.0 => angle + PI,
        true => angle - PI,
        false => angle,
    }
}

#[cfg(test)]
mod tests {
    use super::pow;

    #[test]
    fn a_power_is_that_of_the_c_library_but_for_its_last_digits() {
        for x in [1e-300, 0.3, 0.999, 1.0, 1.5, 7.0, 1e10, -0.3, -2.0] {
            for y in [0.0, 1.0, 2.0, 3.0, -1.0, -7.0, 0.5, -0.5, 1.25, 29.0, 1e6, -1e6, 1e40] {
                let (found, known) = (pow(x, y), f64::powf(x, y));
                let is_near = (found - known).abs() <= 1e-13 * known.abs();
                assert!(
                    found == known || is_near || (found.is_nan() && known.is_nan()),
                    "{x} to the power of {y}: {found}, not {known}"
                );
            }
        }
        assert_eq!(pow(2.0, -1074.0), f64::from_bits(1));
        assert_eq!(pow(2.0, 1024.0), f64::INFINITY);
        assert_eq!(pow(-2.0, 63.0), -(2f64.powi(63)));
        for odd in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0] {
            for y in [-3.0, -0.5, 0.0, 0.5, 2.0] {
                assert_eq!(pow(odd, y).to_bits(), f64::powf(odd, y).to_bits(), "{odd} {y}");
            }
        }
    }
}
