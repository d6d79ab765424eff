//! `Reactor`: which reactors a thread has, and the way from a handle to one of them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use eyewall_engine::Mailbox;
use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyWeakrefReference};

use crate::errors;
use crate::host::PyHost;

type Engine = eyewall_engine::Reactor<PyHost>;

struct Entry {
    id: u64,
    event_loop: Py<PyWeakrefReference>,
    engine: Rc<Engine>,
}

thread_local! {
    static REACTORS: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    static LAST: RefCell<Option<(u64, Rc<Engine>)>> = const { RefCell::new(None) };
}

/// Mailboxes of all reactors, for drops on other threads.
static MAILBOXES: LazyLock<Mutex<HashMap<u64, Arc<Mailbox>>>> = LazyLock::new(Mutex::default);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Why a handle's reactor cannot be had.
pub(crate) enum Missing {
    /// It turns on another thread.
    Elsewhere(Arc<Mailbox>),
    /// It was closed.
    Gone,
}

/// The reactor of that number, on its own thread.
pub(crate) fn find(id: u64) -> Result<Rc<Engine>, Missing> {
    let last = LAST.try_with(|last| {
        last.borrow()
            .as_ref()
            .filter(|(known, _)| *known == id)
            .map(|(_, engine)| Rc::clone(engine))
    });
    if let Ok(Some(engine)) = last {
        return Ok(engine);
    }
    let found = REACTORS.try_with(|reactors| {
        reactors
            .borrow()
            .iter()
            .find(|entry| entry.id == id)
            .map(|entry| Rc::clone(&entry.engine))
    });
    if let Ok(Some(engine)) = found {
        // A thread that is ending has no use for the short cut.
        drop(LAST.try_with(|last| last.borrow_mut().replace((id, Rc::clone(&engine)))));
        return Ok(engine);
    }
    let mailbox = MAILBOXES
        .lock()
        .ok()
        .and_then(|mailboxes| mailboxes.get(&id).cloned());
    Err(mailbox.map_or(Missing::Gone, Missing::Elsewhere))
}

/// The reactor of that number, or the exception that says why not.
pub(crate) fn get(py: Python<'_>, id: u64) -> PyResult<Rc<Engine>> {
    find(id).map_err(|missing| match missing {
        Missing::Elsewhere(_) => PyRuntimeError::new_err(
            "this object belongs to another thread's event loop; \
             use loop.call_soon_threadsafe() to call it there",
        ),
        Missing::Gone => errors::closed(py, "the event loop was closed"),
    })
}

/// Drop a reactor whose loop is no more.
pub(crate) fn forget(id: u64) {
    let entry = REACTORS.try_with(|reactors| {
        let mut reactors = reactors.borrow_mut();
        let at = reactors.iter().position(|entry| entry.id == id)?;
        Some(reactors.swap_remove(at))
    });
    drop(LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        if last.as_ref().is_some_and(|(known, _)| *known == id) {
            last.take()
        } else {
            None
        }
    }));
    if let Ok(mut mailboxes) = MAILBOXES.lock() {
        mailboxes.remove(&id);
    }
    if let Ok(Some(entry)) = entry {
        entry.engine.close();
        Python::attach(|py| entry.engine.host().release(py));
    }
}

#[pyclass(frozen, module = "eyewall._engine")]
pub(crate) struct Reactor {
    pub(crate) id: u64,
}

#[pymethods]
impl Reactor {
    #[staticmethod]
    fn of<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let py = event_loop.py();
        if event_loop
            .call_method0(intern!(py, "is_closed"))?
            .is_truthy()?
        {
            return Err(PyRuntimeError::new_err("the event loop is closed"));
        }
        let (known, stale) = survey(event_loop);
        for id in stale {
            forget(id);
        }
        if let Some(id) = known {
            return Bound::new(py, Self { id });
        }
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let handle = Bound::new(py, Self { id })?;
        // The loop's end is the reactor's: nothing else would close its sockets.
        let weak = PyWeakrefReference::new_with(event_loop, handle.getattr(intern!(py, "close"))?)?;
        let engine = Rc::new(Engine::new(PyHost::new(id, weak.clone().unbind()))?);
        let turn = handle.getattr(intern!(py, "turn"))?;
        engine.host().set_turn(turn.clone().unbind());
        event_loop.call_method1(intern!(py, "add_reader"), (engine.fd(), turn))?;
        if let Ok(mut mailboxes) = MAILBOXES.lock() {
            mailboxes.insert(id, engine.mailbox());
        }
        REACTORS.with(|reactors| {
            reactors.borrow_mut().push(Entry {
                id,
                event_loop: weak.unbind(),
                engine,
            });
        });
        Ok(handle)
    }

    fn fileno(&self, py: Python<'_>) -> PyResult<i32> {
        Ok(get(py, self.id)?.fd())
    }

    fn turn(&self, py: Python<'_>) -> PyResult<()> {
        let engine = get(py, self.id)?;
        engine.turn();
        engine.host().take_interrupt().map_or(Ok(()), Err)
    }

    #[pyo3(signature = (*_args))]
    fn close(&self, py: Python<'_>, _args: &Bound<'_, PyTuple>) -> PyResult<()> {
        let engine = match find(self.id) {
            Ok(engine) => engine,
            Err(Missing::Gone) => return Ok(()),
            Err(Missing::Elsewhere(_)) => return get(py, self.id).map(drop),
        };
        if let Some(event_loop) = engine.host().event_loop(py)
            && !event_loop
                .call_method0(intern!(py, "is_closed"))?
                .is_truthy()?
        {
            event_loop.call_method1(intern!(py, "remove_reader"), (engine.fd(),))?;
        }
        forget(self.id);
        Ok(())
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let stats = get(py, self.id)?.stats();
        let dict = PyDict::new(py);
        dict.set_item("turns", stats.turns)?;
        dict.set_item("exhausted", stats.exhausted)?;
        dict.set_item("connections", stats.connections)?;
        dict.set_item("requests", stats.requests)?;
        dict.set_item("timers", stats.timers)?;
        Ok(dict)
    }
}

/// This loop's reactor, and those whose loops are closed or gone.
fn survey(event_loop: &Bound<'_, PyAny>) -> (Option<u64>, Vec<u64>) {
    let py = event_loop.py();
    let entries: Vec<(u64, Py<PyWeakrefReference>)> = REACTORS.with(|reactors| {
        reactors
            .borrow()
            .iter()
            .map(|entry| (entry.id, entry.event_loop.clone_ref(py)))
            .collect()
    });
    let mut known = None;
    let mut stale = Vec::new();
    for (id, weak) in entries {
        match weak.bind(py).upgrade() {
            Some(other) if other.is(event_loop) => known = Some(id),
            Some(other) => {
                let closed = other
                    .call_method0(intern!(py, "is_closed"))
                    .and_then(|closed| closed.is_truthy())
                    .unwrap_or(true);
                if closed {
                    stale.push(id);
                }
            }
            None => stale.push(id),
        }
    }
    (known, stale)
}
