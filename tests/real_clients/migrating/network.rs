//! The network of the document: `registry.example` is the machine.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// A proxy by which clients reach `registry.example` at its ports, and nothing
/// else. It goes on until the tests end.
pub(super) fn start(ports: Vec<(u16, u16)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let ports = ports.clone();
            thread::spawn(move || connect(client, &ports));
        }
    });
    address
}

/// Answers `CONNECT registry.example:443` (RFC 9110 section 9.3.6).
fn connect(client: TcpStream, ports: &[(u16, u16)]) -> io::Result<()> {
    let mut head = BufReader::new(client.try_clone()?);
    let mut request = String::new();
    head.read_line(&mut request)?;
    let mut field = String::new();
    while head.read_line(&mut field)? > 2 {
        field.clear();
    }
    let mut client = client;
    let target = request.strip_prefix("CONNECT registry.example:");
    let port = target.and_then(|rest| rest.split(' ').next());
    let behind = ports
        .iter()
        .find(|(known, _)| port == Some(&known.to_string()))
        .and_then(|(_, behind)| TcpStream::connect(("127.0.0.1", *behind)).ok());
    let Some(behind) = behind else {
        return client.write_all(b"HTTP/1.1 502 Nobody there\r\nContent-Length: 0\r\n\r\n");
    };
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n")?;
    let (mut from_behind, mut to_client) = (behind.try_clone()?, client.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_behind, &mut to_client);
        let _ = to_client.shutdown(Shutdown::Write);
    });
    let mut to_behind = behind;
    io::copy(&mut head, &mut to_behind)?;
    to_behind.shutdown(Shutdown::Write)
}
