//! Which log sources an event belongs to.
//!
//! The table is data (soc/sigma/logsources.yaml, handed over as JSON): each entry says "when these
//! fields have one of these values, the event is of this log source". Entries that ask for the same
//! fields share one hash map, so the cost per event is one lookup per distinct set of fields and
//! does not grow with the number of entries.

use std::collections::{BTreeMap, HashMap};

use rsigma_eval::event::{Event, EventValue};
use serde::Deserialize;

/// "*" in the table: the field is there, whatever it says.
const PRESENT: &str = "*";
const JOIN: char = '\u{1f}';

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    pub product: Option<String>,
    pub category: Option<String>,
    pub service: Option<String>,
}

impl Source {
    /// Lower case, blank means absent: how both sides are compared.
    pub fn normal(&self) -> Source {
        let lower = |part: &Option<String>| {
            part.as_ref().map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty())
        };
        Source { product: lower(&self.product), category: lower(&self.category), service: lower(&self.service) }
    }

    /// A rule of source `self` looks at an event of source `event`: all it names is there and equal.
    pub fn covers(&self, event: &Source) -> bool {
        let same = |rule: &Option<String>, event: &Option<String>| rule.is_none() || rule == event;
        same(&self.product, &event.product)
            && same(&self.category, &event.category)
            && same(&self.service, &event.service)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    when: BTreeMap<String, Vec<String>>,
    is: Source,
}

struct Lookup {
    fields: Vec<(String, bool)>, // name, and whether only its presence counts
    sources: HashMap<String, Vec<u16>>,
}

/// The compiled table.
pub struct Table {
    pub sources: Vec<Source>,
    lookups: Vec<Lookup>,
}

impl Table {
    pub fn from_json(text: &str) -> Result<Table, String> {
        let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut table = Table { sources: Vec::new(), lookups: Vec::new() };
        for entry in entries {
            let source = table.number(entry.is.normal());
            let fields: Vec<(String, bool)> = entry
                .when
                .iter()
                .map(|(name, values)| (name.clone(), values.iter().any(|value| value == PRESENT)))
                .collect();
            let at = match table.lookups.iter().position(|lookup| lookup.fields == fields) {
                Some(at) => at,
                None => {
                    table.lookups.push(Lookup { fields, sources: HashMap::new() });
                    table.lookups.len() - 1
                }
            };
            for key in keys(&entry.when) {
                table.lookups[at].sources.entry(key).or_default().push(source);
            }
        }
        Ok(table)
    }

    fn number(&mut self, source: Source) -> u16 {
        let at = self.sources.iter().position(|known| *known == source).unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        u16::try_from(at).expect("fewer than 65,536 log sources")
    }

    /// Numbers of the log sources of `event`, ascending; empty when the table does not know it.
    pub fn of<E: Event>(&self, event: &E) -> Vec<u16> {
        let mut found: Vec<u16> = Vec::new();
        for lookup in &self.lookups {
            for key in event_keys(lookup, event) {
                if let Some(sources) = lookup.sources.get(&key) {
                    found.extend(sources);
                }
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Every combination of the values an entry lists, as map keys.
fn keys(when: &BTreeMap<String, Vec<String>>) -> Vec<String> {
    let mut keys = vec![String::new()];
    for values in when.values() {
        let present = values.iter().any(|value| value == PRESENT);
        let options: Vec<String> =
            if present { vec![PRESENT.into()] } else { values.iter().map(|value| value.to_lowercase()).collect() };
        keys = keys.iter().flat_map(|key| options.iter().map(move |option| format!("{key}{option}{JOIN}"))).collect();
    }
    keys
}

/// The keys `event` has for a lookup: one, more when a field is a list, none when a field is absent.
fn event_keys<E: Event>(lookup: &Lookup, event: &E) -> Vec<String> {
    let mut keys = vec![String::new()];
    for (name, only_presence) in &lookup.fields {
        let Some(value) = event.get_field(name) else { return Vec::new() };
        let options = if *only_presence { vec![PRESENT.to_string()] } else { texts(&value) };
        keys = keys.iter().flat_map(|key| options.iter().map(move |option| format!("{key}{option}{JOIN}"))).collect();
    }
    keys
}

fn texts(value: &EventValue<'_>) -> Vec<String> {
    match value {
        EventValue::Array(items) => items.iter().flat_map(texts).collect(),
        _ => value.as_str().map(|text| text.to_lowercase()).into_iter().collect(),
    }
}
