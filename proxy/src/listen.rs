//! Sockets, and the loop that accepts from them.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pingora::apps::HttpServerApp;
use pingora::protocols::Stream;
use pingora::server::ShutdownWatch;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tidegate_config::{ListenAddress, Listener, OVER_SOCKET};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::bind_error::BindError;
use crate::conversation;
use crate::linger::Closer;
use crate::socket::{Accepted, ClientSocket};
use crate::socket_file::{self, SocketFile};
use crate::tls::Handshakes;

/// Connections the system may hold for us; it cuts this down to what it allows.
const BACKLOG: i32 = 4096;
/// A client that is this slow to shake hands is not one.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// How long accepting rests when the system has no descriptors or memory left.
const EXHAUSTED: Duration = Duration::from_millis(200);
/// When an idle connection is probed, and how often until it is given up: with
/// the system's nine probes, a peer that vanished is noticed after four minutes.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(20);

/// Bytes to a client on this machine that the kernel takes before it can send them.
///
/// What waits in the kernel is sent as the client acknowledges what came before: by the
/// client's own thread then, which has to take it as well. With little waiting, the server's
/// thread does that. To other machines it makes more work and nothing faster.
const UNSENT: u32 = 64 * 1024;

/// Binds one listener. `[::]` listens for IPv4 as well, unless another of
/// `listeners` claims the same port there.
///
/// The file of a Unix socket is removed with what is returned beside the socket.
pub(crate) fn bind(
    listener: &Listener,
    listeners: &[Listener],
) -> Result<(Socket, Option<SocketFile>), BindError> {
    let opened = match &listener.address {
        ListenAddress::Inet(address) => {
            let socket = open(*address, v6_only(*address, listeners));
            socket.map(|socket| (socket, None))
        }
        ListenAddress::Unix(path) => open_file(path, listener.socket_mode),
    };
    opened.map_err(|source| BindError::Listen {
        address: listener.address.clone(),
        source,
    })
}

fn open_file(path: &Path, mode: Option<u32>) -> io::Result<(Socket, Option<SocketFile>)> {
    let (socket, file) = socket_file::bind(path, mode)?;
    socket.set_nonblocking(true)?;
    socket.listen(BACKLOG)?;
    Ok((socket, Some(file)))
}

fn v6_only(address: SocketAddr, listeners: &[Listener]) -> bool {
    let mut others = listeners.iter().filter_map(|other| other.address.inet());
    others.any(|other| other.is_ipv4() && other.port() == address.port() && address.port() != 0)
}

fn open(address: SocketAddr, v6_only: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if address.ip() == IpAddr::from([0u16; 8]) {
        // The default is the system's, and differs from one to the next.
        socket.set_only_v6(v6_only)?;
    }
    // Connections of a process that has just ended do not bar its successor.
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit this.
    let probes = TcpKeepalive::new()
        .with_time(PROBE_AFTER)
        .with_interval(PROBE_EVERY);
    socket.set_tcp_keepalive(&probes)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

/// A socket that connections are accepted from.
enum Listening {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listening {
    fn new(socket: Socket) -> io::Result<Self> {
        if socket.local_addr()?.is_unix() {
            let descriptor = OwnedFd::from(socket);
            return UnixListener::from_std(descriptor.into()).map(Self::Unix);
        }
        TcpListener::from_std(socket.into()).map(Self::Tcp)
    }

    /// The next connection, and where it comes from.
    async fn accept(&self) -> io::Result<(Accepted, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Accepted::Left(stream), peer))
            }
            Self::Unix(listener) => {
                let (stream, _nameless) = listener.accept().await?;
                Ok((Accepted::Right(stream), SocketAddr::new(OVER_SOCKET, 0)))
            }
        }
    }
}

/// What is done with the connections of one listener.
pub(crate) struct Server<A> {
    pub(crate) app: Arc<A>,
    /// For listeners that speak TLS.
    pub(crate) tls: Option<Handshakes>,
    pub(crate) shutdown: ShutdownWatch,
    pub(crate) closer: Closer,
}

impl<A: HttpServerApp + Send + Sync + 'static> Server<A> {
    /// Accepts from `socket` until `stop` is cancelled.
    ///
    /// # Errors
    /// If the runtime cannot watch the socket.
    pub(crate) fn accept(
        self,
        socket: Socket,
        stop: CancellationToken,
    ) -> io::Result<impl Future<Output = ()> + Send + 'static> {
        let listener = Listening::new(socket)?;
        let server = Arc::new(self);
        Ok(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = server.accept_from(&listener) => {}
            }
        })
    }

    async fn accept_from(self: &Arc<Self>, listener: &Listening) {
        let mut exhausted = false;
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    exhausted = false;
                    let server = Arc::clone(self);
                    self.closer.connections.spawn(async move {
                        let cut = server.closer.cut.clone();
                        tokio::select! {
                            biased;
                            () = cut.cancelled() => {}
                            () = server.converse(stream, peer) => {}
                        }
                    });
                }
                Err(error) if is_exhaustion(&error) => {
                    // Once for each spell of it, not for each try.
                    if !exhausted {
                        warn!(%error, "no connection can be accepted; is `ulimit -n` too low?");
                    }
                    exhausted = true;
                    tokio::time::sleep(EXHAUSTED).await;
                }
                // The client went while it waited: its loss.
                Err(error) => debug!(%error, "a connection was lost before it was accepted"),
            }
        }
    }

    async fn converse(&self, stream: Accepted, peer: SocketAddr) {
        if let Accepted::Left(stream) = &stream
            && let Err(error) = set_options(stream, peer)
        {
            debug!(client.address = %peer, %error, "the connection is gone already");
            return;
        }
        let socket = ClientSocket::new(stream, peer, self.closer.clone());
        let stream: Stream = match &self.tls {
            None => Box::new(socket),
            // On the heap, for the connection lives on when the handshake is over.
            Some(tls) => match tokio::time::timeout(HANDSHAKE, Box::pin(tls.shake(socket))).await {
                Ok(Ok(stream)) => Box::new(stream),
                Ok(Err(error)) => return report_handshake(peer, &error),
                Err(_) => {
                    debug!(client.address = %peer, "the TLS handshake took too long");
                    return;
                }
            },
        };
        conversation::hold(&self.app, stream, &self.shutdown).await;
    }
}

fn set_options(stream: &TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if stream.local_addr()?.ip() == peer.ip() {
        // It goes without as well.
        let _ = SockRef::from(stream).set_tcp_notsent_lowat(UNSENT);
    }
    Ok(())
}

/// `EMFILE`, `ENFILE`, `ENOBUFS` or `ENOMEM`.
fn is_exhaustion(error: &io::Error) -> bool {
    const CODES: [i32; 4] = [24, 23, 105, 12];
    error
        .raw_os_error()
        .is_some_and(|code| CODES.contains(&code))
}

/// One line that says who and why. Whoever connects and goes, as port scanners
/// and health checks do, is not news.
fn report_handshake(peer: SocketAddr, error: &io::Error) {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    let reason = error.to_string();
    let reason = reason.as_str();
    if matches!(error.kind(), UnexpectedEof | ConnectionReset | BrokenPipe) {
        debug!(client.address = %peer, reason, "the client left during the TLS handshake");
    } else {
        let hint = handshake_hint(reason);
        info!(client.address = %peer, reason, hint, "the TLS handshake failed");
    }
}

/// What the operator can do about the failures that a registry's users have.
fn handshake_hint(reason: &str) -> Option<&'static str> {
    const HINTS: [(&str, &str); 5] = [
        (
            "UnsupportedCertVersion",
            "the client's certificate is X.509 version 1, which rustls does not read: sign it with \
             extensions, as `tidegate certs client` does",
        ),
        (
            "InvalidContentType",
            "the client does not speak TLS: it was given an http URL, or takes the registry for insecure",
        ),
        ("UnknownCA", DISTRUSTED),
        ("CertificateUnknown", DISTRUSTED),
        ("BadCertificate", DISTRUSTED),
    ];
    const DISTRUSTED: &str = "the client does not trust the certificate: install the CA there, and \
                              see that the certificate is for the name it asks for";
    HINTS
        .iter()
        .find(|(sign, _)| reason.contains(sign))
        .map(|(_, hint)| *hint)
}

#[cfg(test)]
mod tests {
    use tidegate_config::{Protocol, TlsOffer};
    use tidegate_failure::Explain as _;

    use super::*;

    fn listener(address: &str) -> Listener {
        Listener {
            address: address.parse().unwrap(),
            protocol: Protocol::Http,
            socket_mode: None,
            offer: TlsOffer::default(),
            client_auth: None,
        }
    }

    #[test]
    fn what_users_get_wrong_comes_with_a_hint() {
        let plain = rustls::Error::from(rustls::InvalidMessage::InvalidContentType);
        assert!(handshake_hint(&plain.to_string()).unwrap().contains("http"));
        use rustls::AlertDescription::{
            BadCertificate, CertificateUnknown, DecodeError, UnknownCA,
        };
        for alert in [UnknownCA, CertificateUnknown, BadCertificate] {
            let refused = rustls::Error::AlertReceived(alert);
            let hint = handshake_hint(&refused.to_string());
            assert!(hint.unwrap_or_default().contains("CA"), "{refused}");
        }
        let other = rustls::Error::AlertReceived(DecodeError);
        assert_eq!(handshake_hint(&other.to_string()), None);
    }

    #[test]
    fn a_port_in_use_is_told_at_once() {
        let first = listener("127.0.0.1:0");
        let (socket, _) = bind(&first, std::slice::from_ref(&first)).unwrap();
        let taken = socket.local_addr().unwrap().as_socket().unwrap();
        let second = listener(&taken.to_string());
        let error = bind(&second, std::slice::from_ref(&second)).err().unwrap();
        assert!(error.to_string().contains(&taken.to_string()), "{error}");
        assert!(error.hint().unwrap().contains(&taken.port().to_string()));
    }

    #[test]
    fn the_v6_wildcard_leaves_ipv4_to_whoever_claims_it() {
        let wildcard = listener("[::]:5043");
        let at = wildcard.address.inet().unwrap();
        let listeners = |other| [wildcard.clone(), listener(other)];
        assert!(!v6_only(at, std::slice::from_ref(&wildcard)));
        assert!(v6_only(at, &listeners("0.0.0.0:5043")));
        assert!(v6_only(at, &listeners("127.0.0.1:5043")));
        assert!(!v6_only(at, &listeners("0.0.0.0:80")));
        assert!(!v6_only("[::]:0".parse().unwrap(), &listeners("0.0.0.0:0")));
    }

    #[test]
    fn exhaustion_is_told_from_a_lost_client() {
        assert!(is_exhaustion(&io::Error::from_raw_os_error(24)));
        assert!(!is_exhaustion(&io::ErrorKind::ConnectionAborted.into()));
    }

    #[tokio::test]
    async fn little_waits_for_a_client_on_this_machine_only() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        for (client, is_here) in [("127.0.0.1:0", true), ("127.0.0.2:0", false)] {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(client.parse().unwrap()).unwrap();
            let connecting = socket.connect(listener.local_addr().unwrap());
            let (_client, accepted) = tokio::join!(connecting, listener.accept());
            let (stream, peer) = accepted.unwrap();
            set_options(&stream, peer).unwrap();
            let unsent = SockRef::from(&stream).tcp_notsent_lowat().unwrap();
            assert_eq!(unsent == UNSENT, is_here, "{client}: {unsent}");
        }
    }
}
