use proptest::prelude::*;
use tidegate_failure::Explain as _;

use super::*;
use crate::testing::openssl;

/// What comes of a request that openssl makes with these arguments; `None`
/// without openssl.
fn made(arguments: &[&str]) -> Option<Result<Request, CertsError>> {
    let directory = tempfile::tempdir().unwrap();
    let mut all = vec!["req", "-new", "-nodes", "-keyout", "key", "-out", "csr"];
    all.extend(arguments);
    if !arguments.contains(&"-newkey") {
        all.extend(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    }
    if !arguments.contains(&"-subj") {
        all.extend(["-subj", "/CN=x"]);
    }
    openssl(directory.path(), &all)?;
    let read = Request::read(&directory.path().join("csr"));
    Some(read.map_err(|error| match error {
        CertsError::Request { problem, .. } => CertsError::Request {
            path: "csr".into(),
            problem,
        },
        other => other,
    }))
}

fn refusal(arguments: &[&str]) -> Option<String> {
    let error = made(arguments)?.unwrap_err();
    assert!(error.hint().is_some(), "{error}");
    Some(error.to_string())
}

#[test]
fn what_openssl_asks_for_is_understood() {
    for (key, rsa) in [
        (&["-newkey", "rsa:2048"][..], true),
        (&["-newkey", "ed25519"], false),
        (
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
            false,
        ),
    ] {
        let mut arguments = key.to_vec();
        arguments.extend([
            "-subj",
            "/C=DE/O=Example/CN=registry",
            "-addext",
            "subjectAltName=DNS:registry.lan,IP:10.0.0.7,email:a@b.lan,URI:http://x",
            "-addext",
            "keyUsage=critical,digitalSignature",
            "-addext",
            "extendedKeyUsage=serverAuth",
            "-addext",
            "basicConstraints=CA:FALSE",
            "-addext",
            "1.2.3.4=ASN1:NULL",
        ]);
        let Some(request) = made(&arguments) else {
            return;
        };
        let request = request.unwrap();
        assert_eq!(request.subject(), "C=DE, O=Example, CN=registry");
        assert_eq!(
            request.names(),
            [
                San::Dns("registry.lan".to_owned()),
                San::Ip([10, 0, 0, 7].into()),
                San::Email("a@b.lan".to_owned()),
                San::Other("URI(http://x)".to_owned()),
            ]
        );
        assert_eq!(
            request.ignored(),
            ["keyUsage", "extendedKeyUsage", "1.2.3.4"]
        );
        assert_eq!(request.rsa, rsa);
    }
}

#[test]
fn what_cannot_be_signed_says_why() {
    for (arguments, expected) in [
        (
            &["-addext", "basicConstraints=critical,CA:TRUE"][..],
            "`csr`: the request asks for the rights of a CA (CA:TRUE), which are not given",
        ),
        (
            &["-newkey", "rsa:1024"],
            "`csr`: the request's key is RSA of 1024 bits; expected ECDSA (P-256, P-384), RSA (2048 bits or more) or Ed25519",
        ),
        (
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
            "`csr`: the request's key is of the kind 1.3.132.0.10; expected ECDSA (P-256, P-384), RSA (2048 bits or more) or Ed25519",
        ),
        (
            &["-sha1"],
            "`csr`: the request's signature (1.2.840.10045.4.1) cannot be checked; expected one of SHA-256 or stronger",
        ),
    ] {
        let Some(refusal) = refusal(arguments) else {
            return;
        };
        assert_eq!(refusal, expected);
    }
}

#[test]
fn a_request_for_the_key_of_another_is_refused() {
    let path = Path::new("csr");
    // The name that was signed, and the last byte of the signature.
    let name = sample().windows(8).position(|w| w == b"registry");
    for at in [name.unwrap(), sample().len() - 1] {
        let mut der = sample().to_vec();
        der[at] ^= 1;
        let problem = Request::from_der(path, der.into()).unwrap_err();
        assert_eq!(problem, RequestProblem::Signature);
    }
    // The key of another put into it.
    let mut der = sample().to_vec();
    let mine = Key::generate(crate::KeyKind::EcdsaP256).unwrap();
    let request = Request::from_der(path, sample().to_vec().into()).unwrap();
    let theirs = request.public_key.der_bytes();
    let at = der.windows(theirs.len()).position(|w| w == theirs).unwrap();
    der[at..at + theirs.len()].copy_from_slice(mine.public_bits());
    assert_eq!(
        Request::from_der(path, der.into()).unwrap_err(),
        RequestProblem::Signature
    );
}

#[test]
fn files_that_are_no_requests_say_what_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("csr");
    let read = |content: &[u8]| {
        fs_err::write(&path, content).unwrap();
        Request::read(&path)
    };
    let pem = |label: &str| {
        let text = ::pem::encode(&::pem::Pem::new(label, sample()));
        read(("Certificate Request:\n    Data:\n".to_owned() + &text).as_bytes())
    };
    assert!(pem("CERTIFICATE REQUEST").is_ok());
    assert!(pem("NEW CERTIFICATE REQUEST").is_ok());
    let shown = format!(
        "`{}`: expected a certificate request in PEM, found ",
        path.display()
    );
    let found = |error: CertsError| error.to_string().replace(&shown, "");
    assert_eq!(found(pem("CERTIFICATE").unwrap_err()), "`CERTIFICATE`");
    assert_eq!(found(read(b"").unwrap_err()), "an empty file");
    let der = read(sample()).unwrap_err();
    assert!(
        der.hint()
            .unwrap()
            .starts_with("convert it: openssl req -inform der")
    );
    assert_eq!(found(der), "DER");
}

/// The bytes of a request.
fn sample() -> &'static [u8] {
    static DER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let made = crate::make_request(&crate::RequestOptions {
            names: vec!["registry.lan".parse().unwrap(), "::1".parse().unwrap()],
            subject: None,
            key: crate::KeyKind::default(),
        });
        ::pem::parse(made.unwrap().request).unwrap().into_contents()
    });
    &DER
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        let _ = Request::from_der(Path::new("csr"), bytes.into());
    }

    #[test]
    fn no_damage_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut der = sample().to_vec();
        let at = at.index(der.len());
        der[at] = byte;
        // Around what was signed, some bytes may differ; within, none.
        if let Ok(request) = Request::from_der(Path::new("csr"), der.into()) {
            let undamaged = Request::from_der(Path::new("csr"), sample().to_vec().into()).unwrap();
            let content = |request: &Request| {
                let key = request.public_key.der_bytes().to_vec();
                (request.subject().to_owned(), request.names().to_vec(), key)
            };
            prop_assert_eq!(content(&request), content(&undamaged));
        }
    }
}
