//! Connections, as Linux tells them in `/proc/net/tcp` (proc(5)).

use std::net::{IpAddr, SocketAddr};

use crate::error::Error;

/// How many connections of this machine lead to `address` and are established.
pub(crate) fn connections_to(address: SocketAddr) -> Result<usize, Error> {
    let table = fs_err::read_to_string("/proc/net/tcp")?;
    Ok(established(&table, address))
}

fn established(table: &str, address: SocketAddr) -> usize {
    let IpAddr::V4(ip) = address.ip() else {
        return 0;
    };
    // The kernel prints the address as a number of the machine's byte order.
    let remote = format!(
        "{:08X}:{:04X}",
        u32::from_ne_bytes(ip.octets()),
        address.port()
    );
    let is_one = |line: &&str| {
        let mut words = line.split_ascii_whitespace().skip(2);
        (words.next(), words.next()) == (Some(&remote), Some("01"))
    };
    table.lines().filter(is_one).count()
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::{connections_to, established};

    #[test]
    #[cfg(target_endian = "little")]
    fn only_clients_of_that_address_are_counted() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue\n   \
            0: 0100007F:1D13 00000000:0000 0A 00000000:00000000 00:00000000\n   \
            1: 0100007F:9C40 0100007F:1D13 01 00000000:00000000 00:00000000\n   \
            2: 0100007F:1D13 0100007F:9C40 01 00000000:00000000 00:00000000\n   \
            3: 0100007F:9C42 0100007F:1D13 06 00000000:00000000 00:00000000\n";
        assert_eq!(established(table, "127.0.0.1:7443".parse().unwrap()), 1);
        assert_eq!(established(table, "127.0.0.1:7444".parse().unwrap()), 0);
        assert_eq!(established("", "127.0.0.1:7443".parse().unwrap()), 0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_connection_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert_eq!(connections_to(address).unwrap(), 0);
        let _client = TcpStream::connect(address).unwrap();
        assert_eq!(connections_to(address).unwrap(), 1);
    }
}
