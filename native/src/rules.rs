//! Rules compiled once, one engine a log source, so that an event meets only rules made for it.
//!
//! Stateless: an event in, the rules that match it out. Correlation is the caller's.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, RwLock};

use ahash::RandomState;
use rsigma_eval::Engine;
use rsigma_eval::result::FieldMatch;
use serde_json::{Value, json};

use crate::compile::{About, Stock, Stocked, in_parallel};
use crate::event::Event;
use crate::names::{self, Names, View};
use crate::source::{Source, Table};
use crate::words::{Holding, Words};

/// One rule that matched one event.
pub struct Match {
    pub rule: u32,
    pub fields: Vec<(String, String, String, String)>, // selection, field, value, pattern
}

/// A batch's matches as (event, match), and (event, reason) for what is no event.
pub type Found = (Vec<(usize, Match)>, Vec<(usize, String)>);

/// Ways remembered; real events are of a few dozen.
const MOST_ROUTES: usize = 4096;
/// Octets of a way's key; what says more is looked up each time.
const LONGEST_ROUTE: usize = 1024;

struct Group {
    source: Source,
    names: Names,
    holding: Holding, // which events its keywords can be met in
    stock: Mutex<Stock>,
    engine: OnceLock<Engine>,
}

impl Group {
    /// Made for the first event that needs it: no one pays for log sources that do not come.
    fn engine(&self) -> &Engine {
        self.engine.get_or_init(|| std::mem::take(&mut *self.stock.lock().expect("no holder panics")).engine())
    }
}

pub struct Rules {
    pub about: About,
    groups: Vec<Group>,
    words: Words,
    table: Table,
    hasher: RandomState,
    routes: RwLock<HashMap<Vec<u8>, Arc<[usize]>, RandomState>>, // what routing depends on to the groups met
}

impl Rules {
    /// `table` and `fields`: the routing table and the other names of fields, as JSON.
    pub fn build(about: About, stocked: Vec<Stocked>, table: &str, fields: &str) -> Result<Rules, String> {
        let table = Table::from_json(table)?;
        let fields = names::Table::from_json(fields)?;
        let mut all = Words::default();
        let mut group = |Stocked { source, words, stock }: Stocked| Group {
            names: fields.of(&source),
            holding: all.add(words),
            source,
            stock: Mutex::new(stock),
            engine: OnceLock::new(),
        };
        let groups = stocked.into_iter().map(&mut group).collect();
        Ok(Rules { about, groups, words: all, table, hasher: RandomState::new(), routes: RwLock::default() })
    }

    /// Make every engine now, for who would rather wait here than at the first events.
    pub fn warm(&self) {
        in_parallel(self.groups.len(), |at| {
            self.groups[at].engine();
        });
    }

    /// The rules each of `lines` (a JSON object each) matches, in order of event and rule, on `threads` cores.
    pub fn matches(&self, lines: &[&[u8]], threads: usize) -> Found {
        /// Fewer are not worth a thread.
        const WORTH: usize = 64;
        let threads = threads.clamp(1, lines.len() / WORTH + 1);
        let part = lines.len().div_ceil(threads).max(1);
        if threads == 1 {
            return self.in_order(lines, 0);
        }
        std::thread::scope(|scope| {
            let parts: Vec<_> = lines
                .chunks(part)
                .enumerate()
                .map(|(at, lines)| scope.spawn(move || self.in_order(lines, at * part)))
                .collect();
            let mut all: Found = (Vec::new(), Vec::new());
            for part in parts {
                let (found, invalid) = part.join().expect("matching does not panic");
                all.0.extend(found);
                all.1.extend(invalid);
            }
            all
        })
    }

    fn in_order(&self, lines: &[&[u8]], first: usize) -> Found {
        let (mut found, mut invalid) = (Vec::new(), Vec::new());
        for (at, line) in lines.iter().enumerate() {
            match self.of(line) {
                Ok(matches) => found.extend(matches.into_iter().map(|one| (first + at, one))),
                Err(reason) => invalid.push((first + at, reason)),
            }
        }
        (found, invalid)
    }

    /// The rules one event matches, in order of their number.
    fn of(&self, line: &[u8]) -> Result<Vec<Match>, String> {
        let event = Event::read(line, &self.hasher)?;
        let mut found = Vec::new();
        let said = OnceCell::new();
        for group in self.route(&event).iter() {
            let group = &self.groups[*group];
            let has_words = group.holding.may(|| said.get_or_init(|| self.words.of(&event)));
            for result in group.engine().evaluate(&View::of(&event, &group.names, has_words)) {
                let rule = result.header.rule_id.as_deref().and_then(|id| id.parse().ok());
                let fields = result.as_detection().map(|body| body.matched_fields.iter().map(detail).collect());
                if let (Some(rule), Some(fields)) = (rule, fields) {
                    found.push(Match { rule, fields });
                }
            }
        }
        found.sort_by_key(|found| found.rule);
        Ok(found)
    }

    /// As `matches`, every rule by itself and without any index: slow, what the index is held against.
    pub fn plainly(&self, line: &[u8]) -> Result<Vec<u32>, String> {
        let event = Event::read(line, &self.hasher)?;
        let mut found = Vec::new();
        for group in self.route(&event).iter() {
            let group = &self.groups[*group];
            let view = View::of(&event, &group.names, true);
            let fits = group.engine().rules().iter().filter(|rule| rsigma_eval::evaluate_rule(rule, &view).is_some());
            found.extend(fits.filter_map(|rule| rule.id.as_deref().and_then(|id| id.parse::<u32>().ok())));
        }
        found.sort_unstable();
        Ok(found)
    }

    /// The groups an event meets.
    fn route(&self, event: &Event<'_>) -> Arc<[usize]> {
        let said = self.table.said(event);
        let key = self.table.key(&said);
        if let Some(groups) = self.routes.read().expect("no holder panics").get(&key) {
            return groups.clone();
        }
        let sources = self.table.of(&said);
        let meets = |at: &usize| self.table.meets(&self.groups[*at].source, &sources);
        let groups: Arc<[usize]> = (0..self.groups.len()).filter(meets).collect();
        if key.len() <= LONGEST_ROUTE {
            let mut routes = self.routes.write().expect("no holder panics");
            if routes.len() >= MOST_ROUTES {
                routes.clear(); // events that mean harm can say anything
            }
            routes.insert(key, groups.clone());
        }
        groups
    }

    /// The log sources of one event, as the table sees it: for `rules check` and tests.
    pub fn sources(&self, line: &[u8]) -> Result<Vec<Source>, String> {
        let event = Event::read(line, &self.hasher)?;
        let numbers = self.table.of(&self.table.said(&event));
        Ok(numbers.into_iter().map(|n| self.table.sources[usize::from(n)].clone()).collect())
    }

    /// The log sources of rules that no event is ever of.
    pub fn unreached(&self) -> Vec<Source> {
        let mut all: Vec<Source> =
            self.groups.iter().map(|group| &group.source).filter(|s| !self.table.reaches(s)).cloned().collect();
        all.sort_by_key(|source| format!("{source:?}"));
        all
    }
}

fn detail(field: &FieldMatch) -> (String, String, String, String) {
    let value = match &field.value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let pattern = match (&field.pattern, field.matcher) {
        (Some(pattern), _) => pattern.clone(),
        (None, Some(kind)) => json!(kind).as_str().unwrap_or_default().to_string(),
        (None, None) => String::new(),
    };
    let pattern = if field.negated { format!("not {pattern}") } else { pattern };
    (field.selection.clone().unwrap_or_default(), field.field.clone(), value, pattern)
}
