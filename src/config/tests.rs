//! Laws of the configuration.
