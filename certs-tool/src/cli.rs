//! The command line of `certs-tool`, which is that of `tidegate certs` as well.
//!
//! Each command is a file: its arguments, and a function that calls the library
//! and says what was done. What was made goes to standard output, messages to
//! standard error.

mod ca;
mod client;
mod common;
mod crl;
mod csr;
mod flags;
mod p12;
mod renew;
mod self_signed;
mod show;
mod sign;
mod site;
mod trust;

use clap::Subcommand;
use tidegate_failure::Failure;

/// What there is to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a certificate authority: root-ca.crt and root-ca.key
    Ca(ca::Arguments),
    /// Make a certificate for a server, signed by the CA of the directory
    Site(site::Arguments),
    /// Make a certificate by which a client logs in, signed by the CA of the
    /// directory
    Client(client::Arguments),
    /// Make a server's certificate that is its own CA, without any other
    SelfSigned(self_signed::Arguments),
    /// Make a key and a request for a certificate that another CA signs
    Csr(csr::Arguments),
    /// Sign a request with the CA of the directory
    Sign(sign::Arguments),
    /// Put a new certificate in place of one that ends
    Renew(renew::Arguments),
    /// Have a certificate of the CA count no longer
    Revoke(crl::Revoke),
    /// Sign the list of what was revoked anew, before it ends
    Crl(crl::Crl),
    /// Write a certificate, its key and its chain into one file, for Java, Windows
    /// and browsers
    P12(p12::Arguments),
    /// Say what certificates hold, and what clients will not like about them
    Show(show::Arguments),
    /// Have the clients of a machine trust a registry
    #[command(subcommand)]
    Trust(trust::Command),
}

/// Does it.
///
/// # Errors
/// What the user is to read, with the exit code.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Ca(arguments) => ca::run(arguments),
        Command::Site(arguments) => site::run(arguments),
        Command::Client(arguments) => client::run(arguments),
        Command::SelfSigned(arguments) => self_signed::run(arguments),
        Command::Csr(arguments) => csr::run(arguments),
        Command::Sign(arguments) => sign::run(arguments),
        Command::Renew(arguments) => renew::run(arguments),
        Command::Revoke(arguments) => crl::revoke(&arguments),
        Command::Crl(arguments) => crl::renew(&arguments),
        Command::P12(arguments) => p12::run(&arguments),
        Command::Show(arguments) => show::run(&arguments),
        Command::Trust(command) => trust::run(command),
    }
}
