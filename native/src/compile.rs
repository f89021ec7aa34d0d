//! From Sigma documents to lowered rules, and from those to engines: the slow part, done once a rule set.
//!
//! What lies between the two can be written down (`Prepared`), so that a second start compiles no text.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use rsigma_eval::pipeline::{apply_pipelines, merge_pipelines, parse_pipeline};
use rsigma_eval::result::MatchDetailLevel;
use rsigma_eval::{CompiledRule, Engine, Pipeline, compile_to_compiled, resolve_builtin_pipeline};
use rsigma_ir::{HIR_SCHEMA_VERSION, IrCondition, IrDetection, IrRule, IrRuleMetadata, LowerOptions, lower_rule};
use rsigma_parser::{FilterRule, FilterRuleTarget, LogSource, SigmaRule, parse_sigma_yaml};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::semantics;
use crate::source::Source;
use crate::words::Needed;

/// A document that cannot be used: which of the given ones, and why.
pub type Refusal = (usize, String);

/// Rules read and lowered; all that `Rules` needs of the documents.
#[derive(Default)]
pub struct Prepared {
    pub about: About,
    pub rules: Vec<IrRule>, // a rule's id is its number; those of one group stand together
}

#[derive(Default, Clone, Serialize, Deserialize)]
pub struct About {
    pub described: Vec<Value>, // one a rule, by number
    pub refused: Vec<Refusal>,
    pub remarks: Vec<Refusal>,        // about documents that are used all the same
    pub groups: Vec<(Source, usize)>, // log source, how many of the rules
}

struct Read {
    rules: Vec<(usize, SigmaRule)>,
    filters: Vec<(usize, FilterRule)>,
    refused: Vec<Refusal>,
    remarks: Vec<Refusal>,
}

impl Prepared {
    /// Read `documents` (YAML texts, each one or more Sigma documents). A bad one is refused, the
    /// others go on. `pipelines` are names of built-in ones or YAML texts.
    pub fn of(documents: &[String], pipelines: &[String]) -> Result<Prepared, String> {
        let pipelines = read_pipelines(pipelines)?;
        let mut all = Read { rules: Vec::new(), filters: Vec::new(), refused: Vec::new(), remarks: Vec::new() };
        let read = in_parallel(documents.len(), |at| read(at, &documents[at], &pipelines));
        for part in read {
            all.rules.extend(part.rules);
            all.filters.extend(part.filters);
            all.refused.extend(part.refused);
            all.remarks.extend(part.remarks);
        }
        Ok(Self::numbered(all))
    }

    fn numbered(read: Read) -> Prepared {
        let Read { rules, filters, mut refused, remarks } = read;
        let described: Vec<Value> = rules.iter().map(|(at, rule)| describe(*at, rule)).collect();
        let filters = by_number(filters, &described);
        let lowered = in_parallel(rules.len(), |number| {
            let (at, rule) = &rules[number];
            lower(u32::try_from(number).expect("fewer rules than that"), rule.clone(), &filters)
                .map_err(|reason| (*at, reason))
        });
        let mut groups: Vec<(Source, Vec<IrRule>)> = Vec::new();
        let mut known: HashMap<Source, usize> = HashMap::new();
        for ((_, rule), lowered) in rules.iter().zip(lowered) {
            match lowered {
                Err(refusal) => refused.push(refusal),
                Ok(lowered) => {
                    let group = *known.entry(source_of(rule)).or_insert_with_key(|source| {
                        groups.push((source.clone(), Vec::new()));
                        groups.len() - 1
                    });
                    groups[group].1.push(lowered);
                }
            }
        }
        refused.sort();
        refused.dedup();
        let about = About {
            described,
            refused,
            remarks,
            groups: groups.iter().map(|(s, all)| (s.clone(), all.len())).collect(),
        };
        Prepared { about, rules: groups.into_iter().flat_map(|(_, all)| all).collect() }
    }

    /// Compile every rule once, so that what only this step finds wrong is refused; and what it made, by group.
    pub fn compiled(&mut self) -> Vec<Stocked> {
        let mut compiled = in_parallel(self.rules.len(), |at| compile_to_compiled(&self.rules[at])).into_iter();
        let mut lowered = std::mem::take(&mut self.rules).into_iter();
        let mut groups = Vec::with_capacity(self.about.groups.len());
        for (source, count) in &mut self.about.groups {
            let mut members = Vec::with_capacity(*count);
            let mut words = Needed::default();
            for (rule, compiled) in lowered.by_ref().zip(compiled.by_ref()).take(*count) {
                match compiled {
                    Ok(done) => {
                        members.push(done);
                        words.add(&rule);
                        self.rules.push(rule);
                    }
                    Err(error) => {
                        let document = number_of(&rule).and_then(|n| self.about.described[n]["document"].as_u64());
                        let document = document.and_then(|at| usize::try_from(at).ok()).unwrap_or_default();
                        self.about.refused.push((document, error.to_string()));
                    }
                }
            }
            *count = members.len();
            groups.push(Stocked { source: source.clone(), words, stock: Stock::Compiled(members) });
        }
        self.about.refused.sort();
        self.about.refused.dedup();
        groups
    }

    /// The lowered rules by group: they compile, having done so before they were written down.
    pub fn lowered(&mut self) -> Vec<Stocked> {
        let mut rules = std::mem::take(&mut self.rules).into_iter();
        let group = |(source, count): &(Source, usize)| {
            let members: Vec<IrRule> = rules.by_ref().take(*count).collect();
            let mut words = Needed::default();
            members.iter().for_each(|rule| words.add(rule));
            Stocked { source: source.clone(), words, stock: Stock::Lowered(members) }
        };
        self.about.groups.iter().map(group).collect()
    }

    /// What `restore` reads again.
    pub fn written(&self) -> Result<Vec<u8>, String> {
        let about = serde_json::to_vec(&self.about).map_err(|error| error.to_string())?;
        let mut pieces = vec![about];
        for piece in self.rules.chunks(PIECE) {
            let lean: Vec<Lean<'_>> = piece.iter().map(Lean::of).collect();
            pieces.push(postcard::to_stdvec(&lean).map_err(|error| error.to_string())?);
        }
        let lengths: Vec<u64> = pieces.iter().map(|piece| piece.len() as u64).collect();
        let mut bytes = postcard::to_stdvec(&(HIR_SCHEMA_VERSION, lengths)).map_err(|error| error.to_string())?;
        bytes.extend(pieces.concat());
        Ok(bytes)
    }

    /// What was `written`; the reason when it is of another version or no longer whole.
    pub fn restored(bytes: &[u8]) -> Result<Prepared, String> {
        let ((version, lengths), mut rest) =
            postcard::take_from_bytes::<(u32, Vec<u64>)>(bytes).map_err(|error| error.to_string())?;
        if version != HIR_SCHEMA_VERSION {
            return Err(format!("it is of version {version}, not {HIR_SCHEMA_VERSION}"));
        }
        let mut pieces = Vec::with_capacity(lengths.len());
        for long in lengths {
            let piece;
            (piece, rest) =
                usize::try_from(long).ok().and_then(|long| rest.split_at_checked(long)).ok_or("too short")?;
            pieces.push(piece);
        }
        let about: About = serde_json::from_slice(pieces.first().ok_or("too short")?).map_err(|e| e.to_string())?;
        let read = in_parallel(pieces.len() - 1, |at| postcard::from_bytes::<Vec<Kept>>(pieces[at + 1]));
        let mut rules = Vec::new();
        for piece in read {
            rules.extend(piece.map_err(|error| error.to_string())?.into_iter().map(Kept::rule));
        }
        let numbers_known = rules.iter().all(|rule| number_of(rule).is_some_and(|n| n < about.described.len()));
        if !numbers_known || about.groups.iter().map(|(_, count)| count).sum::<usize>() != rules.len() {
            return Err("its parts do not fit together".into());
        }
        Ok(Prepared { about, rules })
    }
}

/// Rules written down together.
const PIECE: usize = 128;

/// A lowered rule, without what is empty in all of them.
#[derive(Serialize)]
struct Lean<'a> {
    number: Option<&'a str>,
    detections: &'a HashMap<String, IrDetection>,
    conditions: &'a [IrCondition],
}

impl<'a> Lean<'a> {
    fn of(rule: &'a IrRule) -> Self {
        Lean { number: rule.metadata.id.as_deref(), detections: &rule.detections, conditions: &rule.conditions }
    }
}

#[derive(Deserialize)]
struct Kept {
    number: Option<String>,
    detections: HashMap<String, IrDetection>,
    conditions: Vec<IrCondition>,
}

impl Kept {
    fn rule(self) -> IrRule {
        IrRule {
            metadata: IrRuleMetadata { id: self.number, ..IrRuleMetadata::default() },
            logsource: LogSource::default(),
            sigma_version: None,
            detections: self.detections,
            conditions: self.conditions,
        }
    }
}

fn number_of(rule: &IrRule) -> Option<usize> {
    rule.metadata.id.as_deref().and_then(|id| id.parse().ok())
}

fn read(at: usize, text: &str, pipelines: &[Pipeline]) -> Read {
    let mut read = Read { rules: Vec::new(), filters: Vec::new(), refused: Vec::new(), remarks: Vec::new() };
    let collection = match parse_sigma_yaml(text) {
        Ok(collection) => collection,
        Err(error) => {
            read.refused.push((at, error.to_string()));
            return read;
        }
    };
    let usable = collection.rules.len() + collection.filters.len() + collection.correlations.len();
    let unusable = if usable == 0 { &mut read.refused } else { &mut read.remarks };
    unusable.extend(collection.errors.into_iter().map(|error| (at, error)));
    read.filters.extend(collection.filters.into_iter().map(|filter| (at, filter)));
    for mut rule in collection.rules {
        match apply_pipelines(pipelines, &mut rule) {
            Err(error) => read.refused.push((at, error.to_string())),
            Ok(()) => read.rules.push((at, rule)),
        }
    }
    read
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

fn source_of(rule: &SigmaRule) -> Source {
    Source {
        product: rule.logsource.product.clone(),
        category: rule.logsource.category.clone(),
        service: rule.logsource.service.clone(),
    }
    .normal()
}

/// What matching needs of a rule: its conditions, with the filters about it, under its number.
fn lower(number: u32, mut rule: SigmaRule, filters: &[FilterRule]) -> Result<IrRule, String> {
    for (at, filter) in filters.iter().enumerate() {
        if semantics::concerns(filter, number, &rule.logsource) {
            semantics::narrow(&mut rule.detection, &filter.detection, at);
        }
    }
    semantics::prepare(&mut rule)?;
    let mut lowered = lower_rule(&rule, &LowerOptions::default()).map_err(|error| error.to_string())?;
    semantics::settle(&mut lowered);
    lowered.metadata = IrRuleMetadata { id: Some(number.to_string()), ..IrRuleMetadata::default() };
    lowered.logsource = LogSource::default();
    lowered.sigma_version = None;
    Ok(lowered)
}

/// The rules of one log source, and the words without which none of their keywords is met.
pub struct Stocked {
    pub source: Source,
    pub words: Needed,
    pub stock: Stock,
}

/// What an engine is made of, until the first event needs it.
#[derive(Default)]
pub enum Stock {
    #[default]
    Used,
    Lowered(Vec<IrRule>),
    Compiled(Vec<CompiledRule>),
}

impl Stock {
    pub fn engine(self) -> Engine {
        let mut engine = Engine::new();
        engine.set_match_detail(MatchDetailLevel::Full);
        // In one call: the index is rebuilt once a call, and one call a rule is quadratic.
        engine.extend_compiled_rules(match self {
            Stock::Used => Vec::new(),
            Stock::Compiled(rules) => rules,
            Stock::Lowered(rules) => in_parallel(rules.len(), |at| compile_to_compiled(&rules[at]))
                .into_iter()
                .filter_map(Result::ok)
                .collect(),
        });
        engine
    }
}

/// Filters name rules by id, name or title; here rules go by number.
fn by_number(filters: Vec<(usize, FilterRule)>, described: &[Value]) -> Vec<FilterRule> {
    let numbers_of = |name: &String| -> Vec<String> {
        let named = |rule: &Value| ["id", "name", "title"].iter().any(|key| rule[*key] == name.as_str());
        (0..described.len()).filter(|at| named(&described[*at])).map(|at| at.to_string()).collect()
    };
    filters
        .into_iter()
        .map(|(_, mut filter)| {
            if let FilterRuleTarget::Specific(names) = &filter.rules {
                filter.rules = FilterRuleTarget::Specific(names.iter().flat_map(numbers_of).collect());
            }
            filter
        })
        .collect()
}

fn describe(at: usize, rule: &SigmaRule) -> Value {
    let source = source_of(rule);
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

/// `work` for each number below `count`, in their order, on the cores there are.
pub fn in_parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    const SHARE: usize = 16;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
    if threads == 1 || count < 2 {
        return (0..count).map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let piece = if count < SHARE * threads { 1 } else { SHARE };
    let take = || {
        let mut done = Vec::new();
        loop {
            let begin = next.fetch_add(piece, Ordering::Relaxed);
            if begin >= count {
                return done;
            }
            for at in begin..(begin + piece).min(count) {
                done.push((at, work(at)));
            }
        }
    };
    let mut all: Vec<(usize, T)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(take)).collect();
        let mut all = take();
        for other in others {
            all.extend(other.join().expect("the work does not panic"));
        }
        all
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, one)| one).collect()
}
