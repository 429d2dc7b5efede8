// SPDX-License-Identifier: GPL-2.0

//! Two endpoints, connected, that get packets of a peer that has the keys.

use std::net::SocketAddr;

use quic_core::buf::Chunk;
use quic_core::common::{
    ConnectionId,
    Dir,
    Instant,
    Side,
    Stats,
    Version, //
};
use quic_core::conn::{
    Info,
    State, //
};
use quic_core::packet::{
    protect,
    stateless, //
};
use quic_sim::net::{
    Link,
    Packet, //
};
use quic_sim::node::Setup;
use quic_sim::pair::Pair;
use quic_sim::peer::Peer;

use super::{
    addr, between,
    first::{
        negotiation,
        retry, //
    },
    kinds, open_short,
    opened::{
        seal,
        secret_of, //
    },
};

/// Two endpoints, connected and at rest, each with one stream of one byte.
pub struct Lab {
    pair: Pair,
    /// The connection ids that client and server send to.
    dcids: [Vec<u8>; 2],
    pn: u32,
}

impl Lab {
    pub fn new(seed: u64) -> Self {
        Self::with_setup(seed, Setup::default())
    }

    pub fn with_setup(seed: u64, mut setup: Setup) -> Self {
        // The applications do not read what they did not agree on.
        setup.plan.stalled = true;
        let mut server = setup.clone();
        server.config.stateless_reset = true;
        let mut pair = Pair::new(seed, Link::lossy(5, 0), &setup, server);
        assert!(pair.connect(10));
        pair.wait(quic_core::common::Duration::from_millis(500));
        let mut lab = Self {
            pair,
            dcids: [vec![], vec![]],
            pn: 1_000_000,
        };
        for side in [Side::Client, Side::Server] {
            lab.open_stream(side);
            let packets = lab.drive(side);
            let short = packets.iter().find(|packet| packet.bytes[0] & 0x80 == 0);
            let bytes = &short.expect("stream data").bytes;
            lab.dcids[usize::from(side.is_server())] = bytes[1..9].to_vec();
            for packet in packets {
                lab.deliver(side.peer(), packet.bytes);
            }
        }
        lab
    }

    /// Calls an endpoint.
    pub fn with<R>(&mut self, side: Side, call: impl FnOnce(&mut Peer, Instant) -> R) -> R {
        let now = self.pair.world.now;
        match side {
            Side::Client => call(&mut self.pair.client.borrow_mut().peer, now),
            Side::Server => call(&mut self.pair.server.borrow_mut().peers[0], now),
        }
    }

    /// A 1-RTT packet of `sender` with this first byte and payload, the next number in four bytes.
    pub fn forge(&mut self, sender: Side, first: u8, payload: &[u8]) -> Vec<u8> {
        self.pn += 1;
        let secret = secret_of(sender);
        let mut key = secret.packet_key(Version::V1).expect("key");
        let header_key = secret.header_key(Version::V1).expect("key");
        let mut packet = vec![first];
        packet.extend(&self.dcids[usize::from(sender.is_server())]);
        packet.extend(self.pn.to_be_bytes());
        packet.extend(payload);
        seal(&mut packet, 13, u64::from(self.pn), &mut key);
        protect::mask(&mut packet, 9, &header_key).expect("long enough");
        packet
    }

    /// Leaves out a packet number.
    pub fn skip_number(&mut self) {
        self.pn += 1;
    }

    /// Lets the peer of `sender` receive these frames.
    pub fn inject(&mut self, sender: Side, payload: &[u8]) {
        let packet = self.forge(sender, 0x43, payload);
        self.deliver(sender.peer(), packet);
    }

    pub fn deliver(&mut self, receiver: Side, bytes: Vec<u8>) {
        let packet = between(receiver.peer(), bytes);
        self.with(receiver, |peer, now| peer.receive(now, &packet));
    }

    /// Lets the server receive frames of the client from another address.
    pub fn inject_from(&mut self, src: SocketAddr, payload: &[u8]) {
        let bytes = self.forge(Side::Client, 0x43, payload);
        let packet = Packet {
            src,
            ..between(Side::Client, bytes)
        };
        self.with(Side::Server, |peer, now| peer.receive(now, &packet));
    }

    /// The client sends to another id of the server's from now on.
    pub fn use_id(&mut self, id: &ConnectionId) {
        self.dcids[usize::from(Side::Client.is_server())] = id.as_slice().to_vec();
    }

    /// Lets the server receive frames of its client at another address of its own.
    pub fn inject_at(&mut self, dst: SocketAddr, payload: &[u8]) {
        self.inject_over(addr(Side::Client), dst, payload);
    }

    /// Lets the server receive frames of its client over any path.
    pub fn inject_over(&mut self, src: SocketAddr, dst: SocketAddr, payload: &[u8]) {
        let bytes = self.forge(Side::Client, 0x43, payload);
        let packet = Packet {
            src,
            dst,
            ecn: 0,
            bytes,
        };
        self.with(Side::Server, |peer, now| peer.receive(now, &packet));
    }

    /// The number of the last packet that was forged.
    pub fn last_number(&self) -> u64 {
        self.pn.into()
    }

    /// Lets an endpoint send a byte of stream data.
    pub fn open_stream(&mut self, side: Side) {
        self.with(side, |peer, _| {
            let streams = peer.connection.streams_mut();
            let id = streams.open(None, Dir::Bidi).expect("a stream");
            let chunk = Chunk::try_from_slice(b"x").expect("memory");
            assert!(streams.queue(id, chunk, false).is_ok());
        });
    }

    /// Wants the ids below `prior_to` back that an endpoint has issued.
    pub fn retire_own_ids(&mut self, side: Side, prior_to: u64) {
        let result = self.with(side, |peer, now| {
            peer.with(now, |connection, cx| {
                connection.set_cids(cx, false, 0, prior_to)
            })
        });
        assert_eq!(result, Ok(()));
    }

    /// When an endpoint has something to do next.
    pub fn deadline(&mut self, side: Side) -> Option<Instant> {
        self.with(side, |peer, _| peer.connection.next_timeout())
    }

    /// What an endpoint tells of itself.
    pub fn info(&mut self, side: Side) -> Info {
        self.with(side, |peer, _| peer.connection.info())
    }

    /// Lets the client receive frames of the server from another address.
    pub fn inject_to_client_from(&mut self, src: SocketAddr, payload: &[u8]) {
        let bytes = self.forge(Side::Server, 0x43, payload);
        let packet = Packet {
            src,
            ..between(Side::Server, bytes)
        };
        self.with(Side::Client, |peer, now| peer.receive(now, &packet));
    }

    /// As [`Self::expire`], if the deadline is less than five seconds away: none of idleness.
    pub fn expire_soon(&mut self, side: Side) {
        let next = self.with(side, |peer, _| peer.connection.next_timeout());
        let soon = quic_core::common::Duration::from_secs(5);
        let end = self.pair.world.now.saturating_add(soon);
        if next.is_some_and(|next| next < end) {
            self.expire(side);
        }
    }

    /// Lets time pass for one endpoint until its next deadline, which is handled.
    pub fn expire(&mut self, side: Side) -> bool {
        let next = self.with(side, |peer, _| peer.connection.next_timeout());
        let Some(next) = next else {
            return false;
        };
        self.pair.world.now = self.pair.world.now.max(next);
        self.with(side, |peer, now| peer.timeout(now));
        true
    }

    pub fn now(&self) -> Instant {
        self.pair.world.now
    }

    /// What the endpoint has to send.
    pub fn drive(&mut self, side: Side) -> Vec<Packet> {
        let packets = self.with(side, |peer, now| {
            let packets = peer.drive(now, &mut |_| {});
            // What a test of millions of packets must not keep.
            peer.events.clear();
            peer.ids.truncate(64);
            packets
        });
        packets.into_iter().map(|(_, packet)| packet).collect()
    }

    /// The frames of a 1-RTT packet of `sender`.
    pub fn open(&self, sender: Side, bytes: &[u8]) -> Vec<u8> {
        open_short(sender, bytes)
    }

    /// The types of the frames of a 1-RTT packet of `sender`.
    pub fn kinds(&self, sender: Side, packet: &Packet) -> Vec<u64> {
        kinds(&open_short(sender, &packet.bytes))
    }

    /// The number of a 1-RTT packet of `sender`.
    pub fn number(&self, sender: Side, bytes: &[u8], expected: u64) -> u64 {
        let mut bytes = bytes.to_vec();
        let header_key = secret_of(sender).header_key(Version::V1).expect("key");
        let unmasked = protect::unmask(&mut bytes, 9, &header_key).expect("long enough");
        unmasked.number(expected)
    }

    /// Lets an endpoint write `len` bytes to its stream, as far as it has credit. Says whether the
    /// stream still takes any.
    pub fn write(&mut self, side: Side, len: usize) -> bool {
        self.with(side, |peer, _| {
            let streams = peer.connection.streams_mut();
            let id = streams.send_target(Dir::Bidi);
            let Ok(credit) = streams.sendable(id) else {
                return false;
            };
            let chunk = Chunk::try_from_slice(&vec![7; len.min(credit as usize)]);
            let queued = streams.queue(id, chunk.expect("memory"), false);
            queued.is_ok()
        })
    }

    pub fn state(&mut self, side: Side) -> State {
        self.with(side, |peer, _| peer.state())
    }

    /// The code the endpoint closed with, if it did.
    pub fn error(&mut self, side: Side) -> Option<u64> {
        self.with(side, |peer, _| {
            let info = peer.connection.close_info();
            info.map(|info| info.code)
        })
    }

    pub fn stats(&mut self, side: Side) -> Stats {
        self.with(side, |peer, _| peer.stats)
    }

    /// Connection ids that an endpoint has issued.
    pub fn ids(&mut self, side: Side) -> Vec<(u64, ConnectionId)> {
        self.with(side, |peer, _| peer.ids.clone())
    }

    pub fn migrate(
        &mut self,
        side: Side,
        local: SocketAddr,
    ) -> Result<(), quic_core::common::error::Error> {
        self.with(side, |peer, now| {
            peer.with(now, |connection, cx| connection.migrate(cx, local))
        })
    }

    pub fn key_phase(&mut self, side: Side) -> bool {
        self.with(side, |peer, _| peer.connection.info().key_phase)
    }

    /// Where an endpoint sends.
    pub fn remote(&mut self, side: Side) -> SocketAddr {
        self.with(side, |peer, _| peer.remote())
    }

    /// Packets opened so far.
    pub fn opened(&mut self, side: Side) -> u64 {
        self.stats(side).pkt_in
    }

    /// The token of the id that the client sends to.
    pub fn reset_token_of_server(&self) -> [u8; 16] {
        let id = ConnectionId::new(&self.dcids[0]).expect("length");
        stateless::reset_token(&Setup::default().config.reset_key, &id)
    }

    /// A Version Negotiation packet to the client.
    pub fn version_negotiation(&self, versions: &[u32]) -> Vec<u8> {
        negotiation(&self.dcids[1], &self.dcids[0], versions)
    }

    /// A Retry packet to the client.
    pub fn retry(&self, version: Version) -> Vec<u8> {
        let id = |bytes: &[u8]| ConnectionId::new(bytes).expect("length");
        let (client, server) = (id(&self.dcids[1]), id(&self.dcids[0]));
        retry(version, &client, &server, &id(&[0x55; 8]), b"token")
    }
}
