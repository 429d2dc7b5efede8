// SPDX-License-Identifier: GPL-2.0

//! What programs and the kernel may ask of a connection: any call, any time, any argument.

use std::net::SocketAddr;

use quic_core::aead::Suite;
use quic_core::buf::Chunk;
use quic_core::common::id::{
    Dir,
    Side,
    StreamId, //
};
use quic_core::common::time::Duration;
use quic_core::conn::{
    PacketTooBig,
    PathAddr,
    Secret, //
};
use quic_core::params::TransportParams;

use super::Chaos;
use crate::app::pattern;
use crate::node::params;
use crate::pair::{
    client_addr,
    server_addr, //
};

/// Bytes written by one call.
const MAX_WRITE: u64 = 40_000;

impl Chaos<'_> {
    /// One call on one side.
    pub(super) fn call(&mut self) {
        let side = self.script.side();
        if self.peer(side).is_none() {
            return;
        }
        match self.script.below(24) {
            0..=2 => self.open(side),
            3..=5 => self.write(side),
            6 => self.end_stream(side),
            7 => self.read(side),
            8 => self.adjust_stream(side),
            9 => self.send_datagram(side),
            10 => self.update_keys(side),
            11 => self.migrate(side),
            12 => self.change_ids(side),
            13..=14 => self.adjust(side),
            15 => self.drop_datagram_size(side),
            16 => self.offer_tokens(side),
            17 => self.close(side),
            18 => self.misuse_crypto(side),
            19 => self.misuse_secret(side),
            20 => self.misuse_params(side),
            21 => self.toggle_reading(side),
            _ => self.ask(side),
        }
        self.drive();
    }

    /// A stream of either side, of those that are likely to exist.
    fn stream(&mut self) -> StreamId {
        let raw = match self.script.byte() {
            byte @ 0..=250 => u64::from(byte % 16),
            _ => self.script.number(),
        };
        StreamId::from_raw(raw).unwrap_or(StreamId::new(Side::Client, Dir::Bidi, 0))
    }

    fn open(&mut self, side: Side) {
        let (dir, named) = (self.script.dir(), self.script.below(8) == 0);
        let id = named.then(|| self.stream());
        let Some(peer) = self.peer(side) else {
            return;
        };
        let streams = peer.connection.streams_mut();
        match streams.open(id, dir) {
            Ok(id) => {
                self.sent.entry((side.is_client(), id)).or_default();
            }
            Err(_) => streams.note_streams_blocked(dir),
        }
    }

    fn write(&mut self, side: Side) {
        let (id, wanted) = (self.stream(), self.script.number().min(MAX_WRITE));
        let (fin, corked) = (self.script.below(4) == 0, self.script.below(8) == 0);
        let key = (side.is_client(), id);
        let mut sent = self.sent.get(&key).copied().unwrap_or_default();
        let Some(peer) = self.peer(side) else {
            return;
        };
        let streams = peer.connection.streams_mut();
        if streams.prepare_send(id, false).is_err() {
            return;
        }
        let Ok(credit) = streams.sendable(id) else {
            return;
        };
        let len = wanted.min(credit);
        if len < wanted {
            streams.note_data_blocked(id);
        }
        let range = sent.bytes..sent.bytes + len;
        let bytes: Vec<u8> = range.map(|at| pattern(id, side, at)).collect();
        let Ok(chunk) = Chunk::try_from_slice(&bytes) else {
            return;
        };
        streams.set_corked(id, corked);
        if streams.queue(id, chunk, fin).is_ok() {
            sent.bytes += len;
            sent.fin |= fin;
        }
        self.sent.insert(key, sent);
    }

    fn end_stream(&mut self, side: Side) {
        let (id, code) = (self.stream(), self.script.number());
        let how = self.script.below(3);
        let Some(peer) = self.peer(side) else {
            return;
        };
        let streams = peer.connection.streams_mut();
        let is_done = match how {
            0 => streams.finish(id).is_ok(),
            1 => streams.reset(id, code).is_ok(),
            _ => streams.stop_sending(id, code).is_ok(),
        };
        // To stop the peer gives up what the peer sends.
        let sender = if how == 2 { side.peer() } else { side };
        let sent = self.sent.entry((sender.is_client(), id)).or_default();
        match how {
            0 => sent.fin |= is_done,
            _ => sent.is_given_up |= is_done,
        }
    }

    fn read(&mut self, side: Side) {
        let (max, peek) = (self.script.number(), self.script.flag());
        let now = self.now;
        let Some(peer) = self.peer(side) else {
            return;
        };
        if peek {
            let _ = peer
                .connection
                .streams_mut()
                .peek(max, &mut |bytes| Ok(bytes.len()));
        }
        peer.app.read_part(&mut peer.connection, now, max);
    }

    fn adjust_stream(&mut self, side: Side) {
        let (id, choice) = (self.stream(), self.script.byte());
        if let Some(peer) = self.peer(side) {
            let streams = peer.connection.streams_mut();
            let _ = streams.set_priority(id, choice % 10, choice & 16 != 0);
            streams.set_corked(id, choice & 32 != 0);
        }
    }

    fn send_datagram(&mut self, side: Side) {
        let len = self.script.number().min(3_000) as usize;
        if let Some(peer) = self.peer(side) {
            // Numbered as the applications number them.
            let mut bytes = vec![0x5a; len];
            bytes.iter_mut().take(4).for_each(|byte| *byte = 0);
            if bytes.len() >= 4 {
                if let Ok(chunk) = Chunk::try_from_slice(&bytes) {
                    let _ = peer.connection.send_datagram(chunk);
                }
            }
        }
    }

    fn update_keys(&mut self, side: Side) {
        let now = self.now;
        if let Some(peer) = self.peer(side) {
            let _ = peer.with(now, |connection, cx| connection.key_update(cx));
        }
    }

    fn migrate(&mut self, side: Side) {
        let (choice, now) = (self.script.byte(), self.now);
        let to = match choice % 4 {
            0 => client_addr(),
            1 => SocketAddr::from(([0; 16], 9)),
            _ => SocketAddr::from(([192, 0, 2, 1], 2_000 + u16::from(choice))),
        };
        if let Some(peer) = self.peer(side) {
            let _ = peer.with(now, |connection, cx| connection.migrate(cx, to));
        }
    }

    fn change_ids(&mut self, side: Side) {
        let (dest, now) = (self.script.flag(), self.now);
        let (active, prior_to) = (self.script.number(), self.script.number());
        if let Some(peer) = self.peer(side) {
            let _ = peer.with(now, |connection, cx| {
                connection.set_cids(cx, dest, active, prior_to)
            });
        }
    }

    /// Settings that may change at any time.
    fn adjust(&mut self, side: Side) {
        let choice = self.script.byte();
        let span = self.script.span();
        let rate = self.script.number();
        let segments = 1 + self.script.below(20);
        let Some(peer) = self.peer(side) else {
            return;
        };
        peer.segments = segments;
        let connection = &mut peer.connection;
        connection.set_nodelay(choice & 1 != 0);
        if choice & 2 != 0 {
            connection.set_max_pacing_rate((choice & 4 != 0).then_some(rate.max(10_000)));
        }
        if choice & 8 != 0 {
            // Below a second it would only be many PINGs.
            let interval = span.max(Duration::from_secs(1));
            connection.set_keep_alive((choice & 16 != 0).then_some(interval));
        }
    }

    /// An ICMP message that quotes a packet under way, or something that nobody has sent.
    fn drop_datagram_size(&mut self, side: Side) {
        let (max_payload, payload) = (self.script.number(), self.script.number());
        let mut quoted = self.script.bytes(60);
        // What the client sends is under way to the server.
        let packet = self.flying[usize::from(side.is_client())].back().cloned();
        let path = packet.as_ref().map(|packet| PathAddr {
            local: packet.src,
            remote: packet.dst,
        });
        if let (Some(packet), true) = (packet, quoted.is_empty()) {
            quoted = packet.bytes;
        }
        if let Some(peer) = self.peer(side) {
            let message = PacketTooBig {
                path: path.unwrap_or(peer.connection.path()),
                max_payload: max_payload.min(65_535) as u16,
                payload: payload.min(65_535) as u16,
                quoted: &quoted,
            };
            peer.connection.handle_packet_too_big(&message);
        }
    }

    fn offer_tokens(&mut self, side: Side) {
        let (token, now) = (self.script.bytes(700), self.now);
        let port = u16::from(self.script.byte());
        if let Some(peer) = self.peer(side) {
            let _ = peer.with(now, |connection, cx| {
                let _ = connection.set_token(&token);
                let _ = connection.issue_token(cx);
                let mut addr = server_addr();
                addr.set_port(port);
                connection.set_preferred_address(cx, addr)
            });
        }
    }

    fn close(&mut self, side: Side) {
        // Rarely: nothing happens afterwards.
        if self.script.byte() < 200 {
            return;
        }
        let (is_app, code) = (self.script.flag(), self.script.number() & ((1 << 62) - 1));
        let (reason, now) = (self.script.bytes(100), self.now);
        self.excuses.is_misused |= !is_app;
        if let Some(peer) = self.peer(side) {
            peer.with(now, |connection, cx| {
                connection.close(cx, is_app, code, &reason);
            });
        }
    }

    fn misuse_crypto(&mut self, side: Side) {
        let now = self.now;
        let (level, more) = (self.script.level(), self.script.flag());
        let bytes = self.script.bytes(2_000);
        self.excuses.is_misused = true;
        if let (Some(peer), Ok(chunk)) = (self.peer(side), Chunk::try_from_slice(&bytes)) {
            peer.with(now, |connection, cx| {
                let _ = connection.write_crypto(cx, level, chunk, more);
            });
            let mut sink = |part: &[u8]| Ok(part.len() / 2);
            let _ = peer.connection.read_crypto(700, more, &mut sink);
        }
    }

    fn misuse_secret(&mut self, side: Side) {
        let (level, send) = (self.script.level(), self.script.flag());
        let suites = [Suite::Aes128Gcm, Suite::Aes256Gcm, Suite::Aes128Ccm];
        let suite = suites[self.script.below(3)];
        let bytes = vec![self.script.byte(); [32, 48, 0, 33][self.script.below(4)]];
        let now = self.now;
        self.excuses.is_misused = true;
        if let Some(peer) = self.peer(side) {
            let secret = Secret {
                send,
                level,
                suite,
                bytes: &bytes,
            };
            let _ = peer.with(now, |connection, cx| connection.install_secret(cx, secret));
        }
    }

    fn misuse_params(&mut self, side: Side) {
        let (choice, now) = (self.script.below(4), self.now);
        let bytes = self.script.bytes(300);
        let other = TransportParams {
            initial_max_data: self.script.number() & ((1 << 62) - 1),
            max_idle_timeout: self.script.span(),
            active_connection_id_limit: 2 + self.script.number() % 20,
            ..params()
        };
        self.excuses.is_misused = true;
        if let Some(peer) = self.peer(side) {
            let _ = peer.with(now, |connection, cx| match choice {
                0 => connection.set_peer_params(cx, &bytes),
                1 => connection.set_local_params(&other),
                2 => connection.set_remembered_params(&other),
                _ => {
                    connection.reject_early(cx);
                    Ok(())
                }
            });
        }
    }

    fn toggle_reading(&mut self, side: Side) {
        if let Some(peer) = self.peer(side) {
            peer.app.plan.stalled = !peer.app.plan.stalled;
        }
    }

    /// What only looks.
    fn ask(&mut self, side: Side) {
        let id = self.stream();
        if let Some(peer) = self.peer(side) {
            let connection = &mut peer.connection;
            let streams = connection.streams();
            let _ = streams.sendable(id);
            let _ = (connection.info(), connection.cid_info(true));
            let _ = (connection.cid_info(false), connection.max_datagram_len());
            let mut params = [0; 100];
            let _ = connection.encode_params(&mut params);
        }
    }
}
