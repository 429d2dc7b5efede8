// SPDX-License-Identifier: LGPL-2.1-or-later
//! Two sockets in their handshake, joined in memory.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Arc,
        Condvar,
        Mutex, //
    },
    time::Duration,
};

use crate::{
    driver::Wire,
    error::CloseReason,
    handshake::Kernel,
    sys::sock::Received,
    uapi::{
        Level,
        Reader, //
    },
};

/// A secret as the socket got it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) send: bool,
    pub(super) level: u8,
    pub(super) cipher: u32,
    pub(super) bytes: Vec<u8>,
}

#[derive(Debug, Default)]
struct Side {
    /// What this side will receive.
    queue: VecDeque<(Received, Vec<u8>)>,
    secrets: Vec<Secret>,
    /// What the peer has sent at the application level.
    ticket: Vec<u8>,
    /// What the peer has sent at the initial level.
    hello: Vec<u8>,
    peer_params: Option<Vec<u8>>,
    closed: Option<CloseReason>,
}

#[derive(Debug, Default)]
struct Joint {
    sides: Mutex<[Side; 2]>,
    changed: Condvar,
}

/// One end.
#[derive(Debug)]
pub(super) struct End {
    joint: Arc<Joint>,
    own: usize,
    /// Longest piece in which the peer gets this side's messages.
    pub(super) piece: usize,
    /// What `local_params` answers.
    pub(super) params: Vec<u8>,
    /// The socket refuses the peer's parameters with this code.
    pub(super) refuse_params: Option<u32>,
    /// The socket refuses secrets.
    pub(super) refuse_secrets: bool,
    /// The key of tickets, before and after the peer's parameters have settled the version.
    pub(super) ticket_keys: [u8; 2],
}

/// A client's and a server's end.
pub(super) fn pair() -> (End, End) {
    let joint = Arc::<Joint>::default();
    let end = |own, params: &str| End {
        joint: Arc::clone(&joint),
        own,
        piece: 1000,
        params: params.into(),
        refuse_params: None,
        refuse_secrets: false,
        ticket_keys: [7; 2],
    };
    (end(0, "the client's"), end(1, "the server's"))
}

impl End {
    pub(super) fn secrets(&self) -> Vec<Secret> {
        self.joint.sides.lock().unwrap()[self.own].secrets.clone()
    }

    pub(super) fn ticket(&self) -> Vec<u8> {
        self.joint.sides.lock().unwrap()[self.own].ticket.clone()
    }

    pub(super) fn hello(&self) -> Vec<u8> {
        self.joint.sides.lock().unwrap()[self.own].hello.clone()
    }

    pub(super) fn peer_params(&self) -> Option<Vec<u8>> {
        self.joint.sides.lock().unwrap()[self.own]
            .peer_params
            .clone()
    }

    /// Puts an item into this side's queue.
    pub(super) fn inject(&self, received: Received, bytes: &[u8]) {
        let mut sides = self.joint.sides.lock().unwrap();
        sides[self.own].queue.push_back((received, bytes.to_vec()));
        self.joint.changed.notify_all();
    }

    fn end(&self, code: u32, phrase: &str) {
        let mut sides = self.joint.sides.lock().unwrap();
        for side in sides.iter_mut() {
            side.closed.get_or_insert(CloseReason {
                code,
                phrase: phrase.into(),
                ..CloseReason::default()
            });
        }
        self.joint.changed.notify_all();
    }
}

impl Kernel for End {
    fn set_secret(&self, secret: &[u8; 56]) -> io::Result<()> {
        if self.refuse_secrets {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let cipher = Reader(secret).u32(4);
        let len = if cipher == 52 { 48 } else { 32 };
        self.joint.sides.lock().unwrap()[self.own]
            .secrets
            .push(Secret {
                send: secret[0] == 1,
                level: secret[1],
                cipher,
                bytes: secret[8..8 + len].to_vec(),
            });
        Ok(())
    }

    fn local_params(&self) -> io::Result<Vec<u8>> {
        Ok(self.params.clone())
    }

    fn set_peer_params(&self, params: &[u8]) -> io::Result<()> {
        if let Some(code) = self.refuse_params {
            self.end(code, "");
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let own = &mut self.joint.sides.lock().unwrap()[self.own];
        if own.peer_params.is_some() {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        own.peer_params = Some(params.to_vec());
        Ok(())
    }

    fn ticket_key(&self) -> Option<Vec<u8>> {
        let [before, after] = self.ticket_keys;
        let is_settled = self.peer_params().is_some();
        Some(vec![if is_settled { after } else { before }; 64])
    }

    fn close_reason(&self) -> Option<CloseReason> {
        self.joint.sides.lock().unwrap()[self.own].closed.clone()
    }
}

impl Wire for End {
    fn send(&self, level: Level, bytes: &[u8], _more: bool) -> io::Result<usize> {
        let bytes = &bytes[..bytes.len().min(self.piece)];
        let mut sides = self.joint.sides.lock().unwrap();
        if sides[self.own].closed.is_some() {
            return Err(io::Error::from_raw_os_error(libc::EPIPE));
        }
        let received = Received {
            len: bytes.len(),
            handshake: Some(level as u8),
            ..Received::default()
        };
        // As in the kernel, tickets do not come through recvmsg.
        let peer = &mut sides[1 - self.own];
        match level {
            Level::App => peer.ticket.extend_from_slice(bytes),
            _ => {
                if level == Level::Initial {
                    peer.hello.extend_from_slice(bytes);
                }
                peer.queue.push_back((received, bytes.to_vec()));
            }
        }
        self.joint.changed.notify_all();
        Ok(bytes.len())
    }

    fn try_recv(&self, buf: &mut [u8]) -> io::Result<Received> {
        let mut sides = self.joint.sides.lock().unwrap();
        let side = &mut sides[self.own];
        match side.queue.pop_front() {
            Some((received, bytes)) => {
                buf[..bytes.len()].copy_from_slice(&bytes);
                Ok(received)
            }
            None if side.closed.is_some() => Err(io::Error::from_raw_os_error(libc::ENOTCONN)),
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn wait_readable(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let sides = self.joint.sides.lock().unwrap();
        let idle = |sides: &mut [Side; 2]| {
            sides[self.own].queue.is_empty() && sides[self.own].closed.is_none()
        };
        let timeout = timeout.unwrap_or(Duration::from_secs(60));
        let (sides, _) = self
            .joint
            .changed
            .wait_timeout_while(sides, timeout, idle)
            .unwrap();
        drop(sides);
        Ok(true)
    }

    fn wait_writable(&self, _: Option<Duration>) -> io::Result<bool> {
        Ok(true)
    }

    fn close(&self, code: u32, phrase: &str) {
        self.end(code, phrase);
    }
}
