//! `Fanout`: a set of connections that one call sends one message to.

use bytes::Bytes;
use eyewall_engine::{ExchangeId, FanoutKey, Payload, Shipment, SlowPolicy};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::exchange::Exchange;
use crate::fields::with_payload;
use crate::reactor::{self, Missing, Reactor};
use crate::websocket::{WebSocket, with_message};

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct Fanout {
    reactor: u64,
    key: FanoutKey,
}

impl Fanout {
    /// What a member is called in the engine.
    fn member(&self, member: &Bound<'_, PyAny>) -> PyResult<ExchangeId> {
        let (reactor, id) = if let Ok(socket) = member.cast_exact::<WebSocket>() {
            (socket.get().reactor, socket.get().id)
        } else if let Ok(exchange) = member.cast_exact::<Exchange>() {
            (exchange.get().reactor, exchange.get().id)
        } else {
            return Err(PyTypeError::new_err(
                "a member is a WebSocket or an Exchange whose answer is streamed",
            ));
        };
        if reactor != self.reactor {
            return Err(PyValueError::new_err(
                "the member belongs to another event loop than the Fanout",
            ));
        }
        Ok(id)
    }
}

impl Drop for Fanout {
    fn drop(&mut self) {
        match reactor::find(self.reactor) {
            Ok(engine) => engine.remove_fanout(self.key),
            Err(Missing::Elsewhere(mailbox)) => mailbox.post_fanout(self.key),
            Err(Missing::Gone) => {}
        }
    }
}

fn into_bytes(payload: Payload<'_>) -> Bytes {
    match payload {
        Payload::Borrowed(data) => Bytes::copy_from_slice(data),
        Payload::Owned(data) => data,
    }
}

#[pymethods]
impl Fanout {
    #[new]
    #[pyo3(signature = (reactor, *, slow = "disconnect", max_queue_bytes = 1 << 20))]
    fn new(
        py: Python<'_>,
        reactor: &Bound<'_, Reactor>,
        slow: &str,
        max_queue_bytes: usize,
    ) -> PyResult<Self> {
        let policy = match slow {
            "drop" => SlowPolicy::Drop,
            "disconnect" => SlowPolicy::Disconnect,
            "latest" => SlowPolicy::Latest,
            other => {
                return Err(PyValueError::new_err(format!(
                    "slow={other:?}: there are \"drop\", \"disconnect\" and \"latest\""
                )));
            }
        };
        let id = reactor.get().id;
        let key = reactor::get(py, id)?.add_fanout(policy, max_queue_bytes);
        Ok(Self { reactor: id, key })
    }

    fn add(&self, py: Python<'_>, member: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = self.member(member)?;
        reactor::get(py, self.reactor)?.join_fanout(self.key, id);
        Ok(())
    }

    fn discard(&self, py: Python<'_>, member: &Bound<'_, PyAny>) -> PyResult<()> {
        let id = self.member(member)?;
        reactor::get(py, self.reactor)?.leave_fanout(self.key, id);
        Ok(())
    }

    #[pyo3(signature = (message = None, *, binary = None, stream = None))]
    fn send(
        &self,
        py: Python<'_>,
        message: Option<&Bound<'_, PyAny>>,
        binary: Option<bool>,
        stream: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<usize> {
        let engine = reactor::get(py, self.reactor)?;
        let message = message
            .map(|message| with_message(message, binary, |kind, data| Ok((kind, into_bytes(data)))))
            .transpose()?;
        let piece = stream
            .map(|stream| with_payload(stream, |data| Ok(into_bytes(data))))
            .transpose()?;
        Ok(engine.ship(self.key, Shipment { message, piece }))
    }

    fn __len__(&self) -> usize {
        reactor::find(self.reactor).map_or(0, |engine| engine.fanout_len(self.key))
    }
}
