//! A setting that may change while it is in use.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// What holds now. Whoever has taken a value keeps it for as long as it needs it: one request sees one value.
/// Lives on: the core that reads it.
pub struct Current<T>(RefCell<Rc<T>>);

impl<T> Current<T> {
    pub fn new(value: T) -> Current<T> {
        Current(RefCell::new(Rc::new(value)))
    }

    pub fn get(&self) -> Rc<T> {
        self.0.borrow().clone()
    }

    /// From here on this one holds.
    pub fn set(&self, value: T) {
        *self.0.borrow_mut() = Rc::new(value);
    }
}

impl<T> From<T> for Current<T> {
    fn from(value: T) -> Current<T> {
        Current::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Current<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.borrow().fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_was_taken_stays_while_another_one_holds() {
        let current = Current::new(1);
        let taken = current.get();
        current.set(2);
        assert_eq!((*taken, *current.get()), (1, 2));
    }
}
