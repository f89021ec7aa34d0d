//! `canh_native`: the matching hot path of Canh for Python. Thin: this file only crosses the border.

mod columns;
mod compile;
mod event;
mod fields;
mod grams;
mod header;
mod names;
mod rules;
mod semantics;
mod sentence;
mod source;
mod structured;
mod text;
mod windows;
mod words;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyString};

/// (event, rule, [(selection, field, value, pattern)]): numbers count from 0.
type Found = (usize, u32, Vec<(String, String, String, String)>);
type Batch = (Vec<Found>, Vec<(usize, String)>);

/// Sigma rules compiled once; immutable, shared between threads without a lock on the GIL.
#[pyclass(frozen, module = "canh_native")]
struct RuleSet {
    rules: rules::Rules,
    written: Option<Vec<u8>>,
}

#[pymethods]
impl RuleSet {
    /// documents: YAML texts. log_sources: the routing table, fields: other names of fields, both as JSON.
    /// pipelines: built-in names or YAML. keep: whether `written` is asked for later.
    /// Raises ValueError for a broken table or pipeline; broken rules are in `refused`.
    #[new]
    #[pyo3(signature = (documents, log_sources, pipelines = Vec::new(), fields = "[]".to_owned(), keep = false))]
    fn new(
        py: Python<'_>,
        documents: Vec<String>,
        log_sources: String,
        pipelines: Vec<String>,
        fields: String,
        keep: bool,
    ) -> PyResult<Self> {
        py.detach(|| {
            let mut prepared = compile::Prepared::of(&documents, &pipelines)?;
            let stocks = prepared.compiled();
            let written = if keep { Some(prepared.written()?) } else { None };
            let rules = rules::Rules::build(prepared.about, stocks, &log_sources, &fields)?;
            Ok(RuleSet { rules, written })
        })
        .map_err(|reason: String| PyValueError::new_err(reason))
    }

    /// The rules another one has `written`. Raises ValueError when these are not such octets.
    #[staticmethod]
    fn restored(py: Python<'_>, written: PyBackedBytes, log_sources: String, fields: String) -> PyResult<Self> {
        py.detach(|| {
            let mut prepared = compile::Prepared::restored(&written)?;
            let stocks = prepared.lowered();
            let rules = rules::Rules::build(prepared.about, stocks, &log_sources, &fields)?;
            Ok(RuleSet { rules, written: None })
        })
        .map_err(|reason: String| PyValueError::new_err(reason))
    }

    /// Make ready for every log source now; without it each is at its first event.
    fn warm(&self, py: Python<'_>) {
        py.detach(|| self.rules.warm());
    }

    /// The compiled rules as octets, where they were asked to be kept.
    #[getter]
    fn written<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.written.as_ref().map(|written| PyBytes::new(py, written))
    }

    /// A JSON list of one object a rule, by number: document, id, name, title, level, tags, product, category, service.
    #[getter]
    fn described(&self) -> String {
        serde_json::Value::from(self.rules.about.described.clone()).to_string()
    }

    /// (document, reason) for each document that cannot be used.
    #[getter]
    fn refused(&self) -> Vec<(usize, String)> {
        self.rules.about.refused.clone()
    }

    /// (document, remark) about documents that are used all the same.
    #[getter]
    fn remarks(&self) -> Vec<(usize, String)> {
        self.rules.about.remarks.clone()
    }

    /// events: a list of JSON objects as bytes, or NDJSON as bytes (blank lines are not events).
    /// threads: cores to use. Returns the matches in order of event and rule, and (event, reason) for what is no
    /// JSON object.
    #[pyo3(signature = (events, threads = 1))]
    fn match_batch(&self, py: Python<'_>, events: &Bound<'_, PyAny>, threads: usize) -> PyResult<Batch> {
        let run = |lines: &[&[u8]]| {
            let (found, invalid) = self.rules.matches(lines, threads);
            (found.into_iter().map(|(at, one)| (at, one.rule, one.fields)).collect(), invalid)
        };
        if let Ok(lines) = events.extract::<Vec<PyBackedBytes>>() {
            return Ok(py.detach(|| run(&lines.iter().map(|line| &line[..]).collect::<Vec<_>>())));
        }
        let text: PyBackedBytes =
            events.extract().map_err(|_| PyTypeError::new_err("events: a list of bytes, or NDJSON as bytes"))?;
        Ok(py.detach(|| {
            let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            run(&lines.collect::<Vec<_>>())
        }))
    }

    /// The numbers of the rules one event matches, found by trying each: what the index is held against.
    fn match_plainly(&self, event: &[u8]) -> PyResult<Vec<u32>> {
        self.rules.plainly(event).map_err(PyValueError::new_err)
    }

    /// (product, category, service) of each log source one event is of; "" for what is not said.
    fn log_sources(&self, event: &[u8]) -> PyResult<Vec<(String, String, String)>> {
        Ok(self.rules.sources(event).map_err(PyValueError::new_err)?.into_iter().map(parts).collect())
    }

    /// The log sources of its rules that the table gives no event; a rule of one of them only meets unknown events.
    #[getter]
    fn unreached(&self) -> Vec<(String, String, String)> {
        self.rules.unreached().into_iter().map(parts).collect()
    }
}

/// An event's fields as rules see them, as JSON: of a Windows event under their own names. Raises ValueError.
#[pyfunction]
fn fields_of(event: &[u8]) -> PyResult<String> {
    let hasher = ahash::RandomState::new();
    let event = event::Event::read(event, &hasher).map_err(PyValueError::new_err)?;
    Ok(event.to_json().to_string())
}

fn parts(source: source::Source) -> (String, String, String) {
    let text = |part: Option<String>| part.unwrap_or_default();
    (text(source.product), text(source.category), text(source.service))
}

/// Things found by the literals that a text must hold for each of them, in one pass over it; immutable.
#[pyclass(frozen, module = "canh_native")]
struct Markers {
    markers: text::Markers,
    wanted: Vec<Py<PyAny>>,
}

#[pymethods]
impl Markers {
    /// groups: (literals that must all be there, what they stand for), in order of preference.
    #[new]
    fn new(groups: Vec<(Vec<String>, Py<PyAny>)>) -> PyResult<Self> {
        let (literals, wanted): (Vec<_>, Vec<_>) = groups.into_iter().unzip();
        Ok(Markers { markers: text::Markers::new(&literals).map_err(PyValueError::new_err)?, wanted })
    }

    /// What stands for the groups that `text` holds whole, in their order.
    fn find(&self, py: Python<'_>, text: &str) -> Vec<Py<PyAny>> {
        self.markers.find(text).into_iter().map(|group| self.wanted[group].clone_ref(py)).collect()
    }
}

/// Regular expressions tried at the beginning of a text, in one pass; immutable. No look-around, no back-references.
#[pyclass(frozen, module = "canh_native")]
struct Beginnings {
    beginnings: text::Beginnings,
}

#[pymethods]
impl Beginnings {
    /// Raises ValueError for a pattern that is none, or one too large.
    #[new]
    fn new(patterns: Vec<String>) -> PyResult<Self> {
        Ok(Beginnings { beginnings: text::Beginnings::new(&patterns).map_err(PyValueError::new_err)? })
    }

    /// The numbers of the patterns with which `text` begins, ascending.
    fn find(&self, text: &str) -> Vec<usize> {
        self.beginnings.find(text)
    }
}

/// The `key=value` pairs of a text; of a key that comes twice the first. `stop` is one ASCII character.
#[pyfunction]
#[pyo3(signature = (text, stop = ' '))]
fn pairs<'py>(py: Python<'py>, text: &str, stop: char) -> PyResult<Bound<'py, PyDict>> {
    let stop = u8::try_from(stop).map_err(|_| PyValueError::new_err("stop: one ASCII character"))?;
    let written = text::pairs(text, stop);
    let found = PyDict::new(py);
    fields::with_keys(|keys| {
        for (key, value) in &written {
            found.set_item(keys.get(py, key), value)?;
        }
        if found.len() < written.len() {
            for (key, value) in written.iter().rev() {
                found.set_item(keys.get(py, key), value)?; // the first one stays
            }
        }
        Ok(found)
    })
}

/// The id of a spool's record: UUIDv5 of the spool's UUID (16 octets) and the position.
#[pyfunction]
fn event_id(spool: [u8; 16], position: u64) -> String {
    uuid::Uuid::new_v5(&uuid::Uuid::from_bytes(spool), position.to_string().as_bytes()).to_string()
}

/// Set a field from what a device wrote; what is nothing, or no value of that field, is left out.
#[pyfunction]
fn put(fields: &Bound<'_, PyDict>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    fields::Name::of(fields.py(), name).put(fields, value)
}

/// success, failure or unknown.
#[pyfunction]
fn outcome_of(word: &Bound<'_, PyString>) -> &'static str {
    fields::outcome_of(&fields::text_of(word))
}

/// A transport in ECS's words ("tcp", "ipv6-icmp") from a name or number; "" when it is none.
#[pyfunction]
fn transport_of(word: &Bound<'_, PyString>) -> &'static str {
    fields::transport_of(&fields::text_of(word)).map_or("", |(_, name)| name)
}

/// An address in its usual form (no zone, IPv4 where it is one); None when it is no address.
#[pyfunction]
fn ip_text<'py>(text: &Bound<'py, PyString>) -> Option<Bound<'py, PyString>> {
    let written = fields::text_of(text);
    match fields::address_of(&written)? {
        std::net::IpAddr::V4(_) if !written.contains([':', '%']) => Some(text.clone()),
        address => Some(PyString::new(text.py(), &address.to_string())),
    }
}

/// What stands in the lines of a segment, block by block; `grams` says what is kept of them.
#[pyclass(module = "canh_native")]
#[derive(Default)]
struct Grams {
    blocks: Vec<Vec<u8>>,
}

#[pymethods]
impl Grams {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    /// Begin the next block.
    fn next(&mut self) {
        self.blocks.push(vec![0u8; grams::BITS / 8]);
    }

    /// Add texts to the block begun last: those of an Arrow array, as their octets and the 32-bit offsets of their
    /// begins and the last one's end. Raises ValueError for offsets outside, or before the first block.
    fn add(&mut self, py: Python<'_>, octets: PyBuffer<u8>, offsets: PyBuffer<i32>) -> PyResult<()> {
        self.each(py, &octets, &offsets, grams::add)
    }

    /// Add whole values of a column to the block begun last, given as texts are.
    fn add_values(
        &mut self,
        py: Python<'_>,
        column: &str,
        octets: PyBuffer<u8>,
        offsets: PyBuffer<i32>,
    ) -> PyResult<()> {
        self.each(py, &octets, &offsets, |block, value| grams::add_value(block, column, value))
    }

    /// A row for each bit: a bit for each block, in whole octets.
    fn rows<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let rows = py.detach(|| grams::across(&self.blocks));
        PyBytes::new(py, &rows)
    }

    /// The rows in which a block has a bit if it holds `text`; none when it is too short to tell.
    #[staticmethod]
    fn wanted(text: &str) -> Vec<usize> {
        let mut bits = Vec::new();
        grams::of(text.as_bytes(), |bit| bits.push(bit));
        bits.sort_unstable();
        bits.dedup();
        bits
    }

    /// The rows in which a block has a bit if it holds this value of a column.
    #[staticmethod]
    fn wanted_value(column: &str, value: &[u8]) -> Vec<usize> {
        let mut bits = Vec::new();
        grams::value(column, value, |bit| bits.push(bit));
        bits
    }
}

impl Grams {
    fn each(
        &mut self,
        py: Python<'_>,
        octets: &PyBuffer<u8>,
        offsets: &PyBuffer<i32>,
        add: impl Fn(&mut [u8], &[u8]) + Send + Sync,
    ) -> PyResult<()> {
        let block = self.blocks.last_mut().ok_or_else(|| PyValueError::new_err("no block was begun"))?;
        let (octets, offsets) = (octets.to_vec(py)?, offsets.to_vec(py)?);
        py.detach(|| {
            for ends in offsets.windows(2) {
                let text = octets.get(ends[0].max(0) as usize..ends[1].max(0) as usize);
                add(block, text.ok_or("offsets outside of the octets")?);
            }
            Ok(())
        })
        .map_err(|reason: &str| PyValueError::new_err(reason))
    }
}

#[pymodule]
mod canh_native {
    #[pymodule_export]
    use super::columns::columns;
    #[pymodule_export]
    use super::header::Headers;
    #[pymodule_export]
    use super::sentence::{Rule, Rules};
    #[pymodule_export]
    use super::structured::{Cases, Common, Conditions, KeyTable};
    #[pymodule_export]
    use super::{
        Beginnings, Grams, Markers, RuleSet, event_id, fields_of, ip_text, outcome_of, pairs, put, transport_of,
    };

    /// Words that stand for no value.
    #[pymodule_init]
    fn init(module: &super::Bound<'_, super::PyModule>) -> super::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        module.add("NOTHING", crate::fields::NOTHING)
    }
}
