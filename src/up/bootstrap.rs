//! The line that makes another machine trust this registry.

use certs_tool::Certificate;
use tidegate_proxy::PublicCa;

/// A line for the shell of a client machine. It fetches the CA's certificate
/// over a connection that nothing vouches for yet (`-k`), compares its SHA-256
/// fingerprint, and only then writes it where docker, podman, skopeo and buildah
/// look. It needs curl and what every Linux has: no openssl, and none of ours.
///
/// The file has the name that `tidegate certs trust remove` knows.
///
/// `host` is how image references begin: a name or an address, and a port.
pub(super) fn line(host: &str, ca: &Certificate) -> String {
    let fingerprint = ca.fingerprint_sha256().replace(':', "").to_lowercase();
    let path = PublicCa::PATH;
    // In PEM, what stands between the dashed lines is the base64 of the bytes
    // that the fingerprint is of.
    format!(
        r#"curl -fsSk 'https://{host}{path}' | sudo sh -ec 'c=$(cat); f=$(printf "%s\n" "$c" | sed /-----/d | base64 -d | sha256sum | cut -c 1-64); [ "$f" = {fingerprint} ] || {{ echo "{host}: not the expected CA; nothing was written" >&2; exit 1; }}; for d in /etc/docker /etc/containers; do mkdir -p "$d/certs.d/{host}"; printf "%s\n" "$c" > "$d/certs.d/{host}/tidegate-ca.crt"; done; echo "docker, podman, skopeo and buildah trust {host} now"'"#
    )
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use certs_tool::{CaOptions, make_ca};
    use fs_err as fs;

    use super::*;

    /// Runs the line below another root, with what `curl` would have fetched.
    fn run(line: &str, root: &std::path::Path, fetched: &str) -> (bool, String) {
        let (_, program) = line.split_once("| sudo ").unwrap();
        let program = program.replace("/etc/", &format!("{}/", root.display()));
        let input = root.join("fetched");
        fs::write(&input, fetched).unwrap();
        let output = Command::new("sh")
            .args(["-c", &program])
            .stdin(Stdio::from(fs::File::open(&input).unwrap().into_file()))
            .output()
            .unwrap();
        fs::remove_file(&input).unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    }

    #[test]
    fn the_expected_ca_is_written_where_clients_look() {
        let root = tempfile::tempdir().unwrap();
        let ca = make_ca(&CaOptions::default()).unwrap();
        for host in ["registry.lan:5043", "registry.lan", "[::1]:5043"] {
            let line = line(host, ca.certificate());
            assert_eq!(line.lines().count(), 1);
            let (ok, said) = run(&line, root.path(), &ca.certificate().to_pem());
            assert!(ok, "{said}");
            for client in ["docker", "containers"] {
                let path = root.path().join(client).join("certs.d").join(host);
                let written = Certificate::read_first(&path.join("tidegate-ca.crt")).unwrap();
                assert_eq!(&written, ca.certificate());
            }
        }
    }

    #[test]
    fn anything_else_is_refused_before_a_byte_is_written() {
        let root = tempfile::tempdir().unwrap();
        let [ca, other] = [(); 2].map(|()| make_ca(&CaOptions::default()).unwrap());
        let line = line("registry.lan", ca.certificate());
        let both = other.certificate().to_pem() + &ca.certificate().to_pem();
        for fetched in [&other.certificate().to_pem(), "", "<html>", &both] {
            let (ok, said) = run(&line, root.path(), fetched);
            assert!(!ok);
            assert!(
                said.contains("not the expected CA; nothing was written"),
                "{said}"
            );
            assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);
        }
    }
}
