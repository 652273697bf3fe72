//! What a listener offers, and whom it asks for a certificate.

use super::*;

#[test]
fn certificates_are_asked_of_clients_as_go_asks() {
    let read_tls = |tls: &str| {
        let text = format!(
            "version: 0.1\nstorage: filesystem\nhttp: {{tls: {{certificate: c, key: k, {tls}}}}}"
        );
        let (settings, findings) = read(&text, &[]).unwrap();
        (settings.listeners[0].client_auth.clone(), findings)
    };
    let (client_auth, findings) = read_tls("clientcas: [/a.pem, b.pem]");
    let expected = ClientAuth {
        ca: vec!["/a.pem".into(), "b.pem".into()],
        user: UserFrom::Nowhere,
        ..ClientAuth::required_by("")
    };
    assert_eq!(client_auth, Some(expected));
    let honoured = |finding: &&Finding| finding.subject.starts_with("http.tls.client");
    let finding = findings.iter().find(honoured).unwrap();
    assert_eq!(finding.verdict, Verdict::Honoured);
    for (how, required, verify) in [
        ("request-client-cert", false, VerifyClient::Nothing),
        ("require-any-client-cert", true, VerifyClient::Nothing),
        ("verify-client-cert-if-given", false, VerifyClient::Full),
        ("require-and-verify-client-cert", true, VerifyClient::Full),
    ] {
        let (client_auth, _) = read_tls(&format!("clientcas: [a], clientauth: {how}"));
        let client_auth = client_auth.unwrap();
        assert_eq!(
            (client_auth.required, client_auth.verify),
            (required, verify)
        );
        // Without CAs it asks for nothing, there as here.
        assert_eq!(read_tls(&format!("clientauth: {how}")).0, None);
    }
}

#[test]
fn what_is_offered_in_tls_is_as_it_says() {
    let read = |http: &str| {
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: /r}}}}\nhttp: {{addr: ':1', {http}}}\n"
        );
        let (settings, findings) = read(&text, &[]).unwrap();
        let is_honoured = |finding: &Finding| finding.verdict == Verdict::Honoured;
        assert!(findings.iter().all(is_honoured), "{:?}", lines(&findings));
        settings.listeners[0].offer
    };
    let pair = "certificate: /c, key: /k";
    let strict = read(&format!(
        "tls: {{{pair}, minimumtls: tls1.3}}, http2: {{disabled: true}}"
    ));
    assert_eq!(
        strict,
        TlsOffer {
            http2: false,
            minimum: TlsVersion::Tls13
        }
    );
    assert_eq!(read(&format!("tls: {{{pair}}}")), TlsOffer::default());
    // Without TLS there is nothing to offer, and nothing to say of it.
    assert_eq!(read("http2: {disabled: true}"), TlsOffer::default());
}

#[test]
fn a_socket_is_listened_to() {
    let read = |http: &str| {
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: /r}}}}\nhttp: {{net: unix{http}}}\n"
        );
        read(&text, &[])
    };
    let (settings, findings) = read(", addr: /run/r.sock").unwrap();
    let listener = &settings.listeners[0];
    assert_eq!(listener.address.to_string(), "unix:/run/r.sock");
    // As Go makes it: with what the mask leaves.
    assert_eq!(listener.socket_mode, None);
    let is_honoured = |finding: &Finding| finding.verdict == Verdict::Honoured;
    assert!(findings.iter().all(is_honoured), "{:?}", lines(&findings));
    let trusts = |net: &ipnet::IpNet| net.contains(&OVER_SOCKET);
    assert!(settings.edge.trusted_proxies.iter().any(trusts));
    let error = read("").unwrap_err();
    assert!(error.contains("without its path"), "{error}");
}
