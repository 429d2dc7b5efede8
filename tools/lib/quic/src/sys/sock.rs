// SPDX-License-Identifier: LGPL-2.1-or-later
//! Socket system calls as safe functions on descriptors and slices.
//!
//! Nothing here knows the protocol beyond its two control messages.

use std::{
    io,
    mem,
    net::SocketAddr,
    os::fd::{
        AsRawFd,
        BorrowedFd,
        FromRawFd,
        OwnedFd, //
    },
    ptr,
    time::Duration, //
};

use libc::c_int;

use crate::uapi::{
    self,
    SOL_QUIC, //
};

mod addr;

use addr::RawAddr;

/// Control message to send.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Control {
    /// Stream id and stream flags.
    Stream(i64, u32),
    /// Encryption level.
    Handshake(u8),
}

/// What one `recvmsg` returned besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Received {
    /// Bytes written to the buffer.
    pub(crate) len: usize,
    /// `msg_flags`.
    pub(crate) flags: u32,
    /// Stream id and stream flags, if there was such a control message.
    pub(crate) stream: Option<(i64, u32)>,
    /// Encryption level, if there was such a control message.
    pub(crate) handshake: Option<u8>,
}

/// Space for control messages, aligned for a header. Two messages of 32 bytes fit.
#[repr(C, align(8))]
struct ControlSpace([u8; 64]);

/// Opens a QUIC socket of the family of `addr`.
pub(crate) fn socket(addr: &SocketAddr) -> io::Result<OwnedFd> {
    let family = match addr {
        SocketAddr::V4(_) => libc::AF_INET,
        SocketAddr::V6(_) => libc::AF_INET6,
    };
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: socket() takes no pointers.
    let fd = check(unsafe { libc::socket(family, kind, uapi::IPPROTO_QUIC) })?;
    // SAFETY: the call succeeded, so `fd` is open and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

pub(crate) fn bind(fd: BorrowedFd<'_>, addr: &SocketAddr) -> io::Result<()> {
    let raw = RawAddr::new(addr);
    // SAFETY: `raw` is a socket address of the length given and outlives the call.
    check(unsafe { libc::bind(fd.as_raw_fd(), raw.as_ptr(), raw.len()) }).map(drop)
}

pub(crate) fn connect(fd: BorrowedFd<'_>, addr: &SocketAddr) -> io::Result<()> {
    let raw = RawAddr::new(addr);
    // SAFETY: `raw` is a socket address of the length given and outlives the call.
    check(unsafe { libc::connect(fd.as_raw_fd(), raw.as_ptr(), raw.len()) }).map(drop)
}

pub(crate) fn listen(fd: BorrowedFd<'_>, backlog: i32) -> io::Result<()> {
    // SAFETY: listen() takes no pointers.
    check(unsafe { libc::listen(fd.as_raw_fd(), backlog) }).map(drop)
}

pub(crate) fn accept(fd: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let (addr, len) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: accept4() allows both address pointers to be null.
    let new = check(unsafe { libc::accept4(fd.as_raw_fd(), addr, len, libc::SOCK_CLOEXEC) })?;
    // SAFETY: the call succeeded, so `new` is open and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(new) })
}

/// Makes calls on the descriptor return instead of waiting (O_NONBLOCK).
#[cfg(feature = "tokio")]
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: F_GETFL takes no argument.
    let flags = check(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_GETFL) })?;
    // SAFETY: F_SETFL takes an integer.
    let ret = unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) };
    check(ret).map(drop)
}

/// The protocol of the socket (SO_PROTOCOL).
pub(crate) fn protocol(fd: BorrowedFd<'_>) -> io::Result<c_int> {
    let mut value = [0; mem::size_of::<c_int>()];
    getsockopt(fd, libc::SOL_SOCKET, libc::SO_PROTOCOL, &mut value)?;
    Ok(c_int::from_ne_bytes(value))
}

/// Address of this side (`peer` false) or of the peer.
pub(crate) fn name(fd: BorrowedFd<'_>, peer: bool) -> io::Result<SocketAddr> {
    let mut raw = RawAddr::empty();
    let mut len = raw.len();
    let ret = if peer {
        // SAFETY: `raw` has room for `len` bytes.
        unsafe { libc::getpeername(fd.as_raw_fd(), raw.as_mut_ptr(), &mut len) }
    } else {
        // SAFETY: `raw` has room for `len` bytes.
        unsafe { libc::getsockname(fd.as_raw_fd(), raw.as_mut_ptr(), &mut len) }
    };
    check(ret)?;
    raw.decode()
        .ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

/// Sends `data` with one control message or none.
pub(crate) fn send(
    fd: BorrowedFd<'_>,
    data: &[u8],
    control: Option<Control>,
    flags: u32,
) -> io::Result<usize> {
    let mut space = ControlSpace([0; 64]);
    let mut iov = libc::iovec {
        iov_base: data.as_ptr().cast_mut().cast(),
        iov_len: data.len(),
    };
    let mut msg = empty_msghdr();
    msg.msg_iov = &mut iov;
    msg.msg_iovlen = 1;
    if let Some(control) = control {
        let len = encode_control(&mut space, control);
        msg.msg_control = space.0.as_mut_ptr().cast();
        msg.msg_controllen = len;
    }
    // SAFETY: `msg` points to `iov`, `data` and `space`, which outlive the call.
    let ret = unsafe { libc::sendmsg(fd.as_raw_fd(), &msg, flags as c_int) };
    usize::try_from(ret).map_err(|_| io::Error::last_os_error())
}

/// Receives into `data`.
pub(crate) fn recv(fd: BorrowedFd<'_>, data: &mut [u8], flags: c_int) -> io::Result<Received> {
    recv_with(fd, data, flags, usize::MAX)
}

/// Receives into `data`, with at most `room` bytes for control messages.
pub(crate) fn recv_with(
    fd: BorrowedFd<'_>,
    data: &mut [u8],
    flags: c_int,
    room: usize,
) -> io::Result<Received> {
    let mut space = ControlSpace([0; 64]);
    let mut iov = libc::iovec {
        iov_base: data.as_mut_ptr().cast(),
        iov_len: data.len(),
    };
    let mut msg = empty_msghdr();
    msg.msg_iov = &mut iov;
    msg.msg_iovlen = 1;
    msg.msg_control = space.0.as_mut_ptr().cast();
    msg.msg_controllen = space.0.len().min(room);
    // SAFETY: `msg` points to `iov`, `data` and `space`, which outlive the call.
    let ret = unsafe { libc::recvmsg(fd.as_raw_fd(), &mut msg, flags) };
    let len = usize::try_from(ret).map_err(|_| io::Error::last_os_error())?;
    let mut received = Received {
        len,
        flags: msg.msg_flags as u32,
        ..Received::default()
    };
    let used = space.0.get(..msg.msg_controllen).unwrap_or(&[]);
    decode_control(used, &mut received);
    Ok(received)
}

/// `setsockopt` with an address as the value.
pub(crate) fn set_address(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    addr: &SocketAddr,
) -> io::Result<()> {
    let raw = RawAddr::new(addr);
    // SAFETY: the value is valid for its length.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, raw.as_ptr().cast(), raw.len()) })
        .map(drop)
}

/// Sets an option; an empty `value` is legal.
pub(crate) fn setsockopt(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &[u8],
) -> io::Result<()> {
    let len = libc::socklen_t::try_from(value.len())
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let ptr = value.as_ptr().cast();
    // SAFETY: `ptr` is good for `len` bytes of reading.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, ptr, len) }).map(drop)
}

/// Gets an option; `value` is input too for some options. Returns how many bytes are valid.
pub(crate) fn getsockopt(
    fd: BorrowedFd<'_>,
    level: c_int,
    name: c_int,
    value: &mut [u8],
) -> io::Result<usize> {
    let mut len = libc::socklen_t::try_from(value.len())
        .map_err(|_| io::Error::from_raw_os_error(libc::EINVAL))?;
    let ptr = value.as_mut_ptr().cast();
    // SAFETY: `ptr` is good for `len` bytes of writing.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, ptr, &mut len) })?;
    Ok((len as usize).min(value.len()))
}

/// Waits until the descriptor is readable (or has failed). `false` means that time ran out.
pub(crate) fn wait_readable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    wait(fd, libc::POLLIN, timeout)
}

/// Waits until there is room for sending (or the socket has failed), like [`wait_readable`].
pub(crate) fn wait_writable(fd: BorrowedFd<'_>, timeout: Option<Duration>) -> io::Result<bool> {
    wait(fd, libc::POLLOUT, timeout)
}

/// Whether the connection has ended.
pub(crate) fn is_hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: 0,
        revents: 0,
    };
    // SAFETY: `poll` is one valid element and outlives the call, which does not wait.
    let count = unsafe { libc::poll(&mut poll, 1, 0) };
    count > 0 && poll.revents & libc::POLLHUP != 0
}

fn wait(fd: BorrowedFd<'_>, events: i16, timeout: Option<Duration>) -> io::Result<bool> {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events,
        revents: 0,
    };
    // Rounded up, so that a caller with half a millisecond left does not spin.
    let millis = timeout.map_or(-1, |time| {
        c_int::try_from(time.as_micros().div_ceil(1000)).unwrap_or(c_int::MAX)
    });
    // SAFETY: `poll` is one valid element and outlives the call.
    match check(unsafe { libc::poll(&mut poll, 1, millis) }) {
        Ok(count) => Ok(count > 0),
        Err(err) if err.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(err) => Err(err),
    }
}

/// Send memory still charged: 0 once the peer has acknowledged everything (SIOCOUTQ).
pub(crate) fn unacknowledged(fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut value: c_int = 0;
    // SAFETY: TIOCOUTQ, the same number as SIOCOUTQ, writes one int to its argument.
    check(unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCOUTQ, &mut value) })?;
    Ok(usize::try_from(value).unwrap_or(0))
}

/// Sends CONNECTION_CLOSE and ends all waiting calls.
pub(crate) fn shutdown(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: shutdown() takes no pointers.
    check(unsafe { libc::shutdown(fd.as_raw_fd(), libc::SHUT_RDWR) }).map(drop)
}

/// Sets SO_RCVTIMEO or SO_SNDTIMEO; `None` waits for ever.
pub(crate) fn set_timeout(
    fd: BorrowedFd<'_>,
    send: bool,
    timeout: Option<Duration>,
) -> io::Result<()> {
    let name = if send {
        libc::SO_SNDTIMEO
    } else {
        libc::SO_RCVTIMEO
    };
    // A time below a microsecond would mean "for ever".
    let time = timeout.map_or(Duration::ZERO, |time| time.max(Duration::from_micros(1)));
    let value = libc::timeval {
        tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_usec: time.subsec_micros().into(),
    };
    let ptr = ptr::from_ref(&value).cast();
    let len = mem::size_of_val(&value) as libc::socklen_t;
    // SAFETY: `ptr` is a timeval of `len` bytes that outlives the call.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, name, ptr, len) }).map(drop)
}

/// SO_RCVTIMEO; `None` if there is no limit.
pub(crate) fn receive_timeout(fd: BorrowedFd<'_>) -> Option<Duration> {
    let mut value = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let mut len = mem::size_of_val(&value) as libc::socklen_t;
    let (level, name) = (libc::SOL_SOCKET, libc::SO_RCVTIMEO);
    let ptr = ptr::from_mut(&mut value).cast();
    // SAFETY: `ptr` is a timeval of `len` bytes that outlives the call.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), level, name, ptr, &mut len) }).ok()?;
    let secs = Duration::from_secs(u64::try_from(value.tv_sec).ok()?);
    let micros = Duration::from_micros(u64::try_from(value.tv_usec).ok()?);
    secs.checked_add(micros).filter(|time| !time.is_zero())
}

fn check(ret: c_int) -> io::Result<c_int> {
    if ret < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(ret)
}

/// A message header without anything.
pub(crate) fn empty_msghdr() -> libc::msghdr {
    // SAFETY: msghdr consists of integers and pointers, for which all-zero is a valid value.
    unsafe { mem::zeroed() }
}

/// Length of a control message header, padded as CMSG_DATA does.
const HEADER_LEN: usize =
    mem::size_of::<libc::cmsghdr>().next_multiple_of(mem::align_of::<usize>());
/// Offsets of `cmsg_level` and `cmsg_type`, behind `cmsg_len` (with musl's padding).
const LEVEL_OFFSET: usize = mem::offset_of!(libc::cmsghdr, cmsg_level);
const TYPE_OFFSET: usize = mem::offset_of!(libc::cmsghdr, cmsg_type);

/// The control message of a handshake message's level.
pub(crate) fn handshake_control(level: u8) -> [u8; 24] {
    let mut space = ControlSpace([0; 64]);
    encode_control(&mut space, Control::Handshake(level));
    let mut out = uapi::Writer([0; 24]);
    out.put(0, &space.0);
    out.0
}

/// The level of a handshake message, in the control messages that came with it.
pub(crate) fn handshake_level(control: &[u8]) -> Option<u8> {
    let mut received = Received::default();
    decode_control(control, &mut received);
    received.handshake
}

/// Writes one control message and returns the space it takes.
fn encode_control(space: &mut ControlSpace, control: Control) -> usize {
    let stream;
    let level;
    let (kind, payload): (i32, &[u8]) = match control {
        Control::Stream(id, flags) => {
            stream = uapi::id_and_word(id, flags);
            (uapi::CMSG_STREAM_INFO, &stream)
        }
        Control::Handshake(value) => {
            level = [value];
            (uapi::CMSG_HANDSHAKE_INFO, &level)
        }
    };
    let len = HEADER_LEN.saturating_add(payload.len());
    let mut out = uapi::Writer([0; 64]);
    out.put(0, &len.to_ne_bytes());
    out.put(LEVEL_OFFSET, &SOL_QUIC.to_ne_bytes());
    out.put(TYPE_OFFSET, &kind.to_ne_bytes());
    out.put(HEADER_LEN, payload);
    space.0 = out.0;
    len.next_multiple_of(mem::align_of::<usize>())
}

/// Reads all control messages of this protocol in `bytes`.
fn decode_control(mut bytes: &[u8], received: &mut Received) {
    while bytes.len() >= HEADER_LEN {
        let header = uapi::Reader(bytes);
        let len = match mem::size_of::<usize>() {
            8 => usize::try_from(header.u64(0)).unwrap_or(usize::MAX),
            _ => header.u32(0) as usize,
        };
        let Some(payload) = bytes.get(HEADER_LEN..len.min(bytes.len())) else {
            return;
        };
        let level = header.u32(LEVEL_OFFSET) as i32;
        let kind = header.u32(TYPE_OFFSET) as i32;
        match (level, kind) {
            (SOL_QUIC, uapi::CMSG_STREAM_INFO) => {
                received.stream = Some(uapi::read_id_and_word(payload));
            }
            (SOL_QUIC, uapi::CMSG_HANDSHAKE_INFO) => {
                received.handshake = payload.first().copied();
            }
            _ => {}
        }
        let Some(next) = len
            .max(1)
            .checked_next_multiple_of(mem::align_of::<usize>())
        else {
            return;
        };
        bytes = bytes.get(next..).unwrap_or(&[]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_messages_have_the_sizes_that_programs_expect() {
        for (control, space_len, len) in [
            (Control::Stream(5, 0x200), 32, 32_u64),
            (Control::Handshake(2), 24, 17),
        ] {
            let mut space = ControlSpace([0; 64]);
            assert_eq!(encode_control(&mut space, control), space_len);
            assert_eq!(uapi::Reader(&space.0).u64(0), len);
        }
    }

    #[test]
    fn control_messages_are_read_back_whatever_precedes_them() {
        let mut space = ControlSpace([0; 64]);
        let len = encode_control(&mut space, Control::Stream(-1, 0x600));
        let mut bytes = space.0[..len].to_vec();
        // A message of another protocol in front.
        bytes[8] = 1;
        let mut second = ControlSpace([0; 64]);
        let second_len = encode_control(&mut second, Control::Stream(9, 0x200));
        bytes.extend_from_slice(&second.0[..second_len]);
        let mut received = Received::default();
        decode_control(&bytes, &mut received);
        assert_eq!(received.stream, Some((9, 0x200)));
    }

    #[test]
    fn broken_control_lengths_end_the_walk() {
        for len in [0_u64, 1, 15, u64::MAX] {
            let mut bytes = [0_u8; 64];
            bytes[..8].copy_from_slice(&len.to_ne_bytes());
            let mut received = Received::default();
            decode_control(&bytes, &mut received);
            assert_eq!(received.stream, None, "{len}");
        }
    }
}
