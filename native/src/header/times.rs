//! The times before a message, and what may not stand behind one that is read without a pattern.

pub const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// A day and a time of day as written: year, month, day, hour, minute, second, microsecond.
#[derive(Clone, Copy)]
pub struct Clock {
    pub year: u32, // 0 when not written
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micros: u32,
}

#[derive(Default)]
pub enum Time<'a> {
    #[default]
    None,
    Utc(Clock),
    /// "Nov 22 10:15:04" with nothing but a space behind it: what `times.plain_moment` takes.
    Plain(&'a str),
    Local(Clock),
    /// In the zone of that name.
    Named(Clock, &'a str),
}

/// The time that begins a text, and what is behind it and the space or colon that ends it.
pub fn time(text: &str) -> Option<(Time<'_>, &str)> {
    let (time, rest) = match text.as_bytes().first_chunk::<5>()? {
        [b'*' | b'.', ..] => match bsd(&text[1..])? {
            (Time::Plain(_), _) => return None,
            found => found,
        },
        [b'2', _, _, _, b' '] => year_first(text)?,
        [b'2', ..] => iso(text)?,
        _ => bsd(text)?,
    };
    match (time, zone_word(rest)) {
        (Time::Local(clock), Some((word, rest))) => Some((Time::Named(clock, word), rest.trim_start_matches(' '))),
        (time @ Time::Utc(_), _) => Some((time, behind(rest, true)?)),
        (time, _) => Some((time, behind(rest, false)?)),
    }
}

/// `Nov 22 10:15:04`, `Nov  2 ...`, `Nov 2 ...`; a year behind the day or the time; a fraction. And what is behind it.
fn bsd(text: &str) -> Option<(Time<'_>, &str)> {
    let bytes = text.as_bytes();
    let month = 1 + MONTHS.iter().position(|name| bytes.starts_with(*name))? as u32;
    let (day, mut at) = match bytes.get(3..7)? {
        [b' ', b' ', day, b' '] => (number(&[*day])?, 7),
        [b' ', day, b' ', _] => (number(&[*day])?, 6),
        [b' ', tens, day, b' '] => (number(&[*tens, *day])?, 7),
        _ => return None,
    };
    let mut year = 0;
    if bytes.get(at + 4) == Some(&b' ') {
        year = century(bytes.get(at..at + 4)?)?;
        at += 5;
    }
    let (mut clock, end) = time_of_day(bytes, at)?;
    let (is_open, mut rest) = (year == 0 && bytes.get(end) == Some(&b' '), &text[end..]);
    if is_open && end == 15 && !may_be_zone(&bytes[16..]) {
        return Some((Time::Plain(&text[..end]), rest));
    }
    if is_open && bytes.get(end + 5) == Some(&b' ') {
        year = bytes.get(end + 1..end + 5).and_then(century).unwrap_or(0);
        rest = &rest[if year == 0 { 0 } else { 5 }..];
    }
    (clock.year, clock.month, clock.day) = (year, month, day);
    Some((Time::Local(clock), rest))
}

/// `2026-11-22T10:15:04`, with T or a space; a fraction; `Z`, `+07:00`, `+0700` or no zone. And what is behind it.
pub fn iso(text: &str) -> Option<(Time<'_>, &str)> {
    let bytes = text.as_bytes();
    let [_, _, _, _, b'-', m1, m2, b'-', d1, d2, b'T' | b' '] = bytes.first_chunk::<11>()? else { return None };
    let (mut clock, end) = time_of_day(bytes, 11)?;
    clock.year = century(&bytes[..4])?;
    clock.month = number(&[*m1, *m2])?;
    clock.day = number(&[*d1, *d2])?;
    is_date(&clock).then_some(())?;
    let (ahead, end) = match bytes.get(end..)? {
        [b'Z', ..] => (0, end + 1),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2, ..] => (offset(*sign, [*h1, *h2, *m1, *m2])?, end + 6),
        [sign @ (b'+' | b'-'), h1, h2, m1, m2, ..] => (offset(*sign, [*h1, *h2, *m1, *m2])?, end + 5),
        _ => return Some((Time::Local(clock), &text[end..])),
    };
    Some((Time::Utc(in_utc(clock, ahead)), text.get(end..)?))
}

/// `2026 Nov 22 10:15:04`
fn year_first(text: &str) -> Option<(Time<'_>, &str)> {
    let year = century(&text.as_bytes()[..4])?;
    match bsd(text.get(5..)?)? {
        (Time::Local(clock), rest) if clock.year == 0 => Some((Time::Local(Clock { year, ..clock }), rest)),
        _ => None,
    }
}

/// `10:15:04` and up to 9 digits of a fraction, at a place; and where it ends.
fn time_of_day(bytes: &[u8], at: usize) -> Option<(Clock, usize)> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = bytes.get(at..)?.first_chunk::<8>()? else { return None };
    let (hour, minute, second) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?, number(&[*s1, *s2])?);
    let (mut micros, mut end) = (0, at + 8);
    if bytes.get(end) == Some(&b'.') {
        let digits = bytes[end + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        (1..=9).contains(&digits).then_some(())?;
        for place in 0..6 {
            micros = micros * 10 + if place < digits { u32::from(bytes[end + 1 + place] - b'0') } else { 0 };
        }
        end += 1 + digits;
    }
    let clock = Clock { year: 0, month: 0, day: 0, hour, minute, second, micros };
    (hour < 24 && minute < 60 && second < 60).then_some((clock, end))
}

/// What is behind a time, which ends at a space or a colon. None when it may be more of the time.
fn behind(rest: &str, has_zone: bool) -> Option<&str> {
    if let Some(rest) = rest.strip_prefix(": ") {
        return Some(rest.trim_start_matches(' '));
    }
    let rest = rest.strip_prefix(' ')?;
    if !has_zone && may_be_zone(rest.as_bytes()) {
        return None;
    }
    Some(rest.trim_start_matches(' '))
}

/// ` ICT: `: the zone's name, and what is behind it.
fn zone_word(rest: &str) -> Option<(&str, &str)> {
    let rest = rest.strip_prefix(' ')?;
    let length = rest.bytes().take_while(u8::is_ascii_uppercase).count();
    Some((&rest[..length], rest[length..].strip_prefix(": ").filter(|_| (3..=5).contains(&length))?))
}

/// Whether what is behind a time and a space may be its zone, its half of the day or its year.
fn may_be_zone(text: &[u8]) -> bool {
    let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    match text {
        [b'(' | b'+' | b'-' | b'Z', ..] => return true,
        [b'A' | b'a' | b'P' | b'p', b'M' | b'm', ..] if !is_word(text.get(2)) => return true,
        [b'U', b'T', b'C', b'-', ..] | [b'G', b'M', b'T', b'-', ..] => return true,
        [a, b, c, d, ..] if number(&[*a, *b, *c, *d]).is_some() => {
            return text.get(4).is_none_or(|next| !next.is_ascii_graphic() || b",]:".contains(next));
        }
        _ => {}
    }
    let capitals = text.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    (1..=5).contains(&capitals) && !is_word(text.get(capitals)) && text.get(capitals) != Some(&b'-')
}

pub fn number(digits: &[u8]) -> Option<u32> {
    let all = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    all.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// A year from 2000 to 2099.
fn century(digits: &[u8]) -> Option<u32> {
    digits.starts_with(b"20").then(|| number(digits))?
}

/// Seconds ahead of UTC.
fn offset(sign: u8, digits: [u8; 4]) -> Option<i64> {
    let (hours, minutes) = (number(&digits[..2])?, number(&digits[2..])?);
    let ahead = i64::from(hours * 60 + minutes) * 60;
    (hours < 24 && minutes < 60).then_some(if sign == b'-' { -ahead } else { ahead })
}

fn is_date(clock: &Clock) -> bool {
    (1..=12).contains(&clock.month) && (1..=days_in(clock.year, clock.month)).contains(&clock.day)
}

fn days_in(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) => 29, // of the years taken here none but 2000 ends a century, and it has that day
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The same moment in UTC, of a time that is less than a day ahead of it or behind.
fn in_utc(clock: Clock, ahead_s: i64) -> Clock {
    let of_day = i64::from(clock.hour * 3600 + clock.minute * 60 + clock.second) - ahead_s;
    let mut moved = clock;
    if of_day < 0 {
        moved.day -= 1;
        if moved.day == 0 {
            moved.month = if clock.month == 1 { 12 } else { clock.month - 1 };
            moved.year -= u32::from(clock.month == 1);
            moved.day = days_in(moved.year, moved.month);
        }
    } else if of_day >= 86400 {
        moved.day += 1;
        if moved.day > days_in(clock.year, clock.month) {
            moved.day = 1;
            moved.month = clock.month % 12 + 1;
            moved.year += u32::from(clock.month == 12);
        }
    }
    let of_day = of_day.rem_euclid(86400) as u32;
    (moved.hour, moved.minute, moved.second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    moved
}
