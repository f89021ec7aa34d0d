//! Where the crate reads a rule otherwise than Sigma says, put right before it is compiled.
//!
//! On the document: `windash` with wildcards and `all`, time parts that are compared, filters, selectors
//! that name nothing. On the lowered form: wildcards reach over line breaks, keywords are looked for in
//! the whole event and `all` of them may stand in different fields, numbers among them too; of base64 at any
//! offset only the letters count that what comes before and after does not change.

use rsigma_ir::{IrDetection, IrDetectionItem, IrEncoding, IrMatcher, IrPatternPart, IrRule, IrStrOp, IrTimePart};
use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, FilterRule, FilterRuleTarget, LogSource, Modifier,
    SelectorPattern, SigmaRule, SigmaString, SigmaValue,
};

/// Between a field's name and the time part that is compared; no field is called so.
const PART: char = '\u{1}';
/// What a flag on Windows may begin with.
const DASHES: [char; 5] = ['-', '/', '\u{2013}', '\u{2014}', '\u{2015}'];
/// Flags in one value; each multiplies what is looked for by five.
const MOST_FLAGS: usize = 5;

// ---- on the document

/// The rule as the crate reads it rightly. Raises why it cannot be used.
pub fn prepare(rule: &mut SigmaRule) -> Result<(), String> {
    for detection in rule.detection.named.values_mut() {
        in_detection(detection)?;
    }
    let names: Vec<&str> = rule.detection.named.keys().map(|name| &**name).collect();
    rule.detection.conditions.iter().try_for_each(|condition| selects_something(condition, &names))
}

fn in_detection(detection: &mut Detection) -> Result<(), String> {
    match detection {
        Detection::AllOf(items) => {
            let mut done = Vec::with_capacity(items.len());
            for item in std::mem::take(items) {
                in_item(item, &mut done)?;
            }
            *items = done;
            Ok(())
        }
        Detection::AnyOf(parts) | Detection::And(parts) => parts.iter_mut().try_for_each(in_detection),
        Detection::ArrayMatch { body, .. } => in_detection(body),
        Detection::Conditional { named, .. } => named.values_mut().try_for_each(in_detection),
        Detection::Keywords(_) => Ok(()),
    }
}

fn in_item(mut item: DetectionItem, done: &mut Vec<DetectionItem>) -> Result<(), String> {
    compared_part(&mut item);
    let modifiers = &mut item.field.modifiers;
    let encoded = modifiers.iter().any(|m| {
        use Modifier::{Base64, Base64Offset, Utf16, Utf16be, Wide};
        matches!(m, Wide | Utf16 | Utf16be | Base64 | Base64Offset)
    });
    if encoded || !modifiers.contains(&Modifier::WindAsh) {
        done.push(item);
        return Ok(());
    }
    modifiers.retain(|modifier| *modifier != Modifier::WindAsh);
    if !modifiers.contains(&Modifier::All) {
        let written = std::mem::take(&mut item.values);
        for value in &written {
            item.values.extend(dashed(value)?);
        }
        done.push(item);
        return Ok(());
    }
    // Each value with any dash, and all the values: an item for each.
    modifiers.retain(|modifier| *modifier != Modifier::All);
    for value in std::mem::take(&mut item.values) {
        done.push(DetectionItem { field: item.field.clone(), values: dashed(&value)? });
    }
    Ok(())
}

/// `Hour|gte` is refused by the crate: the part goes into the name until the rule is lowered.
fn compared_part(item: &mut DetectionItem) {
    use Modifier::{Day, Gt, Gte, Hour, Lt, Lte, Minute, Month, Week, Year};
    let modifiers = &mut item.field.modifiers;
    let compares = modifiers.iter().any(|modifier| matches!(modifier, Gt | Gte | Lt | Lte));
    let part = modifiers.iter().position(|modifier| matches!(modifier, Minute | Hour | Day | Week | Month | Year));
    if let (true, Some(at), Some(name)) = (compares, part, &mut item.field.name) {
        let letter = match modifiers.remove(at) {
            Minute => 'm',
            Hour => 'h',
            Day => 'd',
            Week => 'w',
            Month => 'M',
            _ => 'y',
        };
        name.push(PART);
        name.push(letter);
    }
}

/// Every spelling of the flags in a value: a dash or slash that begins a word.
fn dashed(value: &SigmaValue) -> Result<Vec<SigmaValue>, String> {
    let SigmaValue::String(text) = value else { return Ok(vec![value.clone()]) };
    let letters: Vec<char> = text.original.chars().collect();
    let is_word = |at: usize| letters.get(at).is_some_and(|letter| letter.is_alphanumeric() || *letter == '_');
    let flags: Vec<usize> = (0..letters.len())
        .filter(|at| matches!(letters[*at], '-' | '/') && is_word(at + 1) && (*at == 0 || !is_word(at - 1)))
        .collect();
    if flags.len() > MOST_FLAGS {
        return Err(format!("windash: {:?} holds {} flags, at most {MOST_FLAGS} can be", text.original, flags.len()));
    }
    let mut spelled = vec![letters.clone()];
    for at in flags {
        spelled = spelled
            .iter()
            .flat_map(|letters| {
                DASHES.iter().map(move |dash| {
                    let mut letters = letters.clone();
                    letters[at] = *dash;
                    letters
                })
            })
            .collect();
    }
    let value = |letters: Vec<char>| SigmaValue::String(SigmaString::new(&letters.iter().collect::<String>()));
    Ok(spelled.into_iter().map(value).collect())
}

/// `all of filter_*` with no such selection would hold for every event.
fn selects_something(condition: &ConditionExpr, names: &[&str]) -> Result<(), String> {
    match condition {
        ConditionExpr::And(parts) | ConditionExpr::Or(parts) => {
            parts.iter().try_for_each(|part| selects_something(part, names))
        }
        ConditionExpr::Not(part) => selects_something(part, names),
        ConditionExpr::Identifier(_) => Ok(()),
        ConditionExpr::Selector { pattern, .. } => {
            let any = names.iter().any(|name| pattern.matches_detection_name(name));
            if any { Ok(()) } else { Err(format!("the condition asks for {pattern}, and no selection is called so")) }
        }
    }
}

/// Whether a filter is about a rule. `number` is the rule's, by which filters name them here.
pub fn concerns(filter: &FilterRule, number: u32, source: &LogSource) -> bool {
    let named = match &filter.rules {
        FilterRuleTarget::Any => true,
        FilterRuleTarget::Specific(names) => names.iter().any(|name| *name == number.to_string()),
    };
    let within = |of_filter: &Option<String>, of_rule: &Option<String>| {
        of_filter.as_ref().is_none_or(|part| of_rule.as_ref().is_some_and(|rule| rule.eq_ignore_ascii_case(part)))
    };
    named
        && filter.logsource.as_ref().is_none_or(|wanted| {
            within(&wanted.product, &source.product)
                && within(&wanted.category, &source.category)
                && within(&wanted.service, &source.service)
        })
}

/// The rule's conditions, each only while the filter's holds too. `at`: which filter this is, so that the
/// names of two never meet; they begin with "_", which `them` passes over.
pub fn narrow(detection: &mut Detections, filter: &Detections, at: usize) {
    let called = |name: &str| format!("_filter_{at}_{name}");
    for (name, selection) in &filter.named {
        detection.named.insert(called(name), selection.clone());
    }
    let both: Vec<ConditionExpr> = if filter.conditions.is_empty() {
        filter.named.keys().map(|name| ConditionExpr::Identifier(called(name))).collect()
    } else {
        filter.conditions.iter().map(|condition| renamed(condition, at)).collect()
    };
    for condition in &mut detection.conditions {
        let mut parts = vec![condition.clone()];
        parts.extend(both.iter().cloned());
        *condition = ConditionExpr::And(parts);
    }
}

fn renamed(condition: &ConditionExpr, at: usize) -> ConditionExpr {
    let all = |parts: &[ConditionExpr]| parts.iter().map(|part| renamed(part, at)).collect();
    match condition {
        ConditionExpr::And(parts) => ConditionExpr::And(all(parts)),
        ConditionExpr::Or(parts) => ConditionExpr::Or(all(parts)),
        ConditionExpr::Not(part) => ConditionExpr::Not(Box::new(renamed(part, at))),
        ConditionExpr::Identifier(name) => ConditionExpr::Identifier(format!("_filter_{at}_{name}")),
        ConditionExpr::Selector { quantifier, pattern } => {
            let pattern = match pattern {
                SelectorPattern::Them => "*",
                SelectorPattern::Pattern(pattern) => pattern,
            };
            ConditionExpr::Selector {
                quantifier: quantifier.clone(),
                pattern: SelectorPattern::Pattern(format!("_filter_{at}_{pattern}")),
            }
        }
    }
}

// ---- on the lowered form

/// As `prepare`, for what can only be said of the lowered form.
pub fn settle(rule: &mut IrRule) {
    rule.detections.values_mut().for_each(settle_detection);
}

fn settle_detection(detection: &mut IrDetection) {
    match detection {
        IrDetection::AllOf(items) => {
            *items = std::mem::take(items).into_iter().flat_map(settle_item).collect();
        }
        IrDetection::AnyOf(parts) | IrDetection::And(parts) => parts.iter_mut().for_each(settle_detection),
        IrDetection::Keywords(matcher) => settle_matcher(matcher, true),
        // Within an array an item without a field is the member itself.
        IrDetection::ArrayMatch { body, .. } => settle_member(body),
        IrDetection::Conditional { named, .. } => named.values_mut().for_each(settle_detection),
    }
}

fn settle_member(detection: &mut IrDetection) {
    match detection {
        IrDetection::AllOf(items) => items.iter_mut().for_each(|item| settle_matcher(&mut item.matcher, false)),
        IrDetection::AnyOf(parts) | IrDetection::And(parts) => parts.iter_mut().for_each(settle_member),
        IrDetection::Keywords(matcher) => settle_matcher(matcher, false),
        IrDetection::ArrayMatch { body, .. } => settle_member(body),
        IrDetection::Conditional { named, .. } => named.values_mut().for_each(settle_member),
    }
}

fn settle_item(mut item: IrDetectionItem) -> Vec<IrDetectionItem> {
    let Some(name) = &mut item.field else {
        // All of several keywords: each may stand in a field of its own.
        let wanted = match item.matcher {
            IrMatcher::AllOf(all) => all,
            one => vec![one],
        };
        let each = wanted.into_iter().map(|mut matcher| {
            settle_matcher(&mut matcher, true);
            IrDetectionItem { field: None, matcher, exists: item.exists }
        });
        return each.collect();
    };
    if let Some((field, letter)) = name.split_once(PART) {
        let part = match letter {
            "m" => IrTimePart::Minute,
            "h" => IrTimePart::Hour,
            "d" => IrTimePart::Day,
            "w" => IrTimePart::Week,
            "M" => IrTimePart::Month,
            _ => IrTimePart::Year,
        };
        *name = field.to_owned();
        of_part(&mut item.matcher, part);
    }
    settle_matcher(&mut item.matcher, false);
    vec![item]
}

fn of_part(matcher: &mut IrMatcher, part: IrTimePart) {
    match matcher {
        IrMatcher::Not(inner) => of_part(inner, part),
        IrMatcher::AnyOf(inner) | IrMatcher::AllOf(inner) => inner.iter_mut().for_each(|one| of_part(one, part)),
        one => *one = IrMatcher::TimestampPart { part, inner: Box::new(one.clone()) },
    }
}

fn settle_matcher(matcher: &mut IrMatcher, keyword: bool) {
    match matcher {
        IrMatcher::Not(inner) => settle_matcher(inner, keyword),
        IrMatcher::AnyOf(inner) | IrMatcher::AllOf(inner) => {
            inner.iter_mut().for_each(|one| settle_matcher(one, keyword));
        }
        IrMatcher::NumericEq(rsigma_ir::IrNumber::Literal(number)) if keyword => {
            *matcher = text_of(IrStrOp::Contains, vec![IrPatternPart::Literal(number.to_string())], true);
        }
        IrMatcher::Encoded { encodings, value, case_insensitive, .. }
            if matches!(encodings.as_slice(), [.., IrEncoding::Base64Offset]) =>
        {
            let octets = encoded(value, encodings[0]);
            let piece =
                |piece: String| text_of(IrStrOp::Contains, vec![IrPatternPart::Literal(piece)], *case_insensitive);
            *matcher = IrMatcher::AnyOf((0..3).map(|offset| piece(within_base64(&octets, offset))).collect());
        }
        IrMatcher::Str { op, pattern, case_insensitive } => {
            let op = if keyword { IrStrOp::Contains } else { *op };
            *matcher = text_of(op, std::mem::take(&mut pattern.parts), *case_insensitive);
        }
        _ => {}
    }
}

fn encoded(text: &str, encoding: IrEncoding) -> Vec<u8> {
    let units = || text.encode_utf16();
    match encoding {
        IrEncoding::Wide => units().flat_map(u16::to_le_bytes).collect(),
        IrEncoding::Utf16Be => units().flat_map(u16::to_be_bytes).collect(),
        IrEncoding::Utf16 => [0xFF, 0xFE].into_iter().chain(units().flat_map(u16::to_le_bytes)).collect(),
        _ => text.as_bytes().to_vec(),
    }
}

/// What base64 makes of `octets` after `offset` others and before any: the letters that only they decide.
fn within_base64(octets: &[u8], offset: usize) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (first, after) = (offset * 8, (offset + octets.len()) * 8);
    let bit = |at: usize| usize::from(octets[at / 8 - offset] >> (7 - at % 8) & 1);
    let letter = |begin: usize| char::from(LETTERS[(begin..begin + 6).fold(0, |bits, at| bits << 1 | bit(at))]);
    (first.div_ceil(6)..after / 6).map(|number| letter(number * 6)).collect()
}

/// The plainest matcher of a pattern. Wildcards at its ends are what `op` says; one within is a regular
/// expression, beside the longest piece between wildcards, by which the index finds the rule.
fn text_of(op: IrStrOp, mut parts: Vec<IrPatternPart>, case_insensitive: bool) -> IrMatcher {
    use IrPatternPart::{Literal, WildcardMulti, WildcardSingle};
    let (mut begins, mut ends) = match op {
        IrStrOp::Exact => (true, true),
        IrStrOp::StartsWith => (true, false),
        IrStrOp::EndsWith => (false, true),
        IrStrOp::Contains => (false, false),
    };
    while matches!(parts.first(), Some(WildcardMulti)) {
        (parts, begins) = (parts.split_off(1), false);
    }
    while matches!(parts.last(), Some(WildcardMulti)) {
        parts.pop();
        ends = false;
    }
    let op = match (begins, ends) {
        (true, true) => IrStrOp::Exact,
        (true, false) => IrStrOp::StartsWith,
        (false, true) => IrStrOp::EndsWith,
        (false, false) => IrStrOp::Contains,
    };
    let plain = |op, parts| IrMatcher::Str { op, pattern: rsigma_ir::IrPattern { parts }, case_insensitive };
    if parts.iter().all(|part| matches!(part, Literal(_))) {
        return plain(op, parts);
    }
    let mut pattern = String::from(if begins { "^" } else { "" });
    for part in &parts {
        match part {
            Literal(text) => pattern.push_str(&regex::escape(text)),
            WildcardMulti => pattern.push_str(".*"),
            WildcardSingle => pattern.push('.'),
        }
    }
    pattern.push_str(if ends { "$" } else { "" });
    let whole =
        IrMatcher::Regex { pattern, case_insensitive, multiline: false, dotall: true, cased: !case_insensitive };
    let longest = parts.into_iter().filter(|part| matches!(part, Literal(text) if text.is_ascii()));
    match longest.max_by_key(|part| if let Literal(text) = part { text.len() } else { 0 }) {
        Some(piece @ Literal(_)) => IrMatcher::AllOf(vec![plain(IrStrOp::Contains, vec![piece]), whole]),
        _ => whole,
    }
}
