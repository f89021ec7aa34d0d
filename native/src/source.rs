//! Which log sources an event belongs to.
//!
//! The table is data (soc/sigma/logsources.yaml, handed over as JSON): each entry says "when these
//! fields have one of these values, the event is of this log source". Entries that ask for the same
//! fields share one hash map, so the cost per event is one lookup per distinct set of fields and
//! does not grow with the number of entries.

use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;
use rsigma_eval::event::EventValue;
use serde::{Deserialize, Serialize};

use crate::event::Event;

/// "*" in the table: the field is there, whatever it says.
const PRESENT: &str = "*";
const JOIN: char = '\u{1f}';
/// Of a field that is a list no more values count: a hostile event would else ask for every pair of thousands.
const MOST_VALUES: usize = 16;

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
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

    fn is_detailed(&self) -> bool {
        self.category.is_some() || self.service.is_some()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    when: BTreeMap<String, Vec<String>>,
    is: Source,
    /// Nothing more being known of its product, the event meets every rule that names the product.
    #[serde(default)]
    open: bool,
}

/// A field that entries ask for: looked for once an event.
struct Asked {
    name: String,
    counts: bool, // what it says, and not only its presence
}

struct Lookup {
    fields: Vec<(usize, bool)>, // number of the name, and whether only its presence counts
    sources: HashMap<String, Vec<u16>, RandomState>,
}

/// The compiled table.
pub struct Table {
    pub sources: Vec<Source>,
    open: Vec<bool>, // by source
    names: Vec<Asked>,
    lookups: Vec<Lookup>,
}

impl Table {
    pub fn from_json(text: &str) -> Result<Table, String> {
        let entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let mut table = Table { sources: Vec::new(), open: Vec::new(), names: Vec::new(), lookups: Vec::new() };
        for entry in entries {
            let source = table.number(entry.is.normal());
            table.open[usize::from(source)] |= entry.open;
            let fields: Vec<(usize, bool)> = entry
                .when
                .iter()
                .map(|(name, values)| {
                    let only_presence = values.iter().any(|value| value == PRESENT);
                    (table.name(name, !only_presence), only_presence)
                })
                .collect();
            let at = match table.lookups.iter().position(|lookup| lookup.fields == fields) {
                Some(at) => at,
                None => {
                    table.lookups.push(Lookup { fields, sources: HashMap::default() });
                    table.lookups.len() - 1
                }
            };
            for key in keys(&entry.when) {
                let known = table.lookups[at].sources.entry(key).or_default();
                if !known.contains(&source) {
                    known.push(source);
                }
            }
        }
        Ok(table)
    }

    fn number(&mut self, source: Source) -> u16 {
        let at = self.sources.iter().position(|known| *known == source).unwrap_or_else(|| {
            self.sources.push(source);
            self.open.push(false);
            self.sources.len() - 1
        });
        u16::try_from(at).expect("fewer than 65,536 log sources")
    }

    fn name(&mut self, name: &str, counts: bool) -> usize {
        let at = self.names.iter().position(|known| known.name == name).unwrap_or_else(|| {
            self.names.push(Asked { name: name.to_owned(), counts: false });
            self.names.len() - 1
        });
        self.names[at].counts |= counts;
        at
    }

    /// What `event` says of the fields that entries ask for.
    pub fn said<'e>(&self, event: &'e Event<'_>) -> Vec<Option<EventValue<'e>>> {
        self.names.iter().map(|asked| event.find_for_routing(&asked.name)).collect()
    }

    /// What of that routing depends on, as one key: events of the same key are of the same log sources.
    pub fn key(&self, said: &[Option<EventValue<'_>>]) -> Vec<u8> {
        let mut key = Vec::with_capacity(256);
        for (asked, value) in self.names.iter().zip(said) {
            match value {
                None => key.push(ABSENT),
                Some(value) if asked.counts => write(value, &mut key),
                Some(_) => key.push(THERE),
            }
        }
        key
    }

    /// Numbers of the log sources of an event that said so, ascending; empty when the table does not know it.
    pub fn of(&self, said: &[Option<EventValue<'_>>]) -> Vec<u16> {
        let mut found: Vec<u16> = Vec::with_capacity(8);
        let mut key = String::with_capacity(64);
        for lookup in &self.lookups {
            key.clear();
            each_key(&lookup.fields, said, &mut key, &mut |key| {
                if let Some(sources) = lookup.sources.get(key) {
                    found.extend(sources);
                }
            });
        }
        found.sort_unstable();
        found.dedup();
        found
    }

    /// Whether rules of `source` look at events of `sources`. An event the table does not know meets
    /// all: a rule missed because of a log source nobody thought of is worse than the time.
    pub fn meets(&self, source: &Source, sources: &[u16]) -> bool {
        if sources.is_empty() {
            return true;
        }
        let all = || sources.iter().map(|number| (usize::from(*number), &self.sources[usize::from(*number)]));
        all().any(|(_, of)| source.covers(of))
            || (source.product.is_some()
                && all().any(|(number, of)| self.open[number] && of.product == source.product)
                && !all().any(|(_, of)| of.product == source.product && of.is_detailed()))
    }

    /// Whether any event at all can be of a source that rules of `source` look at.
    pub fn reaches(&self, source: &Source) -> bool {
        self.sources.iter().any(|of| source.covers(of))
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

/// The keys the values of an event make for some fields: one, more when a field is a list, none when a field is absent.
fn each_key(fields: &[(usize, bool)], values: &[Option<EventValue<'_>>], key: &mut String, say: &mut dyn FnMut(&str)) {
    let Some(((number, only_presence), rest)) = fields.split_first() else { return say(key) };
    let Some(value) = &values[*number] else { return };
    let long = key.len();
    let mut with = |text: &str| {
        if text.is_ascii() {
            key.push_str(text);
            key[long..].make_ascii_lowercase();
        } else {
            key.push_str(&text.to_lowercase());
        }
        key.push(JOIN);
        each_key(rest, values, key, say);
        key.truncate(long);
    };
    if *only_presence { with(PRESENT) } else { texts(value, &mut with) }
}

const ABSENT: u8 = 0;
const THERE: u8 = 1;
const TEXT: u8 = 2;
const LIST: u8 = 3;

/// A value so that no other one is written the same; of a list as much as `texts` reads.
fn write(value: &EventValue<'_>, key: &mut Vec<u8>) {
    match value {
        EventValue::Array(items) => {
            let items = &items[..items.len().min(MOST_VALUES)];
            key.extend([LIST, u8::try_from(items.len()).expect("few")]);
            items.iter().for_each(|item| write(item, key));
        }
        _ => match value.as_str() {
            Some(text) => {
                key.push(TEXT);
                key.extend((text.len() as u64).to_le_bytes());
                key.extend(text.as_bytes());
            }
            None => key.push(THERE),
        },
    }
}

fn texts(value: &EventValue<'_>, say: &mut dyn FnMut(&str)) {
    match value {
        EventValue::Array(items) => items.iter().take(MOST_VALUES).for_each(|item| texts(item, say)),
        _ => {
            if let Some(text) = value.as_str() {
                say(&text);
            }
        }
    }
}
