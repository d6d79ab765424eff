//! Eyewall's py crate.
