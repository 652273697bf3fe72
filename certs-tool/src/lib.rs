//! certs-tool
