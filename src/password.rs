//! Where a new password comes from: standard input, the terminal, or chance.

use rand::Rng as _;
use tidegate_failure::Failure;
use zeroize::Zeroizing;

/// One line of standard input, its end removed.
pub(crate) fn from_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut line = Zeroizing::new(String::new());
    std::io::stdin().read_line(&mut line).map_err(unreadable)?;
    let password = Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned());
    if password.is_empty() {
        return Err(Failure::new("standard input holds no password")
            .with_hint("pipe one in: printf '%s' \"$PASSWORD\" | tidegate …"));
    }
    Ok(password)
}

/// Asks for it on the terminal, without showing it.
pub(crate) fn prompt(text: &str) -> Result<Zeroizing<String>, Failure> {
    rpassword::prompt_password(text)
        .map(Zeroizing::new)
        .map_err(unreadable)
}

fn unreadable(error: std::io::Error) -> Failure {
    Failure::new("the password cannot be read").caused_by(Some(&error))
}

/// 120 bits in letters and digits that cannot be mistaken for one another, in
/// groups that can be read aloud.
pub(crate) fn random() -> Zeroizing<String> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
    const GROUPS: usize = 4;
    const GROUP: usize = 6;

    let mut random = rand::rng();
    let mut password = Zeroizing::new(String::with_capacity(GROUPS * (GROUP + 1)));
    for group in 0..GROUPS {
        if group > 0 {
            password.push('-');
        }
        for _ in 0..GROUP {
            password.push(char::from(ALPHABET[random.random_range(..ALPHABET.len())]));
        }
    }
    password
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_passwords_are_long_and_never_the_same() {
        let one = random();
        assert_eq!(one.len(), 27);
        assert_ne!(*one, *random());
    }
}
