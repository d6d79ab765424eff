//! Sending one message to many connections.
//!
//! What a turn sends to a set is framed once, and compressed once for each way of compressing
//! that its members have agreed on; then one pass over the members writes it. A member that has
//! nothing else waiting is written to at once, from the same bytes as all the others.

use std::collections::HashMap;
use std::io::{self, IoSlice};

use bytes::Bytes;
use eyewall_proto::h1::{PieceFraming, chunk};
use eyewall_proto::ws::deflate::Strength;
use eyewall_proto::ws::{Kind, WORTH_DEFLATING, frame};

use crate::conn::{Conn, Proto};
use crate::exchange::{ExchangeId, Payload};
use crate::host::{Host, Notice, NoticeKind};
use crate::reactor::{Reactor, Shared, find};

/// What becomes of a member for whom too much waits already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlowPolicy {
    /// The message is not sent to it.
    Drop,
    /// Its connection is cut.
    Disconnect,
    /// It gets the latest message only, once there is room. A stream gets none.
    Latest,
}

/// Members that are looked at before the first of them is written to.
const AHEAD: usize = 32;

/// Names a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanoutKey(pub(crate) u32);

/// What is sent to a set's members.
#[derive(Clone, Debug)]
pub struct Shipment {
    /// For the WebSockets.
    pub message: Option<(Kind, Bytes)>,
    /// For the streamed answers: bytes as they are.
    pub piece: Option<Bytes>,
}

#[derive(Debug)]
pub(crate) struct Fanout {
    members: Vec<ExchangeId>,
    places: HashMap<ExchangeId, usize>,
    slow: SlowPolicy,
    max_queue: usize,
}

/// All sets of a reactor, and what is to be sent to them at the end of the turn.
#[derive(Debug, Default)]
pub(crate) struct Fanouts {
    sets: slab::Slab<Fanout>,
    pending: Vec<(FanoutKey, Shipment)>,
}

impl Fanout {
    fn remove(&mut self, id: ExchangeId) {
        if let Some(place) = self.places.remove(&id) {
            self.members.swap_remove(place);
            if let Some(moved) = self.members.get(place) {
                self.places.insert(*moved, place);
            }
        }
    }
}

/// What some shipments are on the wire, made when first wanted.
struct Frames<'a> {
    shipments: &'a [Shipment],
    /// All of them, by the way of compressing.
    all: Vec<(Option<Strength>, Bytes)>,
    /// The last of them alone.
    last: Vec<(Option<Strength>, Bytes)>,
    pieces: Option<Bytes>,
    chunk: Option<Bytes>,
}

impl<'a> Frames<'a> {
    fn new(shipments: &'a [Shipment]) -> Self {
        Self {
            shipments,
            all: Vec::new(),
            last: Vec::new(),
            pieces: None,
            chunk: None,
        }
    }

    fn all(&mut self, strength: Option<Strength>) -> Bytes {
        if let Some((_, bytes)) = self.all.iter().find(|(known, _)| *known == strength) {
            return bytes.clone();
        }
        let bytes = encode(self.shipments, strength);
        self.all.push((strength, bytes.clone()));
        bytes
    }

    fn last(&mut self, strength: Option<Strength>) -> Bytes {
        if let Some((_, bytes)) = self.last.iter().find(|(known, _)| *known == strength) {
            return bytes.clone();
        }
        let at = self
            .shipments
            .iter()
            .rposition(|shipment| shipment.message.is_some());
        let last = at.and_then(|at| self.shipments.get(at..=at));
        let bytes = encode(last.unwrap_or_default(), strength);
        self.last.push((strength, bytes.clone()));
        bytes
    }

    fn chunk(&mut self) -> Bytes {
        if self.chunk.is_none() {
            self.chunk = Some(chunk(&self.pieces()).into());
        }
        self.chunk.clone().unwrap_or_default()
    }

    fn pieces(&mut self) -> Bytes {
        self.pieces
            .get_or_insert_with(|| {
                let mut pieces = self.shipments.iter().filter_map(|s| s.piece.as_ref());
                match (pieces.next(), pieces.next()) {
                    (Some(only), None) => only.clone(),
                    _ => self
                        .shipments
                        .iter()
                        .filter_map(|shipment| shipment.piece.as_deref())
                        .collect::<Vec<_>>()
                        .concat()
                        .into(),
                }
            })
            .clone()
    }
}

fn encode(shipments: &[Shipment], strength: Option<Strength>) -> Bytes {
    let mut out = Vec::new();
    for (kind, data) in shipments.iter().filter_map(|s| s.message.as_ref()) {
        match strength.filter(|_| data.len() >= WORTH_DEFLATING) {
            Some(strength) => frame(&mut out, *kind, true, &strength.deflate(data)),
            None => frame(&mut out, *kind, false, data),
        }
    }
    out.into()
}

/// What became of one member.
enum Sent {
    /// It has the message, or is not to get it.
    Done,
    /// The message is in its queue.
    Queued,
    /// It is over.
    Gone,
    /// Too much waits for it.
    Slow,
}

impl<H: Host> Reactor<H> {
    /// An empty set; members for whom more than `max_queue` bytes wait are slow.
    pub fn add_fanout(&self, slow: SlowPolicy, max_queue: usize) -> FanoutKey {
        let key = self.fanouts.borrow_mut().sets.insert(Fanout {
            members: Vec::new(),
            places: HashMap::new(),
            slow,
            max_queue,
        });
        FanoutKey(u32::try_from(key).unwrap_or(u32::MAX))
    }

    /// Forget a set, after what was sent to it has gone.
    pub fn remove_fanout(&self, key: FanoutKey) {
        self.distribute(false);
        self.fanouts.borrow_mut().sets.try_remove(key.0 as usize);
    }

    /// Let a WebSocket or a streamed answer be a member.
    pub fn join_fanout(&self, key: FanoutKey, id: ExchangeId) {
        self.distribute(false);
        if let Some(set) = self.fanouts.borrow_mut().sets.get_mut(key.0 as usize)
            && !set.places.contains_key(&id)
        {
            set.places.insert(id, set.members.len());
            set.members.push(id);
        }
    }

    /// Let it be one no longer.
    pub fn leave_fanout(&self, key: FanoutKey, id: ExchangeId) {
        self.distribute(false);
        if let Some(set) = self.fanouts.borrow_mut().sets.get_mut(key.0 as usize) {
            set.remove(id);
        }
    }

    /// Members that are still there.
    pub fn fanout_len(&self, key: FanoutKey) -> usize {
        self.distribute(false);
        let mut fanouts = self.fanouts.borrow_mut();
        let Some(set) = fanouts.sets.get_mut(key.0 as usize) else {
            return 0;
        };
        let mut conns = self.conns.borrow_mut();
        let gone: Vec<ExchangeId> = set
            .members
            .iter()
            .copied()
            .filter(|id| find(&mut conns, id.conn).is_none_or(|conn| !conn.can_take(*id)))
            .collect();
        for id in gone {
            set.remove(id);
        }
        set.members.len()
    }

    /// Send to all members at the end of the turn; returns how many there are.
    pub fn ship(&self, key: FanoutKey, shipment: Shipment) -> usize {
        let members = {
            let mut fanouts = self.fanouts.borrow_mut();
            let Some(members) = fanouts
                .sets
                .get(key.0 as usize)
                .map(|set| set.members.len())
            else {
                return 0;
            };
            if members > 0 {
                fanouts.pending.push((key, shipment));
            }
            members
        };
        self.schedule();
        members
    }

    /// Whether something waits for [`distribute`](Self::distribute).
    pub(crate) fn has_shipments(&self) -> bool {
        !self.fanouts.borrow().pending.is_empty()
    }

    /// Hand all shipments to their members, in order; at the end of a turn, write them too.
    pub(crate) fn distribute(&self, settling: bool) {
        if !self.has_shipments() {
            return;
        }
        let pending = std::mem::take(&mut self.fanouts.borrow_mut().pending);
        let mut slow = Vec::new();
        // Members of several sets get everything in one write; otherwise a queue is a detour.
        let only = pending.first().map(|(key, _)| *key);
        let at_once = settling && pending.iter().all(|(key, _)| Some(*key) == only);
        for run in pending.chunk_by(|(one, _), (other, _)| one == other) {
            let Some((key, _)) = run.first() else {
                continue;
            };
            let shipments: Vec<Shipment> = run.iter().map(|(_, s)| s.clone()).collect();
            self.distribute_run(*key, &shipments, at_once, &mut slow);
        }
        for id in slow {
            self.cut_slow_member(id);
        }
        if !settling {
            self.schedule();
        }
    }

    fn distribute_run(
        &self,
        key: FanoutKey,
        shipments: &[Shipment],
        at_once: bool,
        slow: &mut Vec<ExchangeId>,
    ) {
        let mut fanouts = self.fanouts.borrow_mut();
        let Some(set) = fanouts.sets.get_mut(key.0 as usize) else {
            return;
        };
        let mut conns = self.conns.borrow_mut();
        let mut dirty = self.dirty.borrow_mut();
        let mut frames = Frames::new(shipments);
        let mut gone = Vec::new();
        for some in set.members.chunks(AHEAD) {
            // The loads of several members' memory overlap here. One by one, each would have to
            // wait, with caches that a system call has just filled with its own.
            let mut glances = [None; AHEAD];
            for (glance, id) in glances.iter_mut().zip(some) {
                *glance = find(&mut conns, id.conn).and_then(|conn| conn.glance(*id));
            }
            for (glance, id) in glances.iter().zip(some) {
                let found = find(&mut conns, id.conn).zip(*glance);
                let outcome = found.map_or(Sent::Gone, |(conn, is_idle)| {
                    let at_once = at_once && is_idle;
                    let limits = (set.slow, set.max_queue);
                    let outcome =
                        conn.take_shipment(&self.shared, *id, &mut frames, limits, at_once);
                    if let Sent::Queued = outcome
                        && !conn.dirty
                    {
                        conn.dirty = true;
                        dirty.push(id.conn);
                    }
                    outcome
                });
                match outcome {
                    Sent::Done | Sent::Queued => {}
                    Sent::Gone => gone.push(*id),
                    Sent::Slow => {
                        slow.push(*id);
                        gone.push(*id);
                    }
                }
            }
        }
        for id in gone {
            set.remove(id);
        }
    }

    fn cut_slow_member(&self, id: ExchangeId) {
        let notice = find(&mut self.conns.borrow_mut(), id.conn).map(|conn| Notice {
            kind: NoticeKind::Aborted,
            server: conn.server.key,
            peer: conn.info.peer_text(),
            text: "the peer is too slow for what is sent to many: cut".to_owned(),
        });
        if let Some(notice) = notice {
            self.shared.notice(notice);
        }
        if !self.end_ws(id, "the peer is too slow for what is sent to many") {
            self.abort(id);
        }
    }
}

impl<C> Conn<C> {
    /// What waits to be sent on this exchange, in bytes.
    pub(crate) fn queued(&self, id: ExchangeId) -> usize {
        match &self.proto {
            Proto::H2(h2) => h2.queued(id.stream),
            _ => self.out.len(),
        }
    }

    /// Whether a message can be sent to this WebSocket or streamed answer.
    fn can_take(&self, id: ExchangeId) -> bool {
        match &self.proto {
            Proto::Ws(ws) => ws.stream == id.stream && ws.is_open(),
            Proto::H1(h1) => h1.stream == id.stream && h1.is_active(),
            Proto::H2(h2) => h2.has_open_socket(id.stream) || h2.has_stream(id.stream),
            Proto::Start(_) => false,
        }
    }

    /// Whether nothing waits and a write would go straight to the socket; nothing where the
    /// exchange is over.
    fn glance(&self, id: ExchangeId) -> Option<bool> {
        self.can_take(id)
            .then(|| self.out.is_empty() && !self.transport.is_tls())
    }

    fn take_shipment<H: Host<Callback = C>>(
        &mut self,
        shared: &Shared<H>,
        id: ExchangeId,
        frames: &mut Frames<'_>,
        (slow, max_queue): (SlowPolicy, usize),
        at_once: bool,
    ) -> Sent {
        let is_slow = !at_once && self.queued(id) > max_queue;
        let socket = match &mut self.proto {
            Proto::Ws(ws) => Some(ws.as_mut()),
            Proto::H2(h2) => h2.socket(id.stream),
            _ => None,
        };
        match (socket, slow) {
            (Some(ws), SlowPolicy::Latest) if is_slow || ws.latest.is_some() => {
                let strength = ws.share();
                ws.latest = Some(frames.last(strength)).filter(|bytes| !bytes.is_empty());
                return Sent::Done;
            }
            (_, SlowPolicy::Drop | SlowPolicy::Latest) if is_slow => return Sent::Done,
            (_, SlowPolicy::Disconnect) if is_slow => return Sent::Slow,
            (Some(ws), _) => {
                let strength = ws.share();
                let bytes = frames.all(strength);
                return self.write_shared(id, bytes, at_once);
            }
            _ => {}
        }
        let piece = frames.pieces();
        if piece.is_empty() {
            return Sent::Done;
        }
        if let Proto::H1(h1) = &self.proto
            && let Some(framing) = h1.codec.piece_framing()
        {
            let bytes = match framing {
                PieceFraming::Chunk => frames.chunk(),
                PieceFraming::Bare => piece,
            };
            return self.write_shared(id, bytes, at_once);
        }
        let written = match &mut self.proto {
            Proto::H1(h1) => h1
                .codec
                .data(self.out.tail(&shared.pool), &piece)
                .map_err(Into::into),
            Proto::H2(h2) => h2.write(id.stream, Payload::Owned(piece)),
            Proto::Ws(_) | Proto::Start(_) => Ok(()),
        };
        // An answer that was not begun, or is complete, takes nothing.
        if written.is_ok() {
            Sent::Queued
        } else {
            Sent::Gone
        }
    }

    /// Write to a connection that has nothing waiting; what it does not take now is queued.
    fn write_shared(&mut self, id: ExchangeId, mut bytes: Bytes, at_once: bool) -> Sent {
        if bytes.is_empty() {
            return Sent::Done;
        }
        if let Proto::H2(h2) = &mut self.proto {
            // A stream that is over takes nothing, and its socket is told.
            let _ = h2.write(id.stream, Payload::Owned(bytes));
            return Sent::Queued;
        }
        if at_once {
            match self.transport.write_vectored(&[IoSlice::new(&bytes)]) {
                Ok(count) if count == bytes.len() => return Sent::Done,
                Ok(count) => drop(bytes.split_to(count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // The same error comes again when the queue is written, and ends the connection.
                Err(_) => {}
            }
        }
        self.out.push(bytes);
        Sent::Queued
    }
}
