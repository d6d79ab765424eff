//! Eyewall's proto crate.
