//! Laws that hold across folders.
