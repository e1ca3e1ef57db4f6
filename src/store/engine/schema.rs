//! The fields of a window and their types, and the *shapes* of its lines: which fields a line has, in which order.
//!
//! Lines of one measurement nearly always have the same shape, so the fields of a line are not looked up: they are
//! compared with those of the shape that the measurement had last. Owned by whoever writes; readers get copies of the
//! list of fields when it changes.

use crate::base::map::FastMap;
use crate::proto::line::decode_measurement;
use crate::store::value::FieldType;
use std::sync::Arc;

/// A field of a measurement in one window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: Arc<str>,
    pub kind: FieldType,
}

/// The fields of a line, in its order, each once.
#[derive(Debug)]
pub struct Shape {
    pub fields: Box<[Field]>,
    /// By place: the number of the field in its measurement.
    pub numbers: Box<[u32]>,
    /// The names as a line spelled them, each with its `=`.
    spelled: Box<[u8]>,
    ends: Box<[u32]>,
    pub has_strings: bool,
}

impl Shape {
    /// Words of one point: its time and a value of each field.
    pub fn stride(&self) -> usize {
        1 + self.fields.len()
    }

    #[inline]
    pub fn spelled(&self, at: usize) -> &[u8] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before] as usize);
        &self.spelled[start..self.ends[at] as usize]
    }

    pub fn place(&self, field: &str) -> Option<usize> {
        self.fields.iter().position(|one| *one.name == *field)
    }
}

/// Shapes kept of one measurement. A line of yet another one is stored field by field.
const SHAPES_MAX: usize = 64;

/// A shape of a measurement, or (from `SINGLE` on) a field of it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShapeNo(u32);

const SINGLE: u32 = 1 << 31;

/// A measurement in one window.
#[derive(Debug, Default)]
pub struct Fields {
    list: Vec<Field>,
    by_name: FastMap<Arc<str>, u32>,
    shapes: Vec<Arc<Shape>>,
    by_numbers: FastMap<Box<[u32]>, u32>,
    /// By field: the shape of it alone.
    single: Vec<Option<Arc<Shape>>>,
    /// The shape of the line before.
    last: u32,
}

impl Fields {
    #[inline]
    pub fn last(&self) -> Option<(ShapeNo, &Shape)> {
        Some((ShapeNo(self.last), &**self.shapes.get(self.last as usize)?))
    }

    /// # Panics
    /// If that number was not given, or taken back.
    #[inline]
    pub fn numbered(&self, shape: ShapeNo) -> &Arc<Shape> {
        match shape.0.checked_sub(SINGLE) {
            None => &self.shapes[shape.0 as usize],
            Some(field) => self.single[field as usize].as_ref().expect("made with its number"),
        }
    }

    /// By name as written.
    pub fn find(&self, spelled: &[u8]) -> Option<u32> {
        let name = decode_measurement(spelled);
        self.by_name.get(&*String::from_utf8_lossy(&name)).copied()
    }

    pub fn get(&self, number: u32) -> &Field {
        &self.list[number as usize]
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn add(&mut self, name: &str, kind: FieldType) -> u32 {
        let number = u32::try_from(self.list.len()).expect("fields are few");
        let name: Arc<str> = name.into();
        self.by_name.insert(name.clone(), number);
        self.list.push(Field { name, kind });
        number
    }

    /// Takes back the newest fields, with every shape that has one of them.
    pub fn truncate(&mut self, len: usize) {
        for field in self.list.drain(len..) {
            self.by_name.remove(&field.name);
        }
        let keeps = |numbers: &[u32]| numbers.iter().all(|number| (*number as usize) < len);
        let shapes = std::mem::take(&mut self.shapes);
        self.shapes = shapes.into_iter().filter(|shape| keeps(&shape.numbers)).collect();
        let by_number = |(at, shape): (usize, &Arc<Shape>)| (shape.numbers.clone(), at as u32);
        self.by_numbers = self.shapes.iter().enumerate().map(by_number).collect();
        self.single.truncate(len);
        self.last = 0;
    }

    /// The shape of these fields. `None` where there are too many shapes already.
    pub fn shape(&mut self, numbers: &[u32], spelled: &[&[u8]]) -> Option<ShapeNo> {
        if let Some(known) = self.by_numbers.get(numbers) {
            self.last = *known;
            return Some(ShapeNo(self.last));
        }
        if self.shapes.len() >= SHAPES_MAX {
            return None;
        }
        let shape = Arc::new(self.make(numbers, spelled));
        self.shapes.push(shape);
        self.last = self.shapes.len() as u32 - 1;
        self.by_numbers.insert(numbers.into(), self.last);
        Some(ShapeNo(self.last))
    }

    /// The shape of one field alone.
    pub fn single(&mut self, number: u32) -> Arc<Shape> {
        if self.single.len() <= number as usize {
            self.single.resize(number as usize + 1, None);
        }
        if let Some(known) = &self.single[number as usize] {
            return known.clone();
        }
        let name = self.list[number as usize].name.clone();
        let shape = Arc::new(self.make(&[number], &[name.as_bytes()]));
        self.single[number as usize] = Some(shape.clone());
        shape
    }

    pub fn single_number(&mut self, number: u32) -> ShapeNo {
        self.single(number);
        ShapeNo(SINGLE + number)
    }

    fn make(&self, numbers: &[u32], spelled: &[&[u8]]) -> Shape {
        let fields: Box<[Field]> =
            numbers.iter().map(|number| self.list[*number as usize].clone()).collect();
        let mut text = Vec::new();
        let mut ends = Vec::new();
        for name in spelled {
            text.extend_from_slice(name);
            text.push(b'=');
            ends.push(text.len() as u32);
        }
        let has_strings = fields.iter().any(|field| field.kind == FieldType::String);
        Shape {
            fields,
            numbers: numbers.into(),
            spelled: text.into(),
            ends: ends.into(),
            has_strings,
        }
    }

    /// Sorted by name.
    pub fn sorted(&self) -> Vec<(Arc<str>, FieldType)> {
        let mut all: Vec<_> =
            self.list.iter().map(|field| (field.name.clone(), field.kind)).collect();
        all.sort();
        all
    }
}

/// The measurements of one window.
#[derive(Debug, Default)]
pub struct Schema {
    /// By the number of the measurement in the index.
    measurements: Vec<Option<Box<Fields>>>,
}

impl Schema {
    #[inline]
    pub fn of(&mut self, measurement: u32) -> &mut Fields {
        let at = measurement as usize;
        if at >= self.measurements.len() {
            self.measurements.resize_with(at + 1, || None);
        }
        self.measurements[at].get_or_insert_default()
    }

    pub fn get(&self, measurement: u32) -> Option<&Fields> {
        self.measurements.get(measurement as usize)?.as_deref()
    }

    pub fn forget(&mut self, measurement: u32) {
        if let Some(place) = self.measurements.get_mut(measurement as usize) {
            *place = None;
        }
    }
}
