//! `canh_native`: the matching hot path of Canh for Python. Thin: this file only crosses the border.

mod columns;
mod fields;
mod grams;
mod header;
mod rules;
mod sentence;
mod source;
mod structured;
mod text;

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
}

#[pymethods]
impl RuleSet {
    /// documents: YAML texts. log_sources: the routing table as JSON. pipelines: built-in names or YAML.
    /// Raises ValueError for a broken table or pipeline; broken rules are in `refused`.
    #[new]
    #[pyo3(signature = (documents, log_sources, pipelines = Vec::new()))]
    fn new(py: Python<'_>, documents: Vec<String>, log_sources: String, pipelines: Vec<String>) -> PyResult<Self> {
        let rules = py.detach(|| rules::Rules::compile(&documents, &log_sources, &pipelines));
        Ok(RuleSet { rules: rules.map_err(PyValueError::new_err)? })
    }

    /// One JSON object a rule, by number: document, id, name, title, level, tags, product, category, service.
    #[getter]
    fn described(&self) -> Vec<String> {
        self.rules.described.clone()
    }

    /// (document, reason) for each document that cannot be used.
    #[getter]
    fn refused(&self) -> Vec<(usize, String)> {
        self.rules.refused.clone()
    }

    /// (document, remark) about documents that are used all the same.
    #[getter]
    fn remarks(&self) -> Vec<(usize, String)> {
        self.rules.remarks.clone()
    }

    /// events: a list of JSON objects as bytes, or NDJSON as bytes (blank lines are not events).
    /// Returns the matches in order of event and rule, and (event, reason) for what is no JSON object.
    fn match_batch(&self, py: Python<'_>, events: &Bound<'_, PyAny>) -> PyResult<Batch> {
        if let Ok(lines) = events.extract::<Vec<PyBackedBytes>>() {
            return Ok(py.detach(|| self.run(lines.iter().map(|line| &line[..]))));
        }
        let text: PyBackedBytes =
            events.extract().map_err(|_| PyTypeError::new_err("events: a list of bytes, or NDJSON as bytes"))?;
        Ok(py.detach(|| self.run(text.split(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()))))
    }

    /// (product, category, service) of each log source one event is of; "" for what is not said.
    fn log_sources(&self, event: &[u8]) -> PyResult<Vec<(String, String, String)>> {
        let sources = self.rules.sources(event).map_err(PyValueError::new_err)?;
        let text = |part: Option<String>| part.unwrap_or_default();
        Ok(sources.into_iter().map(|s| (text(s.product), text(s.category), text(s.service))).collect())
    }
}

impl RuleSet {
    fn run<'a>(&self, lines: impl Iterator<Item = &'a [u8]>) -> Batch {
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for (at, line) in lines.enumerate() {
            match self.rules.matches(line) {
                Ok(matches) => found.extend(matches.into_iter().map(|one| (at, one.rule, one.fields))),
                Err(reason) => invalid.push((at, reason)),
            }
        }
        (found, invalid)
    }
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
    use super::{Beginnings, Grams, Markers, RuleSet, event_id, ip_text, outcome_of, pairs, put, transport_of};

    /// Words that stand for no value.
    #[pymodule_init]
    fn init(module: &super::Bound<'_, super::PyModule>) -> super::PyResult<()> {
        use pyo3::types::PyModuleMethods;
        module.add("NOTHING", crate::fields::NOTHING)
    }
}
