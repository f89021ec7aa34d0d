//! Rules compiled once, one engine a log source, so that an event meets only rules made for it.
//!
//! Stateless: an event in, the rules that match it out. Correlation is the caller's.

use std::collections::HashMap;
use std::sync::RwLock;

use rsigma_eval::event::JsonEvent;
use rsigma_eval::pipeline::{apply_pipelines, merge_pipelines, parse_pipeline};
use rsigma_eval::result::{FieldMatch, MatchDetailLevel};
use rsigma_eval::{Engine, Pipeline, resolve_builtin_pipeline};
use rsigma_parser::{FilterRule, SigmaRule, parse_sigma_yaml};
use serde_json::{Value, json};

use crate::source::{Source, Table};

/// A document that cannot be used: which of the given ones, and why.
pub type Refusal = (usize, String);

/// One rule that matched one event.
pub struct Match {
    pub rule: u32,
    pub fields: Vec<(String, String, String, String)>, // selection, field, value, pattern
}

struct Group {
    source: Source,
    engine: Engine,
}

pub struct Rules {
    pub described: Vec<String>, // JSON, one a rule, by number
    pub refused: Vec<Refusal>,
    pub remarks: Vec<Refusal>, // about documents that are used all the same
    groups: Vec<Group>,
    table: Table,
    routes: RwLock<HashMap<Vec<u16>, Vec<usize>>>, // an event's sources to the groups it meets
}

impl Rules {
    /// Compile `documents` (YAML texts, each one or more Sigma documents). A bad one is refused, the
    /// others go on. `pipelines` are names of built-in ones or YAML texts.
    pub fn compile(documents: &[String], table: &str, pipelines: &[String]) -> Result<Rules, String> {
        let table = Table::from_json(table)?;
        let pipelines = read_pipelines(pipelines)?;
        let mut reader = Reader::default();
        for (at, text) in documents.iter().enumerate() {
            reader.read(at, text, &pipelines);
        }
        let Reader { rules, filters, mut refused, remarks } = reader;
        let mut described = Vec::new();
        let mut grouped: Vec<(Source, Vec<(usize, SigmaRule)>)> = Vec::new();
        for (at, source, mut rule) in rules {
            described.push(describe(at, &source, &rule).to_string());
            // The engine hands back a rule's id; a number there names it without a search. Filters
            // are applied by id, so they are told the numbers below.
            rule.id = Some((described.len() - 1).to_string());
            match grouped.iter_mut().find(|(known, _)| *known == source) {
                Some((_, members)) => members.push((at, rule)),
                None => grouped.push((source, vec![(at, rule)])),
            }
        }
        let filters = numbered(filters, &described);
        let mut groups = Vec::new();
        for (source, members) in grouped {
            groups.push(Group { source, engine: engine_of(members, &filters, &mut refused) });
        }
        refused.sort();
        Ok(Rules { described, refused, remarks, groups, table, routes: RwLock::default() })
    }

    /// The rules `line` (one JSON object) matches, in order of their number.
    pub fn matches(&self, line: &[u8]) -> Result<Vec<Match>, String> {
        let document: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        if !document.is_object() {
            return Err("an event is a JSON object".into());
        }
        let event = JsonEvent::borrow(&document);
        let mut found = Vec::new();
        for group in self.route(self.table.of(&event)) {
            for result in self.groups[group].engine.evaluate(&event) {
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

    /// The groups an event of `sources` meets. One the table does not know meets all: a rule
    /// missed because of a log source nobody thought of is worse than the time.
    fn route(&self, sources: Vec<u16>) -> Vec<usize> {
        if let Some(groups) = self.routes.read().expect("no holder panics").get(&sources) {
            return groups.clone();
        }
        let meets = |group: &Group| {
            sources.is_empty() || sources.iter().any(|n| group.source.covers(&self.table.sources[usize::from(*n)]))
        };
        let groups: Vec<usize> = (0..self.groups.len()).filter(|at| meets(&self.groups[*at])).collect();
        self.routes.write().expect("no holder panics").insert(sources, groups.clone());
        groups
    }

    /// The log sources of one event, as the table sees it: for `rules check` and tests.
    pub fn sources(&self, line: &[u8]) -> Result<Vec<Source>, String> {
        let document: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let numbers = self.table.of(&JsonEvent::borrow(&document));
        Ok(numbers.into_iter().map(|n| self.table.sources[usize::from(n)].clone()).collect())
    }
}

#[derive(Default)]
struct Reader {
    rules: Vec<(usize, Source, SigmaRule)>,
    filters: Vec<(usize, FilterRule)>,
    refused: Vec<Refusal>,
    remarks: Vec<Refusal>,
}

impl Reader {
    fn read(&mut self, at: usize, text: &str, pipelines: &[Pipeline]) {
        let collection = match parse_sigma_yaml(text) {
            Ok(collection) => collection,
            Err(error) => return self.refused.push((at, error.to_string())),
        };
        let usable = collection.rules.len() + collection.filters.len() + collection.correlations.len();
        let unusable = if usable == 0 { &mut self.refused } else { &mut self.remarks };
        unusable.extend(collection.errors.into_iter().map(|error| (at, error)));
        self.filters.extend(collection.filters.into_iter().map(|filter| (at, filter)));
        for mut rule in collection.rules {
            match apply_pipelines(pipelines, &mut rule) {
                Err(error) => self.refused.push((at, error.to_string())),
                Ok(()) => {
                    let source = Source {
                        product: rule.logsource.product.clone(),
                        category: rule.logsource.category.clone(),
                        service: rule.logsource.service.clone(),
                    };
                    self.rules.push((at, source.normal(), rule));
                }
            }
        }
    }
}

fn read_pipelines(given: &[String]) -> Result<Vec<Pipeline>, String> {
    let mut pipelines = Vec::new();
    for text in given {
        let parsed = resolve_builtin_pipeline(text).unwrap_or_else(|| parse_pipeline(text));
        pipelines.push(parsed.map_err(|error| error.to_string())?);
    }
    merge_pipelines(&mut pipelines);
    Ok(pipelines)
}

fn engine_of(members: Vec<(usize, SigmaRule)>, filters: &[(usize, FilterRule)], refused: &mut Vec<Refusal>) -> Engine {
    let mut engine = Engine::new();
    engine.set_match_detail(MatchDetailLevel::Full);
    // In one call: the index is rebuilt once a call, and one call a rule is quadratic.
    for (at, error) in engine.add_rules(members.iter().map(|(_, rule)| rule)) {
        refused.push((members[at].0, error.to_string()));
    }
    for (at, filter) in filters {
        if let Err(error) = engine.apply_filter(filter) {
            refused.push((*at, error.to_string()));
        }
    }
    engine
}

/// Filters name rules by id or title; here rules go by number.
fn numbered(filters: Vec<(usize, FilterRule)>, described: &[String]) -> Vec<(usize, FilterRule)> {
    use rsigma_parser::FilterRuleTarget::Specific;
    let known: Vec<Value> = described.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
    let renumber = |name: &String| -> Vec<String> {
        let named = |rule: &Value| ["id", "name", "title"].iter().any(|key| rule[*key] == name.as_str());
        (0..known.len()).filter(|at| named(&known[*at])).map(|at| at.to_string()).collect()
    };
    filters
        .into_iter()
        .map(|(at, mut filter)| {
            if let Specific(names) = &filter.rules {
                filter.rules = Specific(names.iter().flat_map(renumber).collect());
            }
            (at, filter)
        })
        .collect()
}

fn describe(at: usize, source: &Source, rule: &SigmaRule) -> Value {
    json!({
        "document": at,
        "id": rule.id,
        "name": rule.name,
        "title": rule.title,
        "level": rule.level.map(|level| level.as_str()),
        "tags": rule.tags,
        "product": source.product,
        "category": source.category,
        "service": source.service,
    })
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
