//! registry
pub mod oci;
pub mod store;
