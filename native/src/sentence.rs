//! The rules of a parser for sentences: Python's patterns, tried in order, and what their groups become.
//! `monitoring/parsers/_rules.py` says how they are written.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::fields::{Name, text_of};

/// One rule: a pattern, what it sets, and for whom it is.
#[pyclass(frozen, module = "canh_native")]
pub struct Rule {
    matches: Py<PyAny>, // the pattern's `match`
    prefix: String,     // literal beginning, "" when the pattern begins with something variable
    places: Vec<(usize, Arc<Name>)>,
    fields: Py<PyDict>,
    app_names: HashSet<String>, // only for these programs; empty: any
    words: Py<PyString>,        // whether what the sentence names is taken too
}

#[pymethods]
impl Rule {
    /// places: (number of the group, field, kind).
    #[new]
    fn new(
        pattern: &Bound<'_, PyAny>,
        prefix: String,
        places: Vec<(usize, String, String)>,
        fields: Py<PyDict>,
        app_names: HashSet<String>,
        words: Py<PyString>,
    ) -> PyResult<Self> {
        let py = pattern.py();
        let places = places.into_iter().map(|(group, name, kind)| (group, Name::of_place(py, &name, &kind))).collect();
        Ok(Rule { matches: pattern.getattr("match")?.unbind(), prefix, places, fields, app_names, words })
    }

    /// The fields and where the match ends; None when the pattern does not fit at `start`.
    fn parse<'py>(&self, text: &Bound<'py, PyString>, start: usize) -> PyResult<Option<(Bound<'py, PyDict>, usize)>> {
        let Some(found) = self.found(text, start)? else { return Ok(None) };
        Ok(Some((self.fields_of(&found)?, found.call_method0("end")?.extract()?)))
    }
}

impl Rule {
    fn found<'py>(&self, text: &Bound<'py, PyString>, start: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let found = self.matches.bind(text.py()).call1((text, start))?;
        Ok((!found.is_none()).then_some(found))
    }

    fn fields_of<'py>(&self, found: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyDict>> {
        let fields = self.fields.bind(found.py()).copy()?;
        if self.places.is_empty() {
            return Ok(fields);
        }
        let groups = found.call_method0("groups")?;
        let groups = groups.cast::<PyTuple>()?;
        for (group, name) in &self.places {
            if let Ok(text) = groups.get_item(group - 1)?.cast::<PyString>() {
                name.put_object(&fields, text)?;
            }
        }
        Ok(fields)
    }
}

/// The rules of one parser, in order.
#[pyclass(frozen, module = "canh_native")]
pub struct Rules {
    rules: Vec<Py<Rule>>,                    // for any message, and for one whose code no rule names
    by_code: HashMap<String, Vec<Py<Rule>>>, // those of a code and those of none, in their order
    before: Option<Py<Rule>>,
    takes_unknown: bool,
    words: Py<PyString>, // of a message no rule fits
}

/// (fields, whether what the sentence names is taken too, where the sentence begins)
type Read<'py> = (Bound<'py, PyDict>, Py<PyString>, usize);

#[pymethods]
impl Rules {
    #[new]
    fn new(
        rules: Vec<Py<Rule>>,
        by_code: HashMap<String, Vec<Py<Rule>>>,
        before: Option<Py<Rule>>,
        takes_unknown: bool,
        words: Py<PyString>,
    ) -> Self {
        Rules { rules, by_code, before, takes_unknown, words }
    }

    /// What the first rule that fits says; None when none does and the message is another's.
    fn parse<'py>(&self, text: &Bound<'py, PyString>, app_name: &str) -> PyResult<Option<Read<'py>>> {
        let py = text.py();
        let (mut first, mut start) = (None, 0);
        if let Some(before) = &self.before
            && let Some((fields, end)) = before.get().parse(text, 0)?
        {
            (first, start) = (Some(fields), end);
        }
        let written = text_of(text);
        let sentence = after(&written, start);
        for rule in self.rules_for(first.as_ref())? {
            let rule = rule.get();
            if !(rule.app_names.is_empty() || rule.app_names.contains(app_name)) || !sentence.starts_with(&rule.prefix)
            {
                continue;
            }
            if let Some(found) = rule.found(text, start)? {
                let fields = rule.fields_of(&found)?;
                let fields = match first {
                    None => fields,
                    Some(first) => {
                        first.update(fields.as_mapping())?;
                        first
                    }
                };
                return Ok(Some((fields, rule.words.clone_ref(py), start)));
            }
        }
        if !self.takes_unknown || sentence.starts_with("pam_") {
            return Ok(None); // PAM speaks through any program
        }
        Ok(Some((first.unwrap_or_else(|| PyDict::new(py)), self.words.clone_ref(py), start)))
    }
}

impl Rules {
    fn rules_for(&self, first: Option<&Bound<'_, PyDict>>) -> PyResult<&[Py<Rule>]> {
        if let Some(first) = first
            && !self.by_code.is_empty()
            && let Some(code) = first.get_item(pyo3::intern!(first.py(), "event.code"))?
            && let Ok(code) = code.cast::<PyString>()
        {
            return Ok(self.by_code.get(&*text_of(code)).unwrap_or(&self.rules));
        }
        Ok(&self.rules)
    }
}

/// What follows the first `start` characters.
fn after(text: &str, start: usize) -> &str {
    if start == 0 {
        return text;
    }
    match text.get(..start) {
        Some(before) if before.is_ascii() => &text[start..],
        _ => text.char_indices().nth(start).map_or("", |(at, _)| &text[at..]),
    }
}
