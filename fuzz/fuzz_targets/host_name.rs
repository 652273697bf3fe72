#![no_main]
use certs_tool::HostName;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match HostName::parse(text) {
    Ok(name) => {
        let of_dns = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.*".contains(&b);
        assert!(name.as_ip().is_some() != name.as_dns().is_some());
        assert!(
            name.as_dns()
                .is_none_or(|dns| dns.bytes().all(of_dns) && dns.len() <= 253)
        );
        assert_eq!(HostName::parse(&name.to_string()), Ok(name));
    }
    // Shown on a terminal.
    Err(error) => assert!(!error.to_string().contains(char::is_control)),
});
