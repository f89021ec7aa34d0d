//! The ordinary headers of syslog, read without a pattern: strict RFC 5424, RFC 3164 as nearly every program and
//! appliance writes it, and a priority with pairs behind it.
//!
//! `monitoring/syslog.py` says what a header is and reads all of them; here only a part is read, and of that part
//! exactly what it would say. Whatever is not ordinary is None: that costs time, a wrong guess would cost the truth.

mod rfc5424;
mod scan;
mod times;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyString, PyTuple};

use scan::{Found, read};
use times::{Clock, Time};

/// Reads ordinary headers; immutable. Made once by `monitoring/syslog.py`, which gives it what it shares with it.
#[pyclass(frozen, module = "canh_native")]
pub struct Headers {
    priorities: Vec<Py<PyDict>>,
    no_names: Vec<String>,
    plain: Py<PyAny>,
    local: Py<PyAny>,
    datetime: Py<PyAny>,
    utc: Py<PyAny>,
    zones: Py<PyDict>,
}

#[pymethods]
impl Headers {
    /// priorities: the fields of each priority, from 0. no_names: words that are neither host nor program.
    /// plain, local: `plain_moment` and `local_moment` of `monitoring/times.py`. datetime, utc: the class, its UTC.
    /// zones: those that have a name.
    #[new]
    fn new(
        priorities: Vec<Py<PyDict>>,
        no_names: Vec<String>,
        plain: Py<PyAny>,
        local: Py<PyAny>,
        datetime: Py<PyAny>,
        utc: Py<PyAny>,
        zones: Py<PyDict>,
    ) -> Self {
        Headers { priorities, no_names, plain, local, datetime, utc, zones }
    }

    /// What `Header` of `monitoring/syslog.py` holds, in its order; None for what is not ordinary.
    fn read<'py>(
        &self,
        py: Python<'py>,
        text: &Bound<'py, PyString>,
        received: &Bound<'py, PyAny>,
        zone: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyTuple>>> {
        let Ok(written) = text.to_str() else { return Ok(None) }; // half of a surrogate pair, out of JSON
        let Some(found) = read(written, &self.no_names) else { return Ok(None) };
        let Some(priority) = self.priorities.get(found.priority) else { return Ok(None) };
        let when = self.moment(py, &found.time, received, zone)?;
        let zone_from = match found.time {
            Time::None => intern!(py, ""),
            _ if when.is_none() => return Ok(None), // no day of any calendar, or a year that is not clear
            Time::Utc(_) | Time::Named(..) => intern!(py, "line"),
            _ => intern!(py, "inventory"),
        };
        let (fields, app) = fields(&found, priority.bind(py))?;
        let message = PyString::new(py, found.message);
        let is_syslog = PyBool::new(py, true).to_owned();
        let all =
            [fields.into_any(), when, zone_from.clone().into_any(), message.into_any(), app, is_syslog.into_any()];
        Ok(Some(PyTuple::new(py, all)?))
    }
}

impl Headers {
    fn moment<'py>(
        &self,
        py: Python<'py>,
        time: &Time<'_>,
        received: &Bound<'py, PyAny>,
        zone: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match time {
            Time::None => Ok(py.None().into_bound(py)),
            Time::Plain(written) => self.plain.bind(py).call1((written, received, zone)),
            Time::Local(clock) => self.local(clock, received, zone),
            Time::Named(clock, word) => match self.zones.bind(py).get_item(word)? {
                Some(zone) => self.local(clock, received, &zone),
                None => Ok(py.None().into_bound(py)),
            },
            Time::Utc(Clock { year, month, day, hour, minute, second, micros }) => {
                self.datetime.bind(py).call1((year, month, day, hour, minute, second, micros, &self.utc))
            }
        }
    }

    fn local<'py>(
        &self,
        clock: &Clock,
        received: &Bound<'py, PyAny>,
        zone: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let Clock { year, month, day, hour, minute, second, micros } = clock;
        self.local.bind(received.py()).call1(((year, month, day, hour, minute, second), micros, received, zone))
    }
}

/// The fields, in the order in which `monitoring/syslog.py` sets them, and the name of the program.
fn fields<'py>(found: &Found<'_>, priority: &Bound<'py, PyDict>) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PyAny>)> {
    let py = priority.py();
    let fields = priority.copy()?;
    let set = |key: &Bound<'py, PyString>, value: &str| match value {
        "" => Ok(()),
        _ => fields.set_item(key, value),
    };
    set(intern!(py, "log.syslog.version"), found.version)?;
    if let Ok(sequence) = found.sequence.parse::<u64>() {
        fields.set_item(intern!(py, "event.sequence"), sequence)?;
    }
    set(intern!(py, "log.syslog.hostname"), found.host)?;
    let app = PyString::new(py, found.app);
    if !found.app.is_empty() {
        fields.set_item(intern!(py, "log.syslog.appname"), &app)?;
        let process = if found.process == found.app { app.clone() } else { PyString::new(py, found.process) };
        fields.set_item(intern!(py, "process.name"), process)?;
    }
    set(intern!(py, "log.syslog.procid"), found.procid)?;
    let is_pid = found.procid.len() < 11 && found.procid.bytes().all(|byte| byte.is_ascii_digit());
    if let (true, Ok(pid)) = (is_pid, found.procid.parse::<u64>()) {
        fields.set_item(intern!(py, "process.pid"), pid)?;
    }
    set(intern!(py, "log.syslog.msgid"), found.msgid)?;
    set(intern!(py, "log.syslog.structured_data"), found.structured)?;
    Ok((fields, app.into_any()))
}
