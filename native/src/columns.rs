//! Events as columns: dicts in, the buffers of Arrow arrays out (validity, offsets, octets).
//!
//! A value its column does not take, and a field that has none, stands in the JSON column `rest` as it is. A message
//! that is the end of its original is kept as its length. What is rare is asked back of Python: moments that are
//! not written as the pipeline writes them, ids that are no plain UUID, values JSON knows and this does not.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

const ID: &str = "id";
const LENGTH: &str = "message_length";
const REST: &str = "rest";

/// What a column holds. Addresses are words that stand as 16 octets beside, in the column `<name>#n`.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Word,
    Words,
    Address,
    Long,
    Float,
    Flag,
    Date,
}

/// Where a field of an event goes.
#[derive(Clone, Copy)]
enum Place {
    Column(usize),
    Message(usize),
    Original(usize),
    Id,
    Rest,
}

/// Which rows have a value.
struct Bits {
    octets: Vec<u8>,
    set: usize,
}

impl Bits {
    fn new(rows: usize) -> Self {
        Bits { octets: vec![0; rows.div_ceil(8)], set: 0 }
    }

    fn set(&mut self, row: usize) {
        self.octets[row / 8] |= 1 << (row % 8);
        self.set += 1;
    }

    /// None when every row has one.
    fn finish<'py>(&self, py: Python<'py>, rows: usize) -> Option<Bound<'py, PyBytes>> {
        (self.set < rows).then(|| PyBytes::new(py, &self.octets))
    }
}

/// Octets of something for each of some rows, those of the rows passed over empty.
struct Texts {
    ends: Vec<i32>,
    octets: Vec<u8>,
}

impl Texts {
    fn new(rows: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Texts { ends, octets: Vec::new() }
    }

    /// Nothing for the rows before `row` that have nothing yet.
    fn pass(&mut self, row: usize) {
        let end = *self.ends.last().unwrap_or(&0);
        self.ends.resize(row + 1, end);
    }

    /// What was put behind the octets belongs to the next row.
    fn close(&mut self) -> PyResult<()> {
        let end = i32::try_from(self.octets.len());
        self.ends.push(end.map_err(|_| PyOverflowError::new_err("more than 2 GiB in a column"))?);
        Ok(())
    }
}

/// A column with something in it.
struct Column {
    bits: Bits,
    texts: Texts,     // words; of lists, how many words each row has: `ends` counts words
    inner: Texts,     // the words of lists
    fixed: Vec<u8>,   // 8 octets a row, or a bit
    numbers: Vec<u8>, // addresses, 16 octets a row
    known: Bits,      // which addresses are ones
}

impl Column {
    fn new(kind: Kind, rows: usize) -> Self {
        let has = |yes: bool, octets: usize| if yes { vec![0; octets] } else { Vec::new() };
        let is_address = kind == Kind::Address;
        Column {
            bits: Bits::new(rows),
            texts: Texts::new(if matches!(kind, Kind::Word | Kind::Words | Kind::Address) { rows } else { 0 }),
            inner: Texts::new(0),
            fixed: match kind {
                Kind::Long | Kind::Float | Kind::Date => has(true, rows * 8),
                Kind::Flag => has(true, rows.div_ceil(8)),
                _ => Vec::new(),
            },
            numbers: has(is_address, rows * 16),
            known: Bits::new(if is_address { rows } else { 0 }),
        }
    }

    fn word(&mut self, row: usize, text: &[u8]) -> PyResult<()> {
        self.texts.pass(row);
        self.texts.octets.extend_from_slice(text);
        self.bits.set(row);
        self.texts.close()
    }

    fn address(&mut self, row: usize, text: &[u8]) -> PyResult<()> {
        if let Some(octets) = std::str::from_utf8(text).ok().and_then(octets_of) {
            self.numbers[row * 16..row * 16 + 16].copy_from_slice(&octets);
            self.known.set(row);
        }
        self.word(row, text)
    }

    fn number<const WIDTH: usize>(&mut self, row: usize, octets: [u8; WIDTH]) {
        self.fixed[row * WIDTH..(row + 1) * WIDTH].copy_from_slice(&octets);
        self.bits.set(row);
    }

    fn flag(&mut self, row: usize, is_true: bool) {
        self.fixed[row / 8] |= u8::from(is_true) << (row % 8);
        self.bits.set(row);
    }

    fn words(&mut self, row: usize, words: &Bound<'_, PyTuple>) -> PyResult<()> {
        self.texts.pass(row);
        for word in words.iter_borrowed() {
            let word = word.cast::<PyString>()?;
            with_octets(&word, |text| self.inner.octets.extend_from_slice(text))?;
            self.inner.close()?;
        }
        self.bits.set(row);
        self.texts.ends.push(self.inner.ends.len() as i32 - 1);
        Ok(())
    }
}

/// What is asked back of Python.
struct Asked<'py> {
    id_of: Bound<'py, PyAny>,
    moment_of: Bound<'py, PyAny>,
    encode: Bound<'py, PyAny>,
}

/// The columns of some events that have anything in them, by name, as buffers: (validity, offsets, octets) of words,
/// (validity, offsets, offsets of words, octets) of lists of words, (validity, octets) of everything else; validity
/// is None where every row has a value.
///
/// listed: (name, kind) of each column, kinds as `ecs.yaml` names them. id_of(text) -> 16 octets;
/// moment_of(text) -> microseconds since 1970 UTC; encode(value) -> JSON.
#[pyfunction]
pub fn columns<'py>(
    py: Python<'py>,
    listed: Vec<(String, String)>,
    events: &Bound<'py, PyList>,
    id_of: Bound<'py, PyAny>,
    moment_of: Bound<'py, PyAny>,
    encode: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyDict>> {
    let mut table = Table::new(&listed, events.len(), Asked { id_of, moment_of, encode })?;
    for (row, event) in events.iter().enumerate() {
        table.add(py, row, event.cast::<PyDict>()?)?;
    }
    table.finish(py)
}

struct Table<'a, 'py> {
    rows: usize,
    listed: &'a [(String, String)],
    kinds: Vec<Kind>,
    columns: Vec<Option<Column>>,
    by_name: HashMap<&'a str, Place>,
    by_pointer: HashMap<usize, Place, BuildHasherDefault<Pointer>>, // names repeat, mostly as the same objects
    held: Vec<Bound<'py, PyString>>,                                // those objects, that no other takes their place
    ids: Vec<u8>,
    lengths: Column,
    rest: Column,
    asked: Asked<'py>,
}

impl<'a, 'py> Table<'a, 'py> {
    fn new(listed: &'a [(String, String)], rows: usize, asked: Asked<'py>) -> PyResult<Self> {
        let kinds = listed.iter().map(|(name, kind)| kind_of(name, kind)).collect::<PyResult<Vec<_>>>()?;
        let mut by_name = HashMap::with_capacity(listed.len() + 1);
        for (at, (name, _)) in listed.iter().enumerate() {
            by_name.insert(
                name.as_str(),
                match name.as_str() {
                    "message" => Place::Message(at),
                    "event.original" => Place::Original(at),
                    _ => Place::Column(at),
                },
            );
        }
        by_name.insert("event.id", Place::Id);
        Ok(Table {
            rows,
            listed,
            columns: kinds.iter().map(|_| None).collect(),
            kinds,
            by_name,
            by_pointer: HashMap::default(),
            held: Vec::new(),
            ids: vec![0; rows * 16],
            lengths: Column::new(Kind::Long, rows),
            rest: Column::new(Kind::Word, rows),
            asked,
        })
    }

    fn add(&mut self, py: Python<'py>, row: usize, event: &Bound<'py, PyDict>) -> PyResult<()> {
        let (mut message, mut original, mut id) = (None, None, None);
        let mut has_rest = false;
        for (name, value) in event.iter() {
            let name = name.cast_into::<PyString>().map_err(|_| PyTypeError::new_err("a field's name is no text"))?;
            match self.place(&name)? {
                Place::Id => id = Some(value),
                Place::Message(_) if value.is_exact_instance_of::<PyString>() => message = Some(value),
                Place::Original(_) if value.is_exact_instance_of::<PyString>() => original = Some(value),
                Place::Column(at) | Place::Message(at) | Place::Original(at) if self.put(at, row, &value)? => {}
                _ => {
                    self.put_rest(row, has_rest, &name, &value)?;
                    has_rest = true;
                }
            }
        }
        if has_rest {
            self.rest.texts.octets.push(b'}');
            self.rest.bits.set(row);
            self.rest.texts.close()?;
        }
        self.put_texts(row, message, original)?;
        self.put_id(py, row, id)
    }

    fn place(&mut self, name: &Bound<'py, PyString>) -> PyResult<Place> {
        let pointer = name.as_ptr() as usize;
        if let Some(place) = self.by_pointer.get(&pointer) {
            return Ok(*place);
        }
        let place = name.to_str().ok().and_then(|text| self.by_name.get(text)).copied().unwrap_or(Place::Rest);
        self.by_pointer.insert(pointer, place);
        self.held.push(name.clone());
        Ok(place)
    }

    /// False when the column does not take the value.
    fn put(&mut self, at: usize, row: usize, value: &Bound<'py, PyAny>) -> PyResult<bool> {
        let kind = self.kinds[at];
        let takes = match kind {
            Kind::Word | Kind::Address | Kind::Date => value.is_exact_instance_of::<PyString>(),
            Kind::Long => value.is_exact_instance_of::<PyInt>(),
            Kind::Float => value.is_exact_instance_of::<PyFloat>(),
            Kind::Flag => value.is_exact_instance_of::<PyBool>(),
            Kind::Words => value.is_exact_instance_of::<PyTuple>(),
        };
        if !takes {
            return Ok(false);
        }
        let rows = self.rows;
        let column = self.columns[at].get_or_insert_with(|| Column::new(kind, rows));
        match kind {
            Kind::Word => with_octets(value.cast()?, |text| column.word(row, text))??,
            Kind::Address => with_octets(value.cast()?, |text| column.address(row, text))??,
            Kind::Date => {
                let quick = value.cast::<PyString>()?.to_str().ok().and_then(microseconds);
                let us = quick.map_or_else(|| self.asked.moment_of.call1((value,))?.extract::<i64>(), Ok)?;
                column.number(row, us.to_le_bytes());
            }
            Kind::Long => match value.extract::<i64>() {
                Ok(number) if number != i64::MIN => column.number(row, number.to_le_bytes()),
                _ => return Ok(false),
            },
            Kind::Float => column.number(row, value.extract::<f64>()?.to_le_bytes()),
            Kind::Flag => column.flag(row, value.is_truthy()?),
            Kind::Words => {
                let words = value.cast::<PyTuple>()?;
                if !words.iter_borrowed().all(|word| word.is_exact_instance_of::<PyString>()) {
                    return Ok(false);
                }
                column.words(row, words)?;
            }
        }
        Ok(true)
    }

    /// A message that is the end of its original is its length.
    fn put_texts(
        &mut self,
        row: usize,
        message: Option<Bound<'py, PyAny>>,
        original: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        if let (Some(message), Some(original)) = (&message, &original) {
            let length = with_octets(message.cast()?, |message| {
                with_octets(original.cast()?, |original| original.ends_with(message).then(|| characters(message)))
            })??;
            if let Some(length) = length {
                self.lengths.number(row, length.to_le_bytes());
                return self.put_text("event.original", row, original.as_any());
            }
        }
        for (name, value) in [("message", message), ("event.original", original)] {
            if let Some(value) = value {
                self.put_text(name, row, &value)?;
            }
        }
        Ok(())
    }

    fn put_text(&mut self, name: &str, row: usize, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Some(Place::Message(at) | Place::Original(at)) = self.by_name.get(name) {
            self.put(*at, row, value)?;
        }
        Ok(())
    }

    fn put_id(&mut self, py: Python<'py>, row: usize, id: Option<Bound<'py, PyAny>>) -> PyResult<()> {
        let text = match id {
            Some(value) if value.is_exact_instance_of::<PyString>() => value.cast_into::<PyString>()?,
            Some(value) => value.str()?,
            None => PyString::new(py, ""),
        };
        let place = &mut self.ids[row * 16..row * 16 + 16];
        if let Some(octets) = text.to_str().ok().and_then(uuid) {
            place.copy_from_slice(&octets);
        } else {
            let octets: Vec<u8> = self.asked.id_of.call1((text,))?.extract()?;
            if octets.len() != 16 {
                return Err(PyValueError::new_err("an id has 16 octets"));
            }
            place.copy_from_slice(&octets);
        }
        Ok(())
    }

    fn put_rest(
        &mut self,
        row: usize,
        has_rest: bool,
        name: &Bound<'py, PyString>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        if !has_rest {
            self.rest.texts.pass(row);
        }
        let out = &mut self.rest.texts.octets;
        out.push(if has_rest { b',' } else { b'{' });
        json(out, name.as_any(), &self.asked.encode)?;
        out.push(b':');
        json(out, value, &self.asked.encode)
    }

    fn finish(mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let made = PyDict::new(py);
        let rows = self.rows;
        for (at, (name, _)) in self.listed.iter().enumerate() {
            let Some(column) = &mut self.columns[at] else { continue };
            if column.bits.set == 0 {
                continue;
            }
            column.texts.pass(rows);
            let valid = column.bits.finish(py, rows);
            match self.kinds[at] {
                Kind::Word | Kind::Address => {
                    made.set_item(name, (valid, offsets(py, &column.texts), PyBytes::new(py, &column.texts.octets)))?;
                }
                Kind::Words => {
                    let (counts, ends) = (offsets(py, &column.texts), offsets(py, &column.inner));
                    made.set_item(name, (valid, counts, ends, PyBytes::new(py, &column.inner.octets)))?;
                }
                _ => made.set_item(name, (valid, PyBytes::new(py, &column.fixed)))?,
            }
            if self.kinds[at] == Kind::Address && column.known.set > 0 {
                let numbers = (column.known.finish(py, rows), PyBytes::new(py, &column.numbers));
                made.set_item(format!("{name}#n"), numbers)?;
            }
        }
        made.set_item(ID, (None::<Bound<'py, PyBytes>>, PyBytes::new(py, &self.ids)))?;
        if self.lengths.bits.set > 0 {
            made.set_item(
                LENGTH,
                (self.lengths.bits.finish(py, rows), PyBytes::new(py, &self.lengths.fixed[..rows * 4])),
            )?;
        }
        if self.rest.bits.set > 0 {
            self.rest.texts.pass(rows);
            let rest = &self.rest.texts;
            made.set_item(REST, (self.rest.bits.finish(py, rows), offsets(py, rest), PyBytes::new(py, &rest.octets)))?;
        }
        Ok(made)
    }
}

/// Addresses of objects are spread well by one multiplication.
#[derive(Default)]
struct Pointer(u64);

impl Hasher for Pointer {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, octets: &[u8]) {
        octets.iter().for_each(|octet| self.0 = (self.0 ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3));
    }

    fn write_usize(&mut self, pointer: usize) {
        self.0 = (pointer as u64 >> 4).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

fn kind_of(name: &str, kind: &str) -> PyResult<Kind> {
    Ok(match kind {
        "keyword" | "text" => Kind::Word,
        "keyword[]" | "text[]" => Kind::Words,
        "ip" => Kind::Address,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "boolean" => Kind::Flag,
        "date" => Kind::Date,
        _ => return Err(PyValueError::new_err(format!("{name}: there is no column of {kind}"))),
    })
}

/// The octets of a text; half a surrogate pair, out of someone's JSON, as \uXXXX.
fn with_octets<T>(text: &Bound<'_, PyString>, use_of: impl FnOnce(&[u8]) -> T) -> PyResult<T> {
    if let Ok(text) = text.to_str() {
        return Ok(use_of(text.as_bytes()));
    }
    let octets = text.call_method1("encode", ("utf-8", "backslashreplace"))?;
    Ok(use_of(octets.cast::<PyBytes>()?.as_bytes()))
}

fn characters(text: &[u8]) -> i32 {
    text.iter().filter(|octet| **octet & 0xc0 != 0x80).count() as i32
}

fn offsets<'py>(py: Python<'py>, texts: &Texts) -> Bound<'py, PyBytes> {
    let octets: Vec<u8> = texts.ends.iter().flat_map(|end| end.to_le_bytes()).collect();
    PyBytes::new(py, &octets)
}

/// An address in network order, IPv4 mapped into IPv6; a scope id is left out.
fn octets_of(text: &str) -> Option<[u8; 16]> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(address.to_ipv6_mapped().octets());
    }
    let (address, scope) = text.split_once('%').unwrap_or((text, "-"));
    if scope.is_empty() || scope.contains('%') {
        return None;
    }
    address.parse::<Ipv6Addr>().ok().map(|address| address.octets())
}

/// A UUID as it is usually written.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let text = text.as_bytes();
    if text.len() != 36 || [8, 13, 18, 23].iter().any(|at| text[*at] != b'-') {
        return None;
    }
    let mut octets = [0; 16];
    let mut at = 0;
    for octet in &mut octets {
        at += usize::from(text[at] == b'-');
        *octet = hex(text[at])? << 4 | hex(text[at + 1])?;
        at += 2;
    }
    Some(octets)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

/// Of "2026-11-22T03:19:58.500000Z", and of nothing written otherwise: since 1970 UTC.
fn microseconds(text: &str) -> Option<i64> {
    let text = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if text.len() != 27 || marks.iter().any(|(at, mark)| text[*at] != *mark) {
        return None;
    }
    let number = |from: usize, to: usize| {
        text[from..to]
            .iter()
            .try_fold(0i64, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, part) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 26)?);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if is_leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if year < 1 || !(1..=12).contains(&month) || day < 1 || day > days[month as usize - 1] {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days since 1970 of the proleptic Gregorian calendar, years counted from March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_number = y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719_468;
    Some((((day_number * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + part)
}

/// A value as JSON, letters beyond ASCII as they are.
fn json(out: &mut Vec<u8>, value: &Bound<'_, PyAny>, encode: &Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_exact_instance_of::<PyString>() {
        return with_octets(value.cast()?, |text| quoted(out, text));
    }
    if value.is_exact_instance_of::<PyBool>() {
        out.extend_from_slice(if value.is_truthy()? { b"true" } else { b"false" });
        return Ok(());
    }
    if value.is_exact_instance_of::<PyInt>()
        && let Ok(number) = value.extract::<i64>()
    {
        out.extend_from_slice(number.to_string().as_bytes());
        return Ok(());
    }
    if let Ok(items) = value.cast_exact::<PyTuple>() {
        out.push(b'[');
        for (at, item) in items.iter_borrowed().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            json(out, &item, encode)?;
        }
        out.push(b']');
        return Ok(());
    }
    let text = encode.call1((value,))?;
    with_octets(text.cast()?, |text| out.extend_from_slice(text))
}

fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for octet in text {
        match octet {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', *octet]),
            b'\n' => out.extend_from_slice(b"\\n"),
            0..0x20 => out.extend_from_slice(format!("\\u{octet:04x}").as_bytes()),
            _ => out.push(*octet),
        }
    }
    out.push(b'"');
}
