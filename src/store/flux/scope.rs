//! What names mean: a list of bindings in which an inner one hides an outer one. Bindings never change, so that
//! a function keeps what it saw, and nothing can hold itself.

use std::fmt;
use std::rc::Rc;

use super::value::Value;

/// All that is in sight at one place of the script.
#[derive(Clone, Default)]
pub struct Scope(Option<Rc<Binding>>);

struct Binding {
    name: Rc<str>,
    value: Value,
    outer: Scope,
    depth: u32,
}

impl Scope {
    pub fn with(&self, name: &Rc<str>, value: Value) -> Scope {
        let depth = self.depth().max(value.depth());
        Scope(Some(Rc::new(Binding { name: name.clone(), value, outer: self.clone(), depth })))
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        let mut at = self;
        while let Some(binding) = &at.0 {
            if *binding.name == *name {
                return Some(&binding.value);
            }
            at = &binding.outer;
        }
        None
    }

    /// How deep the deepest value in sight is nested.
    pub fn depth(&self) -> u32 {
        self.0.as_ref().map_or(0, |binding| binding.depth)
    }
}

impl Drop for Scope {
    /// One after the other: a script may have more statements than the stack has room for.
    fn drop(&mut self) {
        let mut next = self.0.take();
        while let Some(binding) = next {
            match Rc::try_unwrap(binding) {
                Ok(mut binding) => next = binding.outer.0.take(),
                Err(_) => return,
            }
        }
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        text.write_str("Scope")
    }
}
