//! Python as the engine's host: calls requests' callbacks, and asks the loop for turns.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use eyewall_engine::{ConnInfo, ExchangeId, Host, Notice, Outcome, ServerKey, SocketEvent};
use eyewall_proto::RequestHead;
use eyewall_proto::ws::Kind;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyWeakrefReference};
use pyo3::{ffi, intern};

use crate::client::{ClientResponse, trailer_list};
use crate::exchange::Exchange;
use crate::websocket::{self, Receiver};
use crate::{errors, reactor};

/// What a server's events are given to.
struct ServerCallbacks {
    on_exchange: Py<PyAny>,
    on_notice: Option<Py<PyAny>>,
}

/// The loop's side of one reactor.
pub(crate) struct PyHost {
    reactor: u64,
    event_loop: Py<PyWeakrefReference>,
    turn: RefCell<Option<Py<PyAny>>>,
    timer: RefCell<Option<Py<PyAny>>>,
    servers: RefCell<Vec<Option<ServerCallbacks>>>,
    /// KeyboardInterrupt or SystemExit out of a callback, to be raised from the turn.
    interrupt: Cell<Option<PyErr>>,
}

impl PyHost {
    pub(crate) fn new(reactor: u64, event_loop: Py<PyWeakrefReference>) -> Self {
        Self {
            reactor,
            event_loop,
            turn: RefCell::new(None),
            timer: RefCell::new(None),
            servers: RefCell::new(Vec::new()),
            interrupt: Cell::new(None),
        }
    }

    /// Keep the bound method that the loop is to call.
    pub(crate) fn set_turn(&self, turn: Py<PyAny>) {
        *self.turn.borrow_mut() = Some(turn);
    }

    pub(crate) fn event_loop<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.event_loop.bind(py).upgrade()
    }

    pub(crate) fn take_interrupt(&self) -> Option<PyErr> {
        self.interrupt.take()
    }

    pub(crate) fn add_server(
        &self,
        key: ServerKey,
        on_exchange: Py<PyAny>,
        on_notice: Option<Py<PyAny>>,
    ) {
        let mut servers = self.servers.borrow_mut();
        if servers.len() <= key.index() {
            servers.resize_with(key.index() + 1, || None);
        }
        if let Some(slot) = servers.get_mut(key.index()) {
            *slot = Some(ServerCallbacks {
                on_exchange,
                on_notice,
            });
        }
    }

    /// Call something else with the exchanges of a server from now on.
    pub(crate) fn set_on_exchange(&self, key: ServerKey, on_exchange: Py<PyAny>) {
        let replaced = self
            .servers
            .borrow_mut()
            .get_mut(key.index())
            .and_then(Option::as_mut)
            .map(|server| std::mem::replace(&mut server.on_exchange, on_exchange));
        // What it drops may call back.
        drop(replaced);
    }

    pub(crate) fn remove_server(&self, key: ServerKey) {
        let removed = self
            .servers
            .borrow_mut()
            .get_mut(key.index())
            .and_then(Option::take);
        drop(removed);
    }

    /// Forget the loop's handles; the reactor is closing.
    pub(crate) fn release(&self, py: Python<'_>) {
        if let Some(timer) = self.timer.borrow_mut().take() {
            drop(timer.call_method0(py, intern!(py, "cancel")));
        }
        let turn = self.turn.borrow_mut().take();
        drop(turn);
        let servers = std::mem::take(&mut *self.servers.borrow_mut());
        drop(servers);
    }

    /// A callback has raised: the loop's exception handler logs it, and the loop goes on.
    fn report(&self, py: Python<'_>, error: PyErr, message: &str) {
        if !error.is_instance_of::<PyException>(py) {
            self.interrupt.set(Some(error));
            return;
        }
        let Some(event_loop) = self.event_loop(py) else {
            return;
        };
        let context = PyDict::new(py);
        let reported = context
            .set_item("message", message)
            .and_then(|()| context.set_item("exception", error.value(py)))
            .and_then(|()| {
                event_loop.call_method1(intern!(py, "call_exception_handler"), (context,))
            });
        if let Err(error) = reported {
            error.write_unraisable(py, None);
        }
    }

    fn ask(&self, py: Python<'_>, delay: Option<f64>) -> PyResult<()> {
        let Some(turn) = self.turn.borrow().as_ref().map(|turn| turn.clone_ref(py)) else {
            return Ok(());
        };
        let Some(event_loop) = self.event_loop(py) else {
            return Ok(());
        };
        let Some(delay) = delay else {
            event_loop.call_method1(intern!(py, "call_soon"), (turn,))?;
            return Ok(());
        };
        let handle = event_loop
            .call_method1(intern!(py, "call_later"), (delay, turn))?
            .unbind();
        if let Some(before) = self.timer.borrow_mut().replace(handle) {
            before.call_method0(py, intern!(py, "cancel"))?;
        }
        Ok(())
    }
}

/// Call in a copy of the current context, so that what one request sets is not seen by the next.
fn call_in_fresh_context<'py>(
    py: Python<'py>,
    callable: &Bound<'py, PyAny>,
    argument: Bound<'py, Exchange>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the interpreter is attached; the call returns a new reference or sets an error.
    let context = unsafe { ffi::PyContext_CopyCurrent() };
    // SAFETY: as the line before says.
    let context = unsafe { Bound::from_owned_ptr_or_err(py, context) }?;
    // SAFETY: `context` is a context object, entered nowhere else since it is new.
    if unsafe { ffi::PyContext_Enter(context.as_ptr()) } < 0 {
        return Err(PyErr::fetch(py));
    }
    let result = callable.call1((argument,));
    // SAFETY: it was entered above on this thread, and callbacks leave what they enter.
    if unsafe { ffi::PyContext_Exit(context.as_ptr()) } < 0 {
        let error = PyErr::fetch(py);
        return result.and(Err(error));
    }
    result
}

impl Host for PyHost {
    type Callback = Py<PyAny>;

    fn request(&self, server: ServerKey, id: ExchangeId, head: RequestHead, info: &Arc<ConnInfo>) {
        Python::attach(|py| {
            let callback = self.servers.borrow().get(server.index()).and_then(|slot| {
                slot.as_ref()
                    .map(|callbacks| callbacks.on_exchange.clone_ref(py))
            });
            let exchange = Exchange::new(self.reactor, id, head, Arc::clone(info));
            let exchange = match Bound::new(py, exchange) {
                Ok(exchange) => exchange,
                Err(error) => return self.report(py, error, "A request could not be handed over"),
            };
            // Without its server the exchange is dropped here, which answers it.
            let Some(callback) = callback else { return };
            if let Err(error) = call_in_fresh_context(py, callback.bind(py), exchange.clone()) {
                let message = {
                    let request = exchange.get();
                    format!(
                        "Unhandled exception in the handler of {}",
                        request.describe()
                    )
                };
                exchange.get().fail();
                self.report(py, error, &message);
            }
        });
    }

    fn call(&self, callback: Py<PyAny>, outcome: Outcome) {
        Python::attach(|py| {
            let callback = callback.into_bound(py);
            let result = match outcome {
                Outcome::Body(data) => callback.call1((PyBytes::new(py, &data),)),
                Outcome::Refused(error) => {
                    callback.call1((errors::protocol(py, &error).into_value(py),))
                }
                Outcome::Closed(text) => callback.call1((errors::closed(py, text).into_value(py),)),
                Outcome::Room => callback.call1((py.None(),)),
                Outcome::Response(response) => Bound::new(py, ClientResponse::new(py, *response))
                    .and_then(|response| callback.call1((response,))),
                Outcome::End(trailers) => trailer_list(py, &trailers.unwrap_or_default())
                    .and_then(|trailers| callback.call1((trailers,))),
                Outcome::Failed(failure) => {
                    callback.call1((errors::request_failed(py, &failure).into_value(py),))
                }
                Outcome::Disconnected | Outcome::Drained => callback.call0(),
            };
            if let Err(error) = result {
                self.report(py, error, "Unhandled exception in a callback of the engine");
            }
        });
    }

    fn message(kind: Kind, data: &[u8]) -> Py<PyAny> {
        websocket::message(kind, data)
    }

    fn socket(&self, receiver: &Py<PyAny>, event: SocketEvent<Py<PyAny>>) {
        Python::attach(|py| {
            let Ok(receiver) = receiver.bind(py).cast_exact::<Receiver>() else {
                return;
            };
            if let Err(error) = receiver.get().tell(py, event) {
                self.report(py, error, "Unhandled exception in a WebSocket's callback");
            }
        });
    }

    fn notice(&self, notice: Notice) {
        Python::attach(|py| {
            let callback = self
                .servers
                .borrow()
                .get(notice.server.index())
                .and_then(|slot| {
                    slot.as_ref()
                        .and_then(|callbacks| callbacks.on_notice.as_ref().map(|c| c.clone_ref(py)))
                });
            let Some(callback) = callback else { return };
            if let Err(error) = callback.call1(py, (notice.kind.as_str(), notice.peer, notice.text))
            {
                self.report(py, error, "Unhandled exception in a server's on_notice");
            }
        });
    }

    fn schedule(&self) {
        Python::attach(|py| {
            // A loop that is closed runs nothing more; there is nobody to tell.
            if let Err(error) = self.ask(py, None) {
                drop(error);
                reactor::forget(self.reactor);
            }
        });
    }

    fn schedule_after(&self, delay: Duration) {
        Python::attach(|py| {
            if let Err(error) = self.ask(py, Some(delay.as_secs_f64())) {
                drop(error);
                reactor::forget(self.reactor);
            }
        });
    }
}
