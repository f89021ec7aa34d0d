//! Names a rule uses for what an event calls otherwise, followed when a field is looked up.
//!
//! The table is data (soc/sigma/fields.yaml, handed over as JSON). An entry counts for rules whose log
//! source says at least what its `for` says. Nothing is rewritten: a rule stays as its author wrote it,
//! and `null` or `exists` mean the same under every name.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use ahash::RandomState;
use rsigma_eval::event::{Event as Looked, EventValue};
use serde::Deserialize;

use crate::event::{Event, root_bit};
use crate::source::Source;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(rename = "for", default)]
    source: Source,
    #[serde(default)]
    fields: BTreeMap<String, Vec<String>>,
    /// Objects in which a name is looked for as it is.
    #[serde(default)]
    under: Vec<String>,
    /// Whether names of the JSON in `event.original` count.
    #[serde(default)]
    original: bool,
}

/// The whole table.
pub struct Table {
    entries: Vec<Entry>,
}

impl Table {
    pub fn from_json(text: &str) -> Result<Table, String> {
        let mut entries: Vec<Entry> = serde_json::from_str(text).map_err(|error| error.to_string())?;
        entries.iter_mut().for_each(|entry| entry.source = entry.source.normal());
        Ok(Table { entries })
    }

    /// What counts for rules of `source`; entries that come first are looked at first.
    pub fn of(&self, source: &Source) -> Names {
        let mut names = Names::default();
        for entry in self.entries.iter().filter(|entry| entry.source.covers(source)) {
            for (name, others) in &entry.fields {
                let known = names.others.entry(name.clone()).or_default();
                known.extend(others.iter().filter(|other| *other != name).cloned());
            }
            names.under.extend(entry.under.iter().map(|prefix| format!("{prefix}.")));
            names.roots |= entry.under.iter().fold(0, |bits, prefix| bits | root_bit(prefix));
            names.original |= entry.original;
        }
        names
    }
}

/// The other names of fields, for rules of one log source.
#[derive(Default)]
pub struct Names {
    others: HashMap<String, Vec<String>, RandomState>,
    under: Vec<String>, // with the dot
    roots: u64,         // of `under`
    original: bool,
}

/// An event under the names of one log source's rules.
pub struct View<'e, 'a> {
    pub event: &'e Event<'a>,
    pub names: &'e Names,
    /// What an event calls its fields says whether it can have any of `under`.
    pub has_under: bool,
    /// Whether any keyword of those rules can be met in it.
    pub has_words: bool,
}

impl<'e, 'a> View<'e, 'a> {
    pub fn of(event: &'e Event<'a>, names: &'e Names, has_words: bool) -> Self {
        View { event, names, has_under: event.may_begin_with(names.roots), has_words }
    }

    fn other(&self, path: &str) -> Option<EventValue<'_>> {
        if self.has_under {
            for prefix in &self.names.under {
                if let Some(value) = self.event.find(&format!("{prefix}{path}")) {
                    return Some(value);
                }
            }
        }
        let others = self.names.others.get(path).map_or(&[][..], Vec::as_slice);
        if let Some(value) = others.iter().find_map(|other| self.event.find(other)) {
            return Some(value);
        }
        let mut all = [path].into_iter().chain(others.iter().map(String::as_str));
        if !self.names.original || !all.clone().any(|name| self.event.original_may_say(name)) {
            return None;
        }
        let original = self.event.original()?;
        all.find_map(|name| original.find(name))
    }
}

impl Looked for View<'_, '_> {
    /// The field itself; else what stands under one of its other names. An object is no value a rule
    /// asks for (`user` of a rule is not ECS's object `user`), so another name goes before it. A null is as
    /// good as not there: two of them are not equal, and neither is different from anything.
    fn get_field(&self, path: &str) -> Option<EventValue<'_>> {
        let found = match self.event.find(path) {
            None | Some(EventValue::Null) => self.other(path),
            Some(object @ EventValue::Map(_)) => Some(self.other(path).unwrap_or(object)),
            found => found,
        };
        found.filter(|value| !value.is_null())
    }

    fn any_string_value(&self, pred: &dyn Fn(&str) -> bool) -> bool {
        self.has_words && self.event.any_text(&mut |text| pred(text))
    }

    fn all_string_values(&self) -> Vec<Cow<'_, str>> {
        let mut texts = Vec::new();
        self.visit_string_values(&mut |text| texts.push(Cow::Owned(text.to_owned())));
        texts
    }

    fn visit_string_values(&self, visit: &mut dyn FnMut(&str)) {
        if !self.has_words {
            return;
        }
        self.event.any_text(&mut |text| {
            visit(text);
            false
        });
    }

    fn to_json(&self) -> serde_json::Value {
        self.event.to_json()
    }

    // top_level_keys stays unknown: with other names in play only looking every field up tells which
    // of those the index knows are there.
}
