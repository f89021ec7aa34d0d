//! What the documents of parsers say, compiled: which key of a sender is which field, which words of a message mean
//! what. `monitoring/parsers/_structured.py` reads the documents and says what each of these is for.

use std::sync::{Arc, RwLock};

use ahash::{HashMap, HashMapExt, HashSet};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::fields::{Name, is_nothing, text_of};

const LONGEST_SEARCHED: usize = 4096; // characters a condition's pattern is shown
const LONGEST_KEY: usize = 128;
const MOST_KEYS: usize = 16384;

struct Target {
    name: Arc<Name>,
    rank: u32, // of two keys for one field the lower counts; 0: no other key
    place: usize,
}

/// The keys of a parser. Of two keys for one field the first written counts, wherever it stands in the message.
#[pyclass(frozen, module = "canh_native")]
pub struct KeyTable {
    places: Py<PyDict>, // key -> place in `targets`; a dictionary knows the hash of a text, which is as long as all else
    targets: Vec<Vec<Target>>,
    ranked: usize, // fields that several keys may fill
}

#[pymethods]
impl KeyTable {
    /// keys: (key, field), the preferred key of a field last.
    #[new]
    fn new(py: Python<'_>, keys: Vec<(String, String)>) -> PyResult<Self> {
        let mut count: HashMap<&str, usize> = HashMap::new();
        for (_, name) in &keys {
            *count.entry(name).or_default() += 1;
        }
        let mut places: HashMap<&str, usize> = HashMap::new();
        let known = PyDict::new(py);
        let mut targets: Vec<Vec<Target>> = Vec::new();
        for (at, (key, name)) in keys.iter().enumerate() {
            let (mut rank, mut place) = (0, 0);
            if count[name.as_str()] > 1 {
                let next = places.len();
                (rank, place) = ((keys.len() - at) as u32, *places.entry(name).or_insert(next));
            }
            let key = PyString::intern(py, key);
            let number = match known.get_item(&key)? {
                Some(number) => number.extract()?,
                None => {
                    known.set_item(&key, targets.len())?;
                    targets.push(Vec::new());
                    targets.len() - 1
                }
            };
            targets[number].push(Target { name: Name::of(py, name), rank, place });
        }
        let ranked = places.len();
        Ok(KeyTable { places: known.unbind(), targets, ranked })
    }

    /// Put every pair of a message that has a field.
    fn fill(&self, fields: &Bound<'_, PyDict>, pairs: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = fields.py();
        let places = self.places.bind(py);
        let mut ranks = vec![u32::MAX; self.ranked];
        for (key, value) in pairs {
            let Some(number) = places.get_item(key)? else { continue };
            for target in &self.targets[number.extract::<usize>()?] {
                if target.rank == 0 {
                    target.name.put(fields, &value)?;
                } else if target.rank <= ranks[target.place] && !is_absent(&value) {
                    target.name.put(fields, &value)?;
                    if fields.contains(target.name.key.bind(py))? {
                        ranks[target.place] = target.rank;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A value that says nothing leaves the field to the next key.
fn is_absent(value: &Bound<'_, PyAny>) -> bool {
    value.cast::<PyString>().is_ok_and(|text| is_nothing(crate::fields::strip(&text_of(text))))
}

/// (key, words in lower case, pattern or None, is negated); no words and no pattern: the key must be there.
type ConditionRow = (String, Vec<String>, Option<Py<PyAny>>, bool);

struct Condition {
    key: Py<PyString>,
    words: HashSet<String>,
    pattern: Option<Py<PyAny>>,
    is_negated: bool,
}

impl Condition {
    fn of(py: Python<'_>, (key, words, pattern, is_negated): ConditionRow) -> Condition {
        let key = PyString::intern(py, &key).unbind();
        Condition { key, words: words.into_iter().collect(), pattern, is_negated }
    }

    fn holds(&self, pairs: &Bound<'_, PyDict>) -> PyResult<bool> {
        let py = pairs.py();
        let value = pairs.get_item(self.key.bind(py))?.filter(|value| !value.is_none());
        let text = match &value {
            None => PyString::new(py, ""),
            Some(value) => match value.cast::<PyString>() {
                Ok(text) => text.clone(),
                Err(_) => value.str()?,
            },
        };
        let written = text_of(&text);
        let fits = if let Some(pattern) = &self.pattern {
            let shown = written.char_indices().nth(LONGEST_SEARCHED).map_or(&*written, |(at, _)| &written[..at]);
            let found = if shown.len() == written.len() {
                pattern.bind(py).call_method1("search", (text.clone(),))?
            } else {
                pattern.bind(py).call_method1("search", (shown,))?
            };
            !found.is_none()
        } else if self.words.is_empty() {
            value.is_some() && !is_nothing(&written)
        } else {
            self.has_word(&written)
        };
        Ok(fits != self.is_negated)
    }

    fn has_word(&self, written: &str) -> bool {
        if written.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
            self.words.contains(written)
        } else {
            self.words.contains(&written.to_lowercase())
        }
    }
}

/// Conditions that must all hold.
#[pyclass(frozen, module = "canh_native")]
pub struct Conditions {
    conditions: Vec<Condition>,
}

#[pymethods]
impl Conditions {
    #[new]
    fn new(py: Python<'_>, conditions: Vec<ConditionRow>) -> Self {
        Conditions { conditions: conditions.into_iter().map(|row| Condition::of(py, row)).collect() }
    }

    fn hold(&self, pairs: &Bound<'_, PyDict>) -> PyResult<bool> {
        for condition in &self.conditions {
            if !condition.holds(pairs)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// (conditions, fields to set, keys as of a `KeyTable`)
type CaseRow = (Vec<ConditionRow>, Py<PyDict>, Vec<(String, String)>);
/// (cases tried in order, key whose value names a case, characters of its end that count (0: all), cases by name)
type GroupRow = (Vec<CaseRow>, String, usize, HashMap<String, usize>, Vec<CaseRow>);

struct Case {
    when: Conditions,
    fields: Py<PyDict>,
    keys: Vec<(Py<PyString>, Arc<Name>)>,
}

impl Case {
    fn of(py: Python<'_>, (when, fields, keys): CaseRow) -> Case {
        let key_of = |(key, name): (String, String)| (PyString::intern(py, &key).unbind(), Name::of(py, &name));
        Case { when: Conditions::new(py, when), fields, keys: keys.into_iter().map(key_of).collect() }
    }

    fn apply(&self, fields: &Bound<'_, PyDict>, pairs: &Bound<'_, PyDict>) -> PyResult<()> {
        let py = fields.py();
        for (key, name) in &self.keys {
            if let Some(value) = pairs.get_item(key.bind(py))? {
                name.put(fields, &value)?;
            }
        }
        fields.update(self.fields.bind(py).as_mapping())
    }
}

struct Group {
    cases: Vec<Case>,
    by: Option<Py<PyString>>,
    last: usize,
    named: HashMap<String, usize>,
    of_name: Vec<Case>,
}

impl Group {
    fn of(py: Python<'_>, (cases, by, last, named, of_name): GroupRow) -> Group {
        Group {
            cases: cases.into_iter().map(|case| Case::of(py, case)).collect(),
            by: (!by.is_empty()).then(|| PyString::intern(py, &by).unbind()),
            last,
            named,
            of_name: of_name.into_iter().map(|case| Case::of(py, case)).collect(),
        }
    }

    fn case_for(&self, pairs: &Bound<'_, PyDict>) -> PyResult<Option<&Case>> {
        if let Some(named) = self.named_by(pairs)? {
            return Ok(Some(named));
        }
        for case in &self.cases {
            if case.when.hold(pairs)? {
                return Ok(Some(case));
            }
        }
        Ok(None)
    }

    fn named_by(&self, pairs: &Bound<'_, PyDict>) -> PyResult<Option<&Case>> {
        let Some(by) = &self.by else { return Ok(None) };
        let Some(value) = pairs.get_item(by.bind(pairs.py()))?.filter(|value| !value.is_none()) else {
            return Ok(None);
        };
        let text = value.str()?;
        let written = text_of(&text);
        let length = if self.last == 0 { 0 } else { written.chars().count() };
        let end = if length > self.last {
            let from = written.char_indices().nth(length - self.last).map_or(0, |(at, _)| at);
            &written[from..]
        } else {
            &written
        };
        Ok(self.named.get(&end.to_lowercase()).map(|at| &self.of_name[*at]))
    }
}

/// Groups of cases, of each of which the first that fits counts.
#[pyclass(frozen, module = "canh_native")]
pub struct Cases {
    groups: Vec<Group>,
}

#[pymethods]
impl Cases {
    #[new]
    fn new(py: Python<'_>, groups: Vec<GroupRow>) -> Self {
        Cases { groups: groups.into_iter().map(|group| Group::of(py, group)).collect() }
    }

    /// Set what the cases say that fit these pairs.
    fn apply(&self, fields: &Bound<'_, PyDict>, pairs: &Bound<'_, PyDict>) -> PyResult<()> {
        for group in &self.groups {
            if let Some(case) = group.case_for(pairs)? {
                case.apply(fields, pairs)?;
            }
        }
        Ok(())
    }
}

/// The names that many senders use, without regard to case and punctuation.
#[pyclass(frozen, module = "canh_native")]
pub struct Common {
    names: HashMap<String, Arc<Name>>,
    found: RwLock<HashMap<String, Option<Arc<Name>>>>,
}

#[pymethods]
impl Common {
    /// names: field by the plain form of a key.
    #[new]
    fn new(py: Python<'_>, names: HashMap<String, String>) -> Self {
        let names = names.into_iter().map(|(key, name)| (key, Name::of(py, &name))).collect();
        Common { names, found: RwLock::default() }
    }

    /// Fill what is still open. ignored: keys that mean something else here.
    fn fill(&self, fields: &Bound<'_, PyDict>, pairs: &Bound<'_, PyDict>, ignored: HashSet<String>) -> PyResult<()> {
        let py = fields.py();
        for (key, value) in pairs {
            let Ok(key) = key.cast::<PyString>() else { continue };
            let key = text_of(key);
            if key.len() >= LONGEST_KEY || (!ignored.is_empty() && ignored.contains(&*key)) {
                continue;
            }
            if let Some(name) = self.field_of(&key)
                && !fields.contains(name.key.bind(py))?
            {
                name.put(fields, &value)?;
            }
        }
        Ok(())
    }

    /// The field of a key, None when it has none.
    fn field(&self, py: Python<'_>, key: &str) -> Option<Py<PyString>> {
        self.field_of(key).map(|name| name.key.clone_ref(py))
    }
}

impl Common {
    /// By the whole of the key, else by its last parts: `client.ipAddress`, then `ipAddress`.
    fn field_of(&self, key: &str) -> Option<Arc<Name>> {
        if let Some(found) = self.found.read().ok().and_then(|found| found.get(key).cloned()) {
            return found;
        }
        let parts: Vec<String> = key.split('.').map(plain).collect();
        let name = (0..parts.len()).find_map(|start| self.names.get(&parts[start..].concat()).cloned());
        if let Ok(mut found) = self.found.write() {
            if found.len() >= MOST_KEYS {
                found.clear();
            }
            found.insert(key.to_owned(), name.clone());
        }
        name
    }
}

fn plain(part: &str) -> String {
    part.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
