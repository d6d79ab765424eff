//! A non-blocking socket, in clear text or under TLS.

use std::io::{self, IoSlice, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use rustix::net::{RecvFlags, SendFlags};

use crate::tls::Session;

/// A connected non-blocking socket.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl Socket {
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self(fd)
    }

    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Read for Socket {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match rustix::net::recv(&self.0, &mut *buf, RecvFlags::empty()) {
                Ok((count, _)) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Write for Socket {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        loop {
            match rustix::net::send(&self.0, data, SendFlags::NOSIGNAL) {
                Ok(count) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        loop {
            let mut control = rustix::net::SendAncillaryBuffer::default();
            match rustix::net::sendmsg(&self.0, slices, &mut control, SendFlags::NOSIGNAL) {
                Ok(count) => return Ok(count),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What a connection reads from and writes to.
#[derive(Debug)]
pub(crate) struct Transport {
    socket: Socket,
    session: Option<Box<Session>>,
}

impl Transport {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            session: None,
        }
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Speak TLS from here on; `early` are bytes already read from the socket.
    pub(crate) fn start_tls(&mut self, mut session: Session, early: &[u8]) {
        session.feed(early);
        self.session = Some(Box::new(session));
    }

    pub(crate) fn session(&self) -> Option<&Session> {
        self.session.as_deref()
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.session.is_some()
    }

    /// Read plaintext; `WouldBlock` when there is none, 0 at the end.
    pub(crate) fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.read(buf),
            Some(session) => session.read(&mut self.socket, buf),
        }
    }

    /// Write from the slices; may take less than all.
    pub(crate) fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match &mut self.session {
            None => match slices {
                [one] => self.socket.write(one),
                _ => self.socket.write_vectored(slices),
            },
            Some(session) => session.write_vectored(&mut self.socket, slices),
        }
    }

    /// Send what the TLS session holds back; `WouldBlock` when some remains.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.session {
            None => Ok(()),
            Some(session) => session.flush(&mut self.socket),
        }
    }

    /// Tell the peer that nothing more comes; the socket stays readable.
    pub(crate) fn shutdown(&mut self) {
        if let Some(session) = &mut self.session {
            session.close_notify();
            // The peer that does not take the alert sees the FIN instead.
            drop(session.flush(&mut self.socket));
        }
        // A socket whose peer has gone cannot be shut down, and needs not.
        let _ = rustix::net::shutdown(self.socket.fd(), rustix::net::Shutdown::Write);
    }
}
