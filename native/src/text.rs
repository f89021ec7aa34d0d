//! What every received line goes through before a parser sees it: which literals it holds, which pairs it states.

use std::borrow::Cow;
use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::{memchr, memchr2};
use regex::bytes::{RegexSet, RegexSetBuilder};

/// Groups of literals, of which a text must hold all, searched for in one pass whatever their number.
pub struct Markers {
    automaton: AhoCorasick,
    groups: Vec<Vec<usize>>,    // the literals of each, by number
    by_rarest: Vec<Vec<usize>>, // the groups below their literal that fewest groups have: few are looked at
}

impl Markers {
    pub fn new(groups: &[Vec<String>]) -> Result<Self, String> {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for literal in groups.iter().flatten() {
            let next = numbers.len();
            numbers.entry(literal).or_insert(next);
        }
        let mut literals = vec![""; numbers.len()];
        for (literal, number) in &numbers {
            literals[*number] = literal;
        }
        let groups: Vec<Vec<usize>> =
            groups.iter().map(|group| group.iter().map(|literal| numbers[literal.as_str()]).collect()).collect();
        let mut count = vec![0usize; literals.len()];
        for number in groups.iter().flatten() {
            count[*number] += 1;
        }
        let mut by_rarest = vec![Vec::new(); literals.len()];
        for (place, group) in groups.iter().enumerate() {
            if let Some(rarest) = group.iter().min_by_key(|number| (count[**number], **number)) {
                by_rarest[*rarest].push(place);
            }
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&literals)
            .map_err(|error| error.to_string())?;
        Ok(Markers { automaton, groups, by_rarest })
    }

    /// The numbers of the groups that stand in `text` whole, ascending.
    pub fn find(&self, text: &str) -> Vec<usize> {
        let mut there = vec![false; self.by_rarest.len()];
        let mut literals: Vec<usize> = Vec::with_capacity(32);
        for hit in self.automaton.find_overlapping_iter(text) {
            let number = hit.pattern().as_usize();
            if !there[number] {
                there[number] = true;
                literals.push(number);
                if literals.len() == there.len() {
                    break;
                }
            }
        }
        let mut found: Vec<usize> = literals
            .iter()
            .flat_map(|literal| &self.by_rarest[*literal])
            .copied()
            .filter(|place| self.groups[*place].iter().all(|number| there[*number]))
            .collect();
        found.sort_unstable();
        found
    }
}

/// Patterns tried at the beginning of a text, all at once, whatever their number. Classes are ASCII and
/// repetitions count bytes: with all of Unicode's digits and letters ninety patterns take 100 MB.
pub struct Beginnings {
    set: RegexSet,
}

impl Beginnings {
    pub fn new(patterns: &[String]) -> Result<Self, String> {
        let anchored = patterns.iter().map(|pattern| format!("\\A(?:{pattern})"));
        let set = RegexSetBuilder::new(anchored)
            .unicode(false)
            .size_limit(64 << 20)
            .dfa_size_limit(16 << 20)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Beginnings { set })
    }

    /// The numbers of the patterns with which `text` begins, ascending.
    pub fn find(&self, text: &str) -> Vec<usize> {
        self.set.matches(text.as_bytes()).into_iter().collect()
    }
}

/// The `key=value` pairs of a text, in order. Keys are letters, digits and `_.-[]:/`; a value is quoted (with
/// backslash escapes) or ends at `stop`, which is a space unless the sender uses something else.
pub fn pairs(text: &str, stop: u8) -> Vec<(&str, Cow<'_, str>)> {
    let bytes = text.as_bytes();
    let mut found = Vec::with_capacity(64);
    let mut from = 0;
    while let Some(step) = memchr(b'=', &bytes[from..]) {
        let equals = from + step;
        let key_start = key_start(bytes, from, equals);
        if key_start == equals {
            from = equals + 1;
            continue;
        }
        let (value, end) = value(text, equals + 1, stop);
        found.push((&text[key_start..equals], value));
        from = end;
    }
    found
}

fn key_start(bytes: &[u8], from: usize, equals: usize) -> usize {
    let is_key =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'[' | b']' | b':' | b'/');
    let mut start = equals;
    while start > from && equals - start < 128 && is_key(bytes[start - 1]) {
        start -= 1;
    }
    while start < equals && !bytes[start].is_ascii_alphanumeric() && bytes[start] != b'_' {
        start += 1;
    }
    start
}

fn value(text: &str, start: usize, stop: u8) -> (Cow<'_, str>, usize) {
    let bytes = text.as_bytes();
    match bytes.get(start) {
        Some(b'"') => match quoted(text, start + 1, b'"', bytes.len()) {
            Some(found) => found,
            None => (Cow::Borrowed(&text[start + 1..]), bytes.len()), // cut off: what is there is kept
        },
        // An apostrophe that nothing closes is a letter; it is looked for near by, or a hostile line takes long.
        Some(b'\'') => quoted(text, start + 1, b'\'', start + 1024).unwrap_or_else(|| plain(text, start, stop)),
        _ => plain(text, start, stop),
    }
}

fn plain(text: &str, start: usize, stop: u8) -> (Cow<'_, str>, usize) {
    let bytes = text.as_bytes();
    let end = memchr(stop, &bytes[start..]).map_or(bytes.len(), |step| start + step);
    (Cow::Borrowed(text[start..end].trim_end_matches([',', ';'])), end)
}

fn quoted(text: &str, start: usize, quote: u8, until: usize) -> Option<(Cow<'_, str>, usize)> {
    let bytes = text.as_bytes();
    let until = until.min(bytes.len());
    let mut end = start;
    let mut has_escape = false;
    while let Some(step) = memchr2(quote, b'\\', &bytes[end.min(until)..until]) {
        end += step;
        if bytes[end] == quote {
            let written = &text[start..end];
            let value = if has_escape { Cow::Owned(unescaped(written)) } else { Cow::Borrowed(written) };
            return Some((value, end + 1));
        }
        let is_escape = bytes.get(end + 1).is_some_and(|next| *next == quote || *next == b'\\');
        has_escape |= is_escape;
        end += if is_escape { 2 } else { 1 };
    }
    None
}

fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\\' && characters.peek().is_some_and(|next| matches!(next, '"' | '\'' | '\\')) {
            plain.extend(characters.next());
        } else {
            plain.push(character);
        }
    }
    plain
}
