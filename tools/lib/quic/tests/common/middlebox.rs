// SPDX-License-Identifier: LGPL-2.1-or-later
//! What stands before a server, for tests on a kernel with QUIC.

use std::{
    io::ErrorKind,
    net::{
        SocketAddr,
        UdpSocket, //
    },
    os::fd::{
        AsFd,
        AsRawFd, //
    },
    sync::{
        atomic::{
            AtomicBool,
            Ordering, //
        },
        Mutex,
    },
    thread,
    time::Duration,
};

const VERSION_1: [u8; 4] = [0, 0, 0, 1];
const VERSION_2: [u8; 4] = [0x6b, 0x33, 0x43, 0xcf];

/// Runs `client` with the address of a middlebox that answers packets of version 2 in the name of a
/// server that speaks version 1 alone. All others pass.
pub fn behind_version_1<T>(server: SocketAddr, client: impl FnOnce(SocketAddr) -> T) -> T {
    let [front, back] = [0, 0].map(|port| UdpSocket::bind(("127.0.0.1", port)).unwrap());
    back.connect(server).unwrap();
    for socket in [&front, &back] {
        socket
            .set_read_timeout(Some(Duration::from_millis(20)))
            .unwrap();
    }
    let addr = front.local_addr().unwrap();
    let (latest, is_over) = (Mutex::new(addr), AtomicBool::new(false));
    let up = || {
        let mut buf = [0; 2048];
        while !is_over.load(Ordering::Relaxed) {
            let Some((len, from)) = received(front.recv_from(&mut buf)) else {
                continue;
            };
            *latest.lock().unwrap() = from;
            let packet = &buf[..len];
            match packet.get(1..5) == Some(&VERSION_2) && packet[0] & 0x80 != 0 {
                true => drop(front.send_to(&negotiation(packet), from)),
                false => drop(back.send(packet)),
            }
        }
    };
    let down = || {
        let mut buf = [0; 2048];
        while !is_over.load(Ordering::Relaxed) {
            if let Some(len) = received(back.recv(&mut buf)) {
                let to = *latest.lock().unwrap();
                let _ = front.send_to(&buf[..len], to);
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(up);
        scope.spawn(down);
        let result = client(addr);
        is_over.store(true, Ordering::Relaxed);
        result
    })
}

fn received<T>(result: std::io::Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        // Nobody, or nobody any more, is at the other end.
        Err(err) => {
            let kind = err.kind();
            assert!(
                matches!(
                    kind,
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionRefused
                ),
                "{err}"
            );
            None
        }
    }
}

/// The Version Negotiation packet that answers a long header (RFC 9000 17.2.1).
fn negotiation(packet: &[u8]) -> Vec<u8> {
    let (dcid, rest) = id(&packet[5..]);
    let (scid, _) = id(rest);
    let mut answer = vec![0xc0, 0, 0, 0, 0];
    for id in [scid, dcid] {
        answer.push(id.len() as u8);
        answer.extend_from_slice(id);
    }
    answer.extend(VERSION_1);
    answer
}

fn id(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes[1..].split_at(usize::from(bytes[0]))
}

/// Makes a listener stay in its clients' versions and say nothing of others, as a server does that
/// does not know RFC 9368.
pub fn ignore_other_versions(listener: &impl AsFd) {
    // disable_compatible_version of struct quic_transport_param.
    let mut params = [0u8; 56];
    params[5] = 1;
    let (level, option) = (288, 8);
    // SAFETY: the pointer and the length are those of `params`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            listener.as_fd().as_raw_fd(),
            level,
            option,
            params.as_ptr().cast(),
            params.len() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}
