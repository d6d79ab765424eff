//! A rustls client and a session over a transport in memory that takes and gives as little as
//! a network may.

mod config;
mod flow;
mod handshake;
mod pki;

use std::collections::VecDeque;
use std::io::{self, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use super::{Session, TlsConfig};

/// How the transport cuts reads and writes.
#[derive(Debug)]
enum Chop {
    /// It takes and gives all that there is.
    Whole,
    /// It takes and gives parts of random length, and now and then nothing.
    Random(u64),
}

impl Chop {
    /// How many of `most` bytes go now; 0 is a transport that would block.
    fn next(&mut self, most: usize) -> usize {
        match self {
            Self::Whole => most,
            Self::Random(state) => {
                // xorshift64, which needs a state that is not zero.
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                let random = usize::try_from(*state >> 33).unwrap();
                match random % 8 {
                    0 => 0,
                    1 => most.min(1),
                    _ => random % most + 1,
                }
            }
        }
    }
}

/// One direction of a connection.
#[derive(Debug)]
struct Way {
    bytes: VecDeque<u8>,
    room: usize,
    closed: bool,
}

impl Way {
    fn new() -> Self {
        Self {
            bytes: VecDeque::new(),
            room: 32 * 1024,
            closed: false,
        }
    }
}

/// One peer's end of a connection.
struct End<'a> {
    incoming: &'a mut Way,
    outgoing: &'a mut Way,
    chop: &'a mut Chop,
}

impl Read for End<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = self.incoming.bytes.len().min(buf.len());
        if most == 0 && self.incoming.closed {
            return Ok(0);
        }
        if most == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.chop.next(most) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => self.incoming.bytes.read(&mut buf[..count]),
        }
    }
}

impl Write for End<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        let most = (self.outgoing.room - self.outgoing.bytes.len()).min(data.len());
        if most == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match self.chop.next(most) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            count => self.outgoing.bytes.write(&data[..count]),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What one peer has seen so far.
#[derive(Debug, Default)]
struct Seen {
    plaintext: Vec<u8>,
    closed: bool,
    error: Option<String>,
}

/// A client and a server with a transport between them.
struct Pair {
    server: Session,
    client: ClientConnection,
    to_server: Way,
    to_client: Way,
    chop: Chop,
    at_server: Seen,
    at_client: Seen,
}

impl Pair {
    fn new(server: &TlsConfig, client: &Arc<ClientConfig>, name: &str) -> Self {
        let name = ServerName::try_from(name.to_owned()).unwrap();
        Self {
            server: server.session().unwrap(),
            client: ClientConnection::new(Arc::clone(client), name).unwrap(),
            to_server: Way::new(),
            to_client: Way::new(),
            chop: Chop::Whole,
            at_server: Seen::default(),
            at_client: Seen::default(),
        }
    }

    /// A pair that has shaken hands.
    fn agreed(server: &TlsConfig, client: &Arc<ClientConfig>, name: &str) -> Self {
        let mut pair = Self::new(server, client, name);
        pair.run();
        pair.assert_agreed();
        pair
    }

    fn assert_agreed(&self) {
        assert_eq!(self.at_server.error, None);
        assert_eq!(self.at_client.error, None);
        assert!(!self.server.is_handshaking() && !self.client.is_handshaking());
    }

    /// Exchange bytes until both are silent, or have failed.
    fn run(&mut self) {
        // A random transport may block a few times in a row without being at its end.
        let patience = if matches!(self.chop, Chop::Whole) {
            1
        } else {
            40
        };
        let mut quiet = 0;
        while quiet < patience {
            let before = self.progress();
            self.turn_client();
            self.turn_server();
            quiet = if self.progress() == before {
                quiet + 1
            } else {
                0
            };
        }
    }

    fn progress(&self) -> impl PartialEq + use<> {
        let seen = |seen: &Seen| (seen.plaintext.len(), seen.closed, seen.error.is_some());
        (
            seen(&self.at_server),
            seen(&self.at_client),
            self.to_server.bytes.len(),
            self.to_client.bytes.len(),
            self.server.is_handshaking(),
            self.client.is_handshaking(),
        )
    }

    fn with_server<R>(&mut self, act: impl FnOnce(&mut Session, &mut End<'_>) -> R) -> R {
        let mut end = End {
            incoming: &mut self.to_server,
            outgoing: &mut self.to_client,
            chop: &mut self.chop,
        };
        act(&mut self.server, &mut end)
    }

    /// Offer the session something to send.
    fn write(&mut self, slices: &[&[u8]]) -> io::Result<usize> {
        let slices: Vec<IoSlice<'_>> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        self.with_server(|server, end| server.write_vectored(end, &slices))
    }

    fn turn_server(&mut self) {
        let mut buf = [0; 4096];
        while !self.at_server.closed && self.at_server.error.is_none() {
            match self.with_server(|server, end| server.read(end, &mut buf)) {
                Ok(0) => self.at_server.closed = true,
                Ok(count) => self.at_server.plaintext.extend_from_slice(&buf[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => self.at_server.error = Some(error.to_string()),
            }
        }
        match self.with_server(|server, end| server.flush(end)) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => panic!("{error}"),
            _ => {}
        }
    }

    fn turn_client(&mut self) {
        let mut end = End {
            incoming: &mut self.to_client,
            outgoing: &mut self.to_server,
            chop: &mut self.chop,
        };
        while self.client.wants_write() && self.client.write_tls(&mut end).is_ok() {}
        while !self.at_client.closed && self.at_client.error.is_none() {
            match self.client.read_tls(&mut end) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
            if let Err(error) = self.client.process_new_packets() {
                self.at_client.error = Some(error.to_string());
            }
            match self
                .client
                .reader()
                .read_to_end(&mut self.at_client.plaintext)
            {
                Ok(_) => self.at_client.closed = true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => self.at_client.error = Some(error.to_string()),
            }
        }
        while self.client.wants_write() && self.client.write_tls(&mut end).is_ok() {}
    }
}
