//! Eyewall's engine crate.
