//! Keywords, which rules look for in every value of an event: whether an event holds any at all.
//!
//! The words without which no keyword is met are searched for in one pass, whatever the number of rules and log
//! sources. In most events none stands, and no rule need look through their values again.

use std::collections::HashMap;

use ahash::RandomState;
use rsigma_ir::{IrCondition, IrDetection, IrDetectionItem, IrMatcher, IrPatternPart, IrRule};
use rsigma_parser::Quantifier;

use crate::event::Event;

/// Octets by which a word is found; shorter ones stand everywhere.
const RUN: usize = 3;
const BITS: u32 = 17;

/// Of which at least one stands in an event, each of `RUN` ASCII octets or more, in small letters.
type Alternatives = Vec<String>;

/// The words of the rules of one log source.
#[derive(Default)]
pub struct Needed {
    words: Alternatives,
    unknown: bool, // a keyword is met without any: it is too short, a pattern, or not ASCII
}

impl Needed {
    /// A rule that matches only with one of its words gives those. Any other gives those of every selection that
    /// has keywords: where none of them stands these selections are false, as they are without any text to look in.
    pub fn add(&mut self, rule: &IrRule) {
        if !rule.detections.values().any(has_keywords) {
            return;
        }
        match any(rule.conditions.iter().map(|condition| of_condition(condition, rule))) {
            Some(words) => self.words.extend(words),
            None => rule.detections.values().for_each(|detection| self.add_selection(detection)),
        }
    }

    fn add_selection(&mut self, detection: &IrDetection) {
        match (of_detection(detection), detection) {
            (Some(words), _) => self.words.extend(words),
            (None, IrDetection::AnyOf(inner) | IrDetection::And(inner)) => {
                inner.iter().for_each(|one| self.add_selection(one));
            }
            (None, _) => self.unknown |= has_keywords(detection),
        }
    }
}

fn has_keywords(detection: &IrDetection) -> bool {
    match detection {
        IrDetection::Keywords(_) => true,
        IrDetection::AllOf(items) => items.iter().any(|item| item.field.is_none()),
        IrDetection::AnyOf(inner) | IrDetection::And(inner) => inner.iter().any(has_keywords),
        IrDetection::ArrayMatch { body, .. } => has_keywords(body),
        IrDetection::Conditional { named, .. } => named.values().any(has_keywords),
    }
}

fn of_condition(condition: &IrCondition, rule: &IrRule) -> Option<Alternatives> {
    match condition {
        IrCondition::Detection(name) => of_detection(rule.detections.get(name)?),
        IrCondition::And(parts) => best(parts.iter().map(|part| of_condition(part, rule))),
        IrCondition::Or(parts) => any(parts.iter().map(|part| of_condition(part, rule))),
        IrCondition::Not(_) => None,
        IrCondition::Selector { quantifier, pattern } => {
            let named = rule.detections.iter().filter(|(name, _)| pattern.matches_detection_name(name));
            let parts = named.map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::Count(0) => None,
                Quantifier::All => best(parts),
                Quantifier::Any | Quantifier::Count(_) => any(parts),
            }
        }
    }
}

fn of_detection(detection: &IrDetection) -> Option<Alternatives> {
    match detection {
        IrDetection::Keywords(matcher) => of_matcher(matcher),
        IrDetection::AllOf(items) => best(items.iter().map(of_item)),
        IrDetection::And(inner) => best(inner.iter().map(of_detection)),
        IrDetection::AnyOf(inner) => any(inner.iter().map(of_detection)),
        IrDetection::ArrayMatch { .. } | IrDetection::Conditional { .. } => None,
    }
}

fn of_item(item: &IrDetectionItem) -> Option<Alternatives> {
    if item.field.is_some() { None } else { of_matcher(&item.matcher) }
}

fn of_matcher(matcher: &IrMatcher) -> Option<Alternatives> {
    match matcher {
        IrMatcher::AnyOf(inner) => any(inner.iter().map(of_matcher)),
        IrMatcher::AllOf(inner) => best(inner.iter().map(of_matcher)),
        IrMatcher::Str { pattern, .. } => {
            let literal = |part: &IrPatternPart| match part {
                IrPatternPart::Literal(text) if text.is_ascii() => Some(text.to_ascii_lowercase()),
                _ => None,
            };
            let word: String = pattern.parts.iter().map(literal).collect::<Option<_>>()?;
            (word.len() >= RUN).then(|| vec![word])
        }
        _ => None,
    }
}

/// One of the parts matches: words of all of them; none, if a part says nothing.
fn any(parts: impl Iterator<Item = Option<Alternatives>>) -> Option<Alternatives> {
    let words = parts.collect::<Option<Vec<_>>>()?.concat();
    (!words.is_empty()).then_some(words)
}

/// Every part matches: the words least likely to be met.
fn best(parts: impl Iterator<Item = Option<Alternatives>>) -> Option<Alternatives> {
    parts.flatten().max_by_key(|words| words.iter().map(String::len).min())
}

/// Which events the keywords of one log source's rules can be met in.
pub enum Holding {
    None,
    Known(usize), // those that hold words of this number
    Any,
}

impl Holding {
    /// `said`: the numbers of the words an event holds, asked for only where they count.
    pub fn may<'s>(&self, said: impl FnOnce() -> &'s Vec<usize>) -> bool {
        match self {
            Holding::None => false,
            Holding::Known(number) => said().contains(number),
            Holding::Any => true,
        }
    }
}

#[derive(PartialEq)]
struct Word {
    text: String,
    before: usize, // octets of it before its run
    number: usize, // what it counts for
}

/// The words of all log sources.
#[derive(Default)]
pub struct Words {
    runs: Runs,
    words: HashMap<u32, Vec<Word>, RandomState>, // by the run that tells of it
    sources: usize,
}

impl Words {
    pub fn add(&mut self, needed: Needed) -> Holding {
        if needed.unknown {
            return Holding::Any;
        }
        if needed.words.is_empty() {
            return Holding::None;
        }
        let number = self.sources;
        self.sources += 1;
        for word in needed.words {
            let before = rarest(word.as_bytes());
            let run = run_of(&word.as_bytes()[before..]);
            self.runs.add(run);
            let known = self.words.entry(run).or_default();
            let word = Word { text: word, before, number };
            if !known.contains(&word) {
                known.push(word);
            }
        }
        Holding::Known(number)
    }

    /// The numbers of which a word stands in a value of `event`.
    pub fn of(&self, event: &Event<'_>) -> Vec<usize> {
        /// Shorter ones are searched faster than compared.
        const LONG: usize = 64;
        let mut found = Vec::new();
        let original = event.original_text().unwrap_or_default();
        self.search(original, &mut found);
        event.any_text(&mut |text| {
            // The message is the end of the line, which is searched already.
            if text.len() < LONG || !original.ends_with(text) {
                self.search(text, &mut found);
            }
            false
        });
        found
    }

    fn search(&self, text: &str, found: &mut Vec<usize>) {
        if text.is_ascii() {
            self.search_octets(text.as_bytes(), found);
        } else {
            self.search_octets(text.to_lowercase().as_bytes(), found); // signs fold into ASCII, as the matchers do it
        }
    }

    fn search_octets(&self, text: &[u8], found: &mut Vec<usize>) {
        let mut look = |at: usize, run: u32| {
            if self.runs.has(run) {
                self.compare(text, at, run, found);
            }
        };
        for (at, four) in text.windows(RUN + 1).enumerate() {
            look(at, run(u32::from_le_bytes([four[0], four[1], four[2], four[3]])));
        }
        if let Some(at) = text.len().checked_sub(RUN) {
            look(at, run_of(&text[at..]));
        }
    }

    #[cold]
    fn compare(&self, text: &[u8], at: usize, run: u32, found: &mut Vec<usize>) {
        for word in self.words.get(&run).into_iter().flatten() {
            let begin = at.checked_sub(word.before);
            let part = begin.and_then(|begin| text.get(begin..begin + word.text.len()));
            if part.is_some_and(|part| part.eq_ignore_ascii_case(word.text.as_bytes())) && !found.contains(&word.number)
            {
                found.push(word.number);
            }
        }
    }
}

/// Where the run of a word stands that lines hold least, going by the signs in it.
fn rarest(word: &[u8]) -> usize {
    const COMMON_FIRST: &[u8] = b"e=tin. oars\"0123456789lcd-:/_,umpfgh";
    let rarity = |sign: &u8| COMMON_FIRST.iter().position(|known| known == sign).unwrap_or(COMMON_FIRST.len());
    let rarity_of = |at: &usize| word[*at..*at + RUN].iter().map(rarity).sum::<usize>();
    (0..=word.len() - RUN).max_by_key(rarity_of).unwrap_or(0)
}

/// The runs of the words, hashed.
struct Runs(Box<[u64; 1 << (BITS - 6)]>);

impl Default for Runs {
    fn default() -> Self {
        Runs(Box::new([0; 1 << (BITS - 6)]))
    }
}

impl Runs {
    fn add(&mut self, run: u32) {
        let bit = bit(run);
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    fn has(&self, run: u32) -> bool {
        let bit = bit(run);
        self.0[bit / 64] >> (bit % 64) & 1 != 0
    }
}

/// Three octets whatever their case; some signs become the same too, which the whole word then tells apart.
fn run(four: u32) -> u32 {
    (four | 0x20_2020) & 0xff_ffff
}

fn run_of(text: &[u8]) -> u32 {
    run(u32::from_le_bytes([text[0], text[1], text[2], 0]))
}

fn bit(run: u32) -> usize {
    (run.wrapping_mul(0x9e37_79b1) >> (32 - BITS)) as usize
}
