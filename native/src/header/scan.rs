//! Text in, what its header says out; nothing of Python here.

use super::rfc5424::rfc5424;
use super::times::{self, MONTHS, Time};

const LEVELS: [&str; 10] = ["emerg", "alert", "crit", "err", "error", "warning", "warn", "notice", "info", "debug"];
const IS_TIME_BEHIND: usize = 160; // characters of a message in which a device's own time is looked for

/// What a header says; "" is what it does not say.
#[derive(Default)]
pub struct Found<'a> {
    pub priority: usize,
    pub version: &'a str,
    pub sequence: &'a str,
    pub time: Time<'a>,
    pub host: &'a str,
    pub app: &'a str,
    pub process: &'a str,
    pub procid: &'a str,
    pub msgid: &'a str,
    pub structured: &'a str,
    pub message: &'a str,
}

/// The header of a text; None when it is not ordinary.
pub fn read<'a>(text: &'a str, no_names: &[String]) -> Option<Found<'a>> {
    let text = text.strip_prefix('<')?;
    let digits = text.bytes().take(4).position(|byte| byte == b'>')?;
    let priority = times::number(&text.as_bytes()[..digits])?;
    let rest = &text[digits + 1..];
    let mut found = match rest.strip_prefix("1 ") {
        Some(rest) => rfc5424(rest)?,
        None => rfc3164(rest.strip_prefix(' ').unwrap_or(rest), no_names)?,
    };
    found.priority = priority as usize;
    found.message = found.message.trim_start_matches(' ');
    found.message = found.message.strip_prefix('\u{feff}').unwrap_or(found.message);
    match found.message.as_bytes() {
        [b'<', next, ..] if next.is_ascii_digit() || !next.is_ascii() => None, // a header behind the header
        _ => Some(found),
    }
}

pub fn message_only(message: &str) -> Found<'_> {
    Found { message, ..Found::default() }
}

pub fn stated(word: &str) -> &str {
    if word == "-" { "" } else { word }
}

/// A word of printable ASCII of 1 to `most` octets, and what is behind the space that ends it.
pub fn word(text: &str, most: usize) -> Option<(&str, &str)> {
    let end = text.bytes().position(|byte| !byte.is_ascii_graphic())?;
    if end == 0 || end > most || text.as_bytes()[end] != b' ' {
        return None;
    }
    Some((&text[..end], &text[end + 1..]))
}

fn rfc3164<'a>(text: &'a str, no_names: &[String]) -> Option<Found<'a>> {
    if is_message(text) {
        return Some(message_only(text));
    }
    let counted = counters(text);
    let (time, rest) = times::time(counted.as_ref().map_or(text, |counted| counted.2))?;
    if rest.as_bytes().get(2) == Some(&b'(') || rest.starts_with("20") && !begins_with_address(rest) {
        return None; // ESXi's severity; a second time
    }
    let (host, body) = host(rest, no_names)?;
    let Some((sequence, origin, _)) = counted else { return behind_host(time, host, body, no_names) };
    let is_cisco = host.is_empty() && is_mark(body.as_bytes());
    is_cisco.then(|| Found { sequence, time, host: origin, ..message_only(body) })
}

fn behind_host<'a>(time: Time<'a>, host: &'a str, body: &'a str, no_names: &[String]) -> Option<Found<'a>> {
    if !host.is_empty() && !is_plain_body(body) {
        return None;
    }
    let body = without_level(body)?;
    let Some((app, procid, message)) = tag(body)? else {
        return (!is_odd_tag(body)).then(|| Found { time, host, ..message_only(body) });
    };
    if no_names.iter().any(|name| name == app) {
        return Some(Found { time, host, ..message_only(body) });
    }
    let message = message.trim_start_matches(' ');
    if message.starts_with("[ID ") {
        return None; // Solaris
    }
    Some(Found { time, host, app, process: process(app), procid: stated(procid), ..message_only(message) })
}

/// The program without its folder.
pub fn process(app: &str) -> &str {
    app.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(app)
}

/// `date=2026-11-22 time=...`, JSON, CEF, LEEF: no time and no name that the header knows of.
fn is_message(text: &str) -> bool {
    match text.as_bytes() {
        [b'{', ..] | [b'C', b'E', b'F', b':', b'0'..=b'9', ..] | [b'L', b'E', b'E', b'F', b':', b'0'..=b'9', ..] => {
            true
        }
        [b'a'..=b'z', ..] => begins_with_pair(text),
        _ => false,
    }
}

/// `29: `, `29: sw1: 000025: `, `:`: what Cisco's systems count, the origin, and what is behind.
fn counters(text: &str) -> Option<(&str, &str, &str)> {
    if let Some(rest) = text.strip_prefix(':') {
        return Some(("", "", rest.strip_prefix(' ').unwrap_or(rest)));
    }
    let (count, rest) = count(text).filter(|(count, _)| count.len() < 10)?; // ten digits may be a time
    let (origin, rest) = origin(rest).unwrap_or(("", rest));
    let (sequence, rest) = self::count(rest).unwrap_or((count, rest));
    Some((sequence, origin, rest))
}

fn count(text: &str) -> Option<(&str, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    Some((&text[..digits], text[digits..].strip_prefix(": ").filter(|_| (1..=10).contains(&digits))?))
}

fn origin(text: &str) -> Option<(&str, &str)> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let length = text.bytes().take_while(is_name).count();
    let is_origin = length <= 64 && text.starts_with(|first: char| first.is_ascii_alphabetic());
    Some((&text[..length], text[length..].strip_prefix(": ").filter(|_| is_origin)?))
}

/// `notice mcpd[65]: `: what is behind a level in words. None when it is not sure what this is.
fn without_level(body: &str) -> Option<&str> {
    let Some((word, rest)) = body.split_once(' ') else { return Some(body) };
    if !LEVELS.contains(&word) {
        return Some(body);
    }
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./()-".contains(byte);
    let length = rest.bytes().take_while(is_name).count();
    let is_name = (2..=64).contains(&length) && rest.as_bytes()[0].is_ascii_alphabetic();
    let behind = &rest[length..];
    let behind = match behind.strip_prefix('[') {
        Some(inside) => inside.split_once(']').filter(|(pid, _)| pid.len() <= 10 && is_number(pid))?.1,
        None => behind,
    };
    (is_name && behind.starts_with(": ")).then_some(rest)
}

/// `date=2026-11-22 time=...`: no time and no name that the header knows of.
fn begins_with_pair(text: &str) -> bool {
    text.bytes().find(|byte| !byte.is_ascii_lowercase() && *byte != b'_') == Some(b'=')
}

/// `203.0.113.1 text`, which could be no time, and no origin before one.
fn begins_with_address(rest: &str) -> bool {
    let Some((word, after)) = word(rest, 15) else { return false };
    let mut groups = word.split('.');
    groups.next().is_some_and(|first| first.len() == 3)
        && groups.clone().count() == 3
        && groups.all(|group| group.len() <= 3 && is_number(group))
        && ![":", "RP/", "LC/", "SC/", "RSP/"].iter().any(|odd| after.starts_with(odd))
}

fn is_number(text: &str) -> bool {
    times::number(text.as_bytes()).is_some()
}

/// Facilities as words; `local0` to `local7` beside them.
const FACILITIES: &[&str] =
    &["kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp"];

/// The host, "" when there is none, and what is behind it. None when it is odd.
fn host<'a>(rest: &'a str, no_names: &[String]) -> Option<(&'a str, &'a str)> {
    let (host, after) = word(rest, 255)?;
    if host == "Message" || is_odd(host) || no_names.iter().any(|name| name == host) {
        return None;
    }
    if let Some(name) = host.strip_suffix(':') {
        if name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return None;
        }
        if !after.starts_with('%') || name.contains('[') {
            return Some(("", rest));
        }
        return is_mark(after.as_bytes()).then_some((name, after));
    }
    if b"%<{[\"(|".contains(&host.as_bytes()[0]) || host.contains('=') {
        return Some(("", rest));
    }
    Some((host, after.strip_prefix(": ").unwrap_or(after)))
}

/// What stands where a host should and is none, or might be none: a count of PAN-OS, CEF, a facility with its level.
fn is_odd(host: &str) -> bool {
    let bytes = host.as_bytes();
    (bytes[0].is_ascii_digit() && bytes.get(1) == Some(&b','))
        || host.starts_with("CEF:")
        || host.starts_with("LEEF:")
        || host
            .split_once('.')
            .is_some_and(|(facility, _)| FACILITIES.contains(&facility) || facility.starts_with("local"))
}

/// `%LINK-3-UPDOWN`: Cisco's marker in its usual form.
fn is_mark(text: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_';
    let [b'%', b'A'..=b'Z', rest @ ..] = text else { return false };
    let length = rest.iter().take(40).take_while(|byte| is_name(byte)).count();
    matches!(rest[length..], [b'-', b'0'..=b'7', b'-', ..])
}

/// Whether what is behind a host is a tag or a message, and surely neither a second time nor words of a relay.
fn is_plain_body(body: &str) -> bool {
    let bytes = body.as_bytes();
    let Some(first) = bytes.first() else { return false };
    if first.is_ascii_digit() {
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        return digits <= 3 && bytes.get(digits) == Some(&b','); // PAN-OS
    }
    if !first.is_ascii_graphic() || b"*.:".contains(first) || bytes.get(2) == Some(&b'(') {
        return false;
    }
    if bytes.first_chunk().is_some_and(|three| MONTHS.contains(&three)) {
        return false;
    }
    if body.starts_with("RP/") || body.starts_with("LC/") {
        return false;
    }
    !has_words(body) && !has_mark_behind_name(bytes)
}

/// `local3.notice: ` and `ICT: %`: what a relay writes before the message, or what looks like it.
fn has_words(body: &str) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'|';
    let (name, behind) = body.split_at(body.bytes().take_while(is_name).count());
    if behind.starts_with(": %") {
        return name.bytes().all(|byte| byte.is_ascii_uppercase());
    }
    behind.starts_with(['.', ':']) && LEVELS.iter().any(|level| behind[1..].starts_with(level))
}

/// `sw1: Nov 22 10:00:00: %SYS-5-...`: what may be a device's own header. A tag and the marker are none.
fn has_mark_behind_name(body: &[u8]) -> bool {
    let near = &body[..body.len().min(IS_TIME_BEHIND)];
    let near = if near.is_ascii() { near } else { &body[..body.len().min(4 * IS_TIME_BEHIND)] };
    if !near[1..].contains(&b'%') {
        return false;
    }
    let Some(found) = near.windows(3).position(|three| three == b": %") else { return false };
    near[..found].iter().any(|byte| b" :".contains(byte) || !byte.is_ascii())
}

type Tag<'a> = (&'a str, &'a str, &'a str);

/// (app, procid, message) of a tag; the inner None when there is surely none.
fn tag(body: &str) -> Option<Option<Tag<'_>>> {
    let bytes = body.as_bytes();
    let ends = |byte: &u8| !byte.is_ascii_graphic() || b":[]<>{}\"=,|".contains(byte);
    let Some(end) = bytes.iter().take(65).position(ends) else { return Some(None) };
    let (procid, after) = match bytes[end] {
        b':' => ("", &body[end..]),
        b'[' => {
            let inside = &body[end + 1..];
            let ends = |byte: u8| !byte.is_ascii_graphic() || byte == b']';
            let Some(length) = inside.bytes().take(65).position(ends) else { return Some(None) };
            match inside.as_bytes()[length] {
                b']' => (&inside[..length], &inside[length + 1..]),
                b' ' => return Some(None),
                _ => return None,
            }
        }
        other => return (other == b' ' || other.is_ascii_graphic()).then_some(None),
    };
    let Some(message) = after.strip_prefix(": ").or_else(|| (after == ":").then_some("")) else {
        return Some(None);
    };
    let app = &body[..end];
    match app.as_bytes().first() {
        None | Some(b'%') => Some(None),
        Some(b'#') => None,
        _ if app == "CEF" || app == "LEEF" => None,
        _ => Some(Some((app, procid, message))),
    }
}

/// `gdm-password]: `, `polkitd(authority=local)[700]: `, or what may be one.
fn is_odd_tag(body: &str) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
    let next = body.bytes().find(|byte| !is_name(byte));
    body.starts_with(|first: char| first.is_ascii_alphabetic())
        && next.is_some_and(|next| next == b']' || next == b'(' || !next.is_ascii())
}
