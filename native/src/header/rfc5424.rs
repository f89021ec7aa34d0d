//! Strict RFC 5424, behind the version.

use super::scan::{Found, message_only, process, stated, word};
use super::times::{self, Time};

pub fn rfc5424(text: &str) -> Option<Found<'_>> {
    let (stamp, text) = word(text, 40)?;
    let time = if stamp == "-" { Time::None } else { zoned(stamp)? };
    let (host, text) = word(text, 255)?;
    let (app, text) = word(text, 255)?;
    let (procid, text) = word(text, 128)?;
    let (msgid, text) = word(text, 64)?;
    let (structured, text) = text.split_at(structured_end(text.as_bytes())?);
    let message = if text.is_empty() { text } else { text.strip_prefix(' ')? };
    let app = stated(app);
    Some(Found {
        version: "1",
        time,
        host: stated(host),
        app,
        process: process(app),
        procid: stated(procid),
        msgid: stated(msgid),
        structured: stated(structured),
        ..message_only(message)
    })
}

fn zoned(stamp: &str) -> Option<Time<'_>> {
    match times::iso(stamp)? {
        (time @ Time::Utc(_), "") => Some(time),
        _ => None,
    }
}

/// Where the structured data ends that begins `text`: "-" or elements.
fn structured_end(text: &[u8]) -> Option<usize> {
    if text.first() == Some(&b'-') {
        return Some(1);
    }
    let mut at = 0;
    while text.get(at) == Some(&b'[') {
        at = name_end(text, at + 1)?;
        loop {
            match (text.get(at)?, text.get(at + 1)) {
                (b']', _) => break,
                (b' ', Some(b']')) => {
                    at += 1;
                    break;
                }
                (b' ', _) => at = value_end(text, name_end(text, at + 1)?)?,
                _ => return None,
            }
        }
        at += 1;
    }
    (at > 0).then_some(at)
}

fn name_end(text: &[u8], from: usize) -> Option<usize> {
    let length = text[from..].iter().position(|byte| !byte.is_ascii_graphic() || b"]=\"".contains(byte))?;
    (length > 0).then_some(from + length)
}

fn value_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from + 2;
    text[from..].starts_with(b"=\"").then_some(())?;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}
