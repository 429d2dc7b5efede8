// SPDX-License-Identifier: GPL-2.0

//! Explicit congestion notification: RFC 9000 section 13.4 and appendix A.4.
//!
//! A path is tested with a few packets marked ECT(0). It is used if the counts that the peer
//! reports are consistent with what was sent, and given up for good when they are not. The counts
//! belong to a packet number space and survive a change of path; the verdict belongs to the path.

#![forbid(unsafe_code)]

pub use crate::frame::EcnCounts;

/// The ECN field of an IP header, with its code points as values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Ecn {
    /// Not ECN-capable transport.
    #[default]
    NotEct = 0,
    /// ECT(1).
    Ect1 = 1,
    /// ECT(0), the one this stack sends.
    Ect0 = 2,
    /// Congestion experienced.
    Ce = 3,
}

impl Ecn {
    /// From the two low bits of the traffic class or type-of-service octet.
    pub const fn from_bits(tos: u8) -> Self {
        match tos & 3 {
            0 => Self::NotEct,
            1 => Self::Ect1,
            2 => Self::Ect0,
            _ => Self::Ce,
        }
    }
}

/// Counts one received packet. RFC 9000 13.4.1 #1
pub fn count(counts: &mut EcnCounts, ecn: Ecn) {
    let field = match ecn {
        Ecn::NotEct => return,
        Ecn::Ect0 => &mut counts.ect0,
        Ecn::Ect1 => &mut counts.ect1,
        Ecn::Ce => &mut counts.ce,
    };
    *field = field.saturating_add(1);
}

/// The counts of one packet number space, on the side that sent the packets.
#[derive(Debug, Clone, Copy, Default)]
pub struct SpaceEcn {
    /// Packets sent as ECT(0) in this space, on any path.
    pub sent: u64,
    /// The latest counts that the peer reported.
    pub reported: EcnCounts,
}

/// What is known of the path's treatment of the ECN field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcnState {
    /// Packets are marked to test the path.
    Testing,
    /// Enough test packets are out; nothing is marked until one of them is acknowledged.
    Unknown,
    /// Validated: packets are marked.
    Capable,
    /// Validation failed, or ECN is switched off: packets are not marked.
    Failed,
}

/// Test packets sent before the verdict: appendix A.4 of RFC 9000.
const TEST_PACKETS: u32 = 10;

/// Test packets that may be lost, all of them and nothing else acknowledged, before the path is
/// taken to drop marked packets.
const TEST_LOSSES: u32 = TEST_PACKETS;

/// What an ACK frame says about the packets that it newly acknowledges.
#[derive(Debug, Clone, Copy, Default)]
pub struct EcnSample {
    /// Counts carried by the frame, if it carries any.
    pub counts: Option<EcnCounts>,
    /// Newly acknowledged packets that were sent as ECT(0) on the active path.
    pub newly_acked: u64,
    /// Whether the frame increased the largest acknowledged packet number.
    pub is_newest: bool,
}

/// Result of looking at one ACK frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EcnVerdict {
    /// Nothing to react to.
    Quiet,
    /// The CE count went up: a congestion event.
    Congestion,
    /// The counts make no sense; marking has stopped.
    Failed,
}

/// ECN of the active path.
#[derive(Debug, Clone)]
pub struct EcnPath {
    state: EcnState,
    tested: u32,
    lost: u32,
}

impl EcnPath {
    /// A path to be tested, or one that is never marked.
    pub const fn new(enabled: bool) -> Self {
        let state = if enabled {
            EcnState::Testing
        } else {
            EcnState::Failed
        };
        Self {
            state,
            tested: 0,
            lost: 0,
        }
    }

    /// The state of validation.
    pub fn state(&self) -> EcnState {
        self.state
    }

    /// The mark for the next packet on the path.
    pub fn mark(&self) -> Ecn {
        match self.state {
            EcnState::Testing | EcnState::Capable => Ecn::Ect0,
            EcnState::Unknown | EcnState::Failed => Ecn::NotEct,
        }
    }

    /// A packet marked ECT(0) left on this path.
    pub fn on_sent(&mut self) {
        if self.state == EcnState::Testing {
            self.tested = self.tested.saturating_add(1);
            if self.tested >= TEST_PACKETS {
                self.state = EcnState::Unknown;
            }
        }
    }

    /// A marked packet of this path was declared lost. A path that swallows every test packet is
    /// not marked again: appendix A.4.
    pub fn on_lost(&mut self) {
        if matches!(self.state, EcnState::Testing | EcnState::Unknown) {
            self.lost = self.lost.saturating_add(1);
            if self.lost >= TEST_LOSSES {
                self.state = EcnState::Failed;
            }
        }
    }

    /// Checks an ACK frame: RFC 9000 13.4.2.1.
    pub fn on_ack(&mut self, space: &mut SpaceEcn, sample: &EcnSample) -> EcnVerdict {
        // RFC 9000 13.4.2.1 #1
        if !sample.is_newest {
            return EcnVerdict::Quiet;
        }
        let Some(counts) = sample.counts else {
            if sample.newly_acked > 0 {
                return self.fail();
            }
            return EcnVerdict::Quiet;
        };
        let last = space.reported;
        space.reported = counts;
        if self.state == EcnState::Failed {
            return EcnVerdict::Quiet;
        }
        if !is_consistent(&last, &counts, sample.newly_acked, space.sent) {
            return self.fail();
        }
        if sample.newly_acked > 0 {
            // RFC 9000 13.4.2.2 #3
            self.state = EcnState::Capable;
        }
        if counts.ce > last.ce {
            EcnVerdict::Congestion
        } else {
            EcnVerdict::Quiet
        }
    }

    /// RFC 9000 13.4.2.2 #1, RFC 9000 13.4.2.2 #4
    fn fail(&mut self) -> EcnVerdict {
        if self.state == EcnState::Failed {
            return EcnVerdict::Quiet;
        }
        self.state = EcnState::Failed;
        EcnVerdict::Failed
    }
}

/// Whether `counts` may follow `last` when `newly_acked` marked packets are newly acknowledged
/// and `sent` packets were ever marked.
fn is_consistent(last: &EcnCounts, counts: &EcnCounts, newly_acked: u64, sent: u64) -> bool {
    let (Some(ect0), Some(ce)) = (
        counts.ect0.checked_sub(last.ect0),
        counts.ce.checked_sub(last.ce),
    ) else {
        return false;
    };
    // Re-marking to ECT(1) never happens on a sound path, since nothing is sent as ECT(1).
    let is_foreign = counts.ect1 > 0;
    let is_bleached = ect0.saturating_add(ce) < newly_acked;
    let is_inflated = counts.ect0.saturating_add(counts.ce) > sent;
    !(is_foreign || is_bleached || is_inflated)
}
