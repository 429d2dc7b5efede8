// SPDX-License-Identifier: GPL-2.0

//! Two ends of a connection as far as streams go, joined by packets that a test carries, loses,
//! repeats and reorders.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod batches;
mod bound;
mod early;
mod errnos;
mod events;
mod fairness;
mod flow;
mod limits;
mod memory;
mod order;
mod reset_at;
mod reset_crossing;
mod resets;
mod transfer;
mod violations;

use super::*;
use crate::{
    aead::TAG_LEN,
    buf::{
        Chunk,
        Datagram, //
    },
    common::{
        cursor::Reader,
        cx::{
            Cx,
            Stats, //
        },
        error::{
            Error,
            ErrorCode,
            TransportError, //
        },
        id::{
            ConnectionId,
            Dir,
            Level,
            Version, //
        },
        rng::Rng,
        time::Instant,
        token::Token, //
    },
    conn::event::{
        Event,
        EventMask,
        Events,
        Wake, //
    },
    frame::{
        Frame,
        StreamFrame, //
    },
    inqueue::Readable,
    packet::{
        OutHeader,
        PacketBuilder, //
    },
};
use std::vec::Vec;

/// Room for frames in a packet of a test.
const PACKET: usize = 1200;

/// Randomness that streams do not use.
struct NoRng;

impl Rng for NoRng {
    fn fill(&mut self, bytes: &mut [u8]) {
        bytes.fill(0);
    }

    fn u64(&mut self) -> u64 {
        0
    }
}

/// Limits as the tests announce them: small, so that they are met.
fn params(window: u64, streams: u64) -> TransportParams {
    TransportParams {
        initial_max_data: 4 * window,
        initial_max_stream_data_bidi_local: window,
        initial_max_stream_data_bidi_remote: window,
        initial_max_stream_data_uni: window,
        initial_max_streams_bidi: streams,
        initial_max_streams_uni: streams,
        ..TransportParams::default()
    }
}

/// What went into one packet.
#[derive(Clone, Debug)]
struct Packet {
    payload: Vec<u8>,
    tokens: Vec<Token>,
}

impl Packet {
    fn of(frames: &[Frame<'_>]) -> Self {
        let mut payload = std::vec![0; 4096];
        let mut writer = crate::common::cursor::Writer::new(&mut payload);
        for frame in frames {
            frame.encode(&mut writer).unwrap();
        }
        let len = writer.position();
        payload.truncate(len);
        Self {
            payload,
            tokens: Vec::new(),
        }
    }

    /// Its frames, without the padding that gives a packet enough bytes to sample, and without
    /// the place of stream data in the packet.
    fn frames(&self) -> Vec<Frame<'_>> {
        let mut reader = Reader::new(&self.payload);
        let mut frames = Vec::new();
        while !reader.is_empty() {
            match Frame::parse(&mut reader).unwrap() {
                Frame::Padding { .. } => {}
                Frame::Stream(frame) => frames.push(Frame::Stream(StreamFrame { at: 0, ..frame })),
                frame => frames.push(frame),
            }
        }
        frames
    }
}

/// The token the builder remembers for a frame.
fn token_of(frame: &Frame<'_>) -> Option<Token> {
    Some(match *frame {
        Frame::Stream(StreamFrame {
            id,
            offset,
            fin,
            data,
            ..
        }) => Token::Stream {
            id,
            off: offset,
            len: data.len() as u32,
            fin,
        },
        Frame::ResetStream { id, .. } => Token::ResetStream { id, reliable: 0 },
        Frame::ResetStreamAt {
            id, reliable_size, ..
        } => Token::ResetStream {
            id,
            reliable: reliable_size,
        },
        Frame::StopSending { id, .. } => Token::StopSending { id },
        Frame::MaxData { max } => Token::MaxData { max },
        Frame::MaxStreamData { id, max } => Token::MaxStreamData { id, max },
        Frame::MaxStreams { dir, max } => Token::MaxStreams { dir, max },
        Frame::DataBlocked { limit } => Token::DataBlocked { limit },
        Frame::StreamDataBlocked { id, limit } => Token::StreamDataBlocked { id, limit },
        Frame::StreamsBlocked { dir, limit } => Token::StreamsBlocked { dir, limit },
        Frame::Padding { .. } => return None,
        ref other => panic!("unexpected frame {other:?}"),
    })
}

impl Streams {
    /// State of the sending part of a stream that exists.
    fn send_state(&self, id: StreamId) -> Option<SendState> {
        Some(self.table.get(id)?.send.as_ref()?.state())
    }

    /// State of the receiving part of a stream that exists.
    fn recv_state(&self, id: StreamId) -> Option<RecvState> {
        Some(self.table.get(id)?.recv.as_ref()?.state())
    }

    /// Stream bytes of the connection since the start: queued, received, read.
    fn totals(&self) -> (u64, u64, u64) {
        let (sent, received) = (&self.send_credit, &self.recv_credit);
        (sent.used(), received.received(), received.consumed())
    }
}

/// One end.
struct End {
    streams: Streams,
    events: Events,
    now: Instant,
}

impl End {
    fn new(side: Side, local: &TransportParams) -> Self {
        Self {
            streams: Streams::new(side, local, Pinned::try_new().unwrap()),
            events: Events::new(EventMask::ALL),
            now: Instant::ZERO,
        }
    }

    /// Both ends with the same limits, ready for 1-RTT.
    fn pair(local: &TransportParams) -> (End, End) {
        let mut client = End::new(Side::Client, local);
        let mut server = End::new(Side::Server, local);
        for end in [&mut client, &mut server] {
            end.streams.set_peer_params(local);
            end.streams.on_app_send_keys();
        }
        (client, server)
    }

    fn open(&mut self, dir: Dir) -> StreamId {
        self.streams.open(None, dir).unwrap()
    }

    fn write(&mut self, id: StreamId, bytes: &[u8], fin: bool) -> Result<(), Error> {
        let chunk = Chunk::try_from_slice(bytes).unwrap();
        let queued = self.streams.queue(id, chunk, fin);
        queued.map_err(|(error, _)| error)
    }

    /// Makes one packet of what is due, or none.
    fn transmit(&mut self) -> Option<Packet> {
        self.transmit_within(PACKET)
    }

    fn transmit_within(&mut self, room: usize) -> Option<Packet> {
        let mut buffer = std::vec![0; room + 2 + TAG_LEN];
        let header = OutHeader {
            level: Level::App,
            version: Version::V1,
            dcid: &ConnectionId::EMPTY,
            scid: &ConnectionId::EMPTY,
            token: &[],
            pn: 1,
            largest_acked: Some(0),
            key_phase: false,
            spin: false,
            fixed_bit: true,
        };
        let mut builder = PacketBuilder::new(&mut buffer, &header).unwrap();
        let start = builder.len() - TAG_LEN;
        self.streams.write_control(&mut builder);
        self.streams.write_data(&mut builder);
        if builder.is_empty() {
            return None;
        }
        let end = builder.len() - TAG_LEN;
        let unsealed = builder.finish();
        let tail = unsealed.tail();
        let mut payload = Vec::new();
        if let Some(tail) = tail {
            payload.extend_from_slice(&buffer[start..end - tail.len]);
            let mut slices = [&[][..]; MAX_SEGMENTS];
            let count = self
                .streams
                .segments(tail.id, tail.offset, tail.len, &mut slices);
            payload.extend(slices[..count].concat());
        } else {
            payload.extend_from_slice(&buffer[start..end]);
        }
        assert_eq!(payload.len(), end - start);
        let mut packet = Packet {
            payload,
            tokens: Vec::new(),
        };
        packet.tokens = packet.frames().iter().filter_map(token_of).collect();
        Some(packet)
    }

    /// All packets that are due.
    fn transmit_all(&mut self) -> Vec<Packet> {
        core::iter::from_fn(|| self.transmit()).collect()
    }

    /// Takes a packet; returns whether it may be acknowledged.
    fn receive(&mut self, packet: &Packet) -> Result<bool, TransportError> {
        let datagram = Datagram::try_from_slice(&packet.payload).unwrap();
        self.receive_from(&datagram)
    }

    fn receive_from(&mut self, datagram: &Datagram) -> Result<bool, TransportError> {
        let mut reader = Reader::new(datagram.bytes());
        while !reader.is_empty() {
            let frame = Frame::parse(&mut reader)?;
            self.dispatch(&frame, datagram)?;
        }
        self.streams.on_datagram_end();
        Ok(!self.streams.take_refused())
    }

    fn dispatch(&mut self, frame: &Frame<'_>, datagram: &Datagram) -> Result<(), TransportError> {
        let mut stats = Stats::default();
        let mut cx = Cx {
            now: self.now,
            rng: &mut NoRng,
            stats: &mut stats,
        };
        let Self {
            streams, events, ..
        } = self;
        match *frame {
            Frame::Stream(ref frame) => streams.on_stream(&mut cx, frame, datagram, 0, events),
            Frame::ResetStream {
                id,
                code,
                final_size,
            } => streams.on_reset_stream(id, code, final_size, events),
            Frame::ResetStreamAt {
                id,
                code,
                final_size,
                reliable_size,
            } => streams.on_reset_stream_at(id, code, final_size, reliable_size, events),
            Frame::StopSending { id, code } => streams.on_stop_sending(id, code, events),
            Frame::MaxStreamData { id, max } => streams.on_max_stream_data(id, max, events),
            Frame::MaxStreams { dir, max } => streams.on_max_streams(dir, max, events),
            Frame::StreamDataBlocked { id, limit } => {
                streams.on_stream_data_blocked(id, limit, events)
            }
            Frame::StreamsBlocked { dir, limit } => streams.on_streams_blocked(dir, limit),
            Frame::MaxData { max } => {
                streams.on_max_data(max, events);
                Ok(())
            }
            Frame::DataBlocked { limit } => {
                streams.on_data_blocked(limit);
                Ok(())
            }
            Frame::Padding { .. } => Ok(()),
            ref other => panic!("unexpected frame {other:?}"),
        }
    }

    fn on_acked(&mut self, packet: &Packet) {
        for token in &packet.tokens {
            self.streams.on_acked(token, &mut self.events);
        }
    }

    fn on_lost(&mut self, packet: &Packet) {
        for token in &packet.tokens {
            self.streams.on_lost(token);
        }
    }

    /// Reads what comes next, at most `max` bytes.
    fn read(&mut self, max: u64) -> Result<(ReadOutcome, Vec<u8>), Error> {
        let mut all = Vec::new();
        let outcome = self.streams.read(self.now, max, &mut |bytes| {
            all.extend_from_slice(bytes);
            Ok(bytes.len())
        })?;
        assert_eq!(outcome.bytes, all.len() as u64);
        Ok((outcome, all))
    }

    /// Reads everything of the stream that comes next.
    fn read_stream(&mut self) -> (StreamId, Vec<u8>, bool) {
        let (outcome, bytes) = self.read(u64::MAX).unwrap();
        match outcome.what {
            Readable::Stream { id } => (id, bytes, outcome.is_end),
            Readable::Datagram => panic!("a datagram"),
        }
    }

    fn take_events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.events.pop()).collect()
    }

    /// The stream updates since the last call, as (id, state, error code, final size).
    fn updates(&mut self) -> Vec<(StreamId, u8, u64, u64)> {
        let events = self.take_events();
        let updates = events.iter().filter_map(|event| match *event {
            Event::StreamUpdate {
                id,
                state,
                errcode,
                finalsz,
            } => Some((id, state, errcode, finalsz)),
            _ => None,
        });
        updates.collect()
    }

    fn take_wake(&mut self) -> Wake {
        self.events.take_wake()
    }
}

/// Carries packets both ways without loss until nobody has any more.
fn settle(a: &mut End, b: &mut End) {
    loop {
        let from_a = a.transmit_all();
        for packet in &from_a {
            assert!(b.receive(packet).unwrap());
            a.on_acked(packet);
        }
        let from_b = b.transmit_all();
        for packet in &from_b {
            assert!(a.receive(packet).unwrap());
            b.on_acked(packet);
        }
        if from_a.is_empty() && from_b.is_empty() {
            return;
        }
    }
}

fn stream_frame(id: StreamId, offset: u64, data: &[u8], fin: bool) -> Frame<'_> {
    Frame::Stream(StreamFrame {
        id,
        offset,
        fin,
        data,
        at: 0,
    })
}

const fn client_bidi(index: u64) -> StreamId {
    StreamId::new(Side::Client, Dir::Bidi, index)
}

const fn client_uni(index: u64) -> StreamId {
    StreamId::new(Side::Client, Dir::Uni, index)
}

const fn server_bidi(index: u64) -> StreamId {
    StreamId::new(Side::Server, Dir::Bidi, index)
}

const fn server_uni(index: u64) -> StreamId {
    StreamId::new(Side::Server, Dir::Uni, index)
}

/// The code of a connection error.
fn code<T: core::fmt::Debug>(result: Result<T, TransportError>) -> ErrorCode {
    result.unwrap_err().code
}
