//! One request and what has come of it so far.

use std::collections::VecDeque;

use eyewall_proto::client::ResponseHead;
use eyewall_proto::h1::Trailers;

use super::{ClientRead, ClientResponse, Failure, FailureKind};
use crate::host::{Host, Outcome};
use crate::reactor::Shared;
use crate::timer::{Millis, NEVER};

/// Content that is kept for a reader before the connection is no longer read.
pub(super) const HIGH_WATER: usize = 512 * 1024;

/// The same where the kernel keeps the rest: a reader who is quick takes it from there himself.
const ENOUGH: usize = 64 * 1024;

/// Room that is made at once for content of a known length.
const RESERVE: u64 = 1024 * 1024;

/// Callbacks that are due.
pub(super) type Due<C> = VecDeque<(C, Outcome)>;

pub(crate) struct Call<C> {
    pub(super) stream: u32,
    pub(super) streamed: bool,
    pub(super) until: Millis,
    max_body: u64,
    received: u64,
    on_response: Option<C>,
    on_continue: Option<C>,
    reader: Option<C>,
    pub(super) room: Option<C>,
    head: Option<ResponseHead>,
    body: Vec<u8>,
    end: Option<Result<Option<Trailers>, Failure>>,
    over: bool,
}

impl<C> Call<C> {
    pub(super) fn new(stream: u32, on_response: C, on_continue: Option<C>) -> Self {
        Self {
            stream,
            streamed: false,
            until: NEVER,
            max_body: u64::MAX,
            received: 0,
            on_response: Some(on_response),
            on_continue,
            reader: None,
            room: None,
            head: None,
            body: Vec::new(),
            end: None,
            over: false,
        }
    }

    pub(super) fn limit(&mut self, max_body: u64, until: Millis, streamed: bool) {
        self.max_body = max_body;
        self.until = until;
        self.streamed = streamed;
    }

    /// Nothing of the final response has come.
    pub(super) fn is_unanswered(&self) -> bool {
        self.on_response.is_some() && self.head.is_none()
    }

    /// All was handed over.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The response is complete or has failed, but may not have been handed over.
    pub(super) fn has_ended(&self) -> bool {
        self.end.is_some() || self.over
    }

    /// The reader has enough to do.
    pub(super) fn is_full(&self) -> bool {
        self.streamed && self.body.len() >= HIGH_WATER
    }

    /// The reader has something to do, and the kernel can keep what comes.
    pub(super) fn has_enough(&self) -> bool {
        self.streamed && self.body.len() >= ENOUGH
    }

    /// How much of a piece that the reader takes from the kernel may come.
    pub(super) fn direct_room(&self) -> u64 {
        if self.streamed && self.body.is_empty() && !self.has_ended() {
            self.max_body.saturating_sub(self.received)
        } else {
            0
        }
    }

    /// The reader has taken so much from the kernel.
    pub(super) fn note_direct(&mut self, count: usize) {
        self.received = self.received.saturating_add(count as u64);
    }

    pub(super) fn interim(&mut self, status: u16, due: &mut Due<C>) {
        if status == 100
            && let Some(callback) = self.on_continue.take()
        {
            due.push_back((callback, Outcome::Room));
        }
    }

    pub(super) fn head(
        &mut self,
        head: ResponseHead,
        length: Option<u64>,
        due: &mut Due<C>,
    ) -> Result<(), Failure> {
        if length.is_some_and(|length| length > self.max_body) {
            return Err(self.too_large("announced "));
        }
        if self.streamed {
            if let Some(callback) = self.on_response.take() {
                let response = ClientResponse {
                    head,
                    body: Vec::new(),
                    trailers: None,
                };
                due.push_back((callback, Outcome::Response(Box::new(response))));
            }
        } else {
            self.body
                .reserve_exact(usize::try_from(length.unwrap_or(0).min(RESERVE)).unwrap_or(0));
            self.head = Some(head);
        }
        self.refuse_content(due);
        Ok(())
    }

    /// The server has answered instead of asking for the content.
    fn refuse_content(&mut self, due: &mut Due<C>) {
        if let Some(callback) = self.on_continue.take() {
            due.push_back((callback, Outcome::Closed("the server has answered already")));
        }
    }

    fn too_large(&self, announced: &str) -> Failure {
        Failure::new(
            FailureKind::TooLarge,
            format!(
                "the response's {announced}content is larger than {} bytes",
                self.max_body
            ),
        )
    }

    pub(super) fn data(&mut self, data: &[u8]) -> Result<(), Failure> {
        self.received = self.received.saturating_add(data.len() as u64);
        if self.received > self.max_body {
            return Err(self.too_large(""));
        }
        self.body.extend_from_slice(data);
        Ok(())
    }

    /// The response is complete, or no more of it will come.
    pub(super) fn finish(&mut self, end: Result<Option<Trailers>, Failure>, due: &mut Due<C>) {
        if self.has_ended() {
            return;
        }
        if let Some(room) = self.room.take() {
            due.push_back((room, Outcome::Room));
        }
        self.refuse_content(due);
        let Some(callback) = self.on_response.take() else {
            self.end = Some(end);
            self.hand_over(due);
            return;
        };
        self.over = true;
        let outcome = match (end, self.head.take()) {
            (Ok(trailers), Some(head)) => Outcome::Response(Box::new(ClientResponse {
                head,
                body: std::mem::take(&mut self.body),
                trailers,
            })),
            (Err(failure), _) => Outcome::Failed(failure),
            (Ok(_), None) => Outcome::Failed(Failure::closed("the response has no head")),
        };
        due.push_back((callback, outcome));
    }

    /// Give a waiting reader what there is.
    pub(super) fn hand_over(&mut self, due: &mut Due<C>) {
        if self.reader.is_none() {
            return;
        }
        let outcome = match self.take() {
            ClientRead::Pending => return,
            ClientRead::Data(data) => Outcome::Body(data.into()),
            ClientRead::End(trailers) => Outcome::End(trailers),
            ClientRead::Failed(failure) => Outcome::Failed(failure),
        };
        if let Some(reader) = self.reader.take() {
            due.push_back((reader, outcome));
        }
    }

    fn take(&mut self) -> ClientRead {
        if !self.body.is_empty() {
            return ClientRead::Data(std::mem::take(&mut self.body));
        }
        match self.end.take() {
            None => ClientRead::Pending,
            Some(end) => {
                self.over = true;
                match end {
                    Ok(trailers) => ClientRead::End(trailers),
                    Err(failure) => ClientRead::Failed(failure),
                }
            }
        }
    }

    /// What there is to read; otherwise `callback` is called when there is something.
    pub(super) fn read(&mut self, callback: C) -> (ClientRead, Option<C>) {
        match self.take() {
            ClientRead::Pending => (ClientRead::Pending, self.reader.replace(callback)),
            read => (read, Some(callback)),
        }
    }

    /// Nobody wants the rest.
    pub(super) fn forget(&mut self) {
        self.over = true;
    }

    /// Let the callbacks go where their destructors do no harm.
    pub(super) fn bury<H: Host<Callback = C>>(&mut self, shared: &Shared<H>) {
        let all = [
            self.on_response.take(),
            self.on_continue.take(),
            self.reader.take(),
            self.room.take(),
        ];
        for callback in all.into_iter().flatten() {
            shared.bury(callback);
        }
    }
}
