//! registry
pub mod oci;
