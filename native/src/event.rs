//! An event as rules look at it: one pass over its JSON, then cheap look-ups by name.
//!
//! Fields are found flat ("source.ip" as one key), nested (objects in objects), or mixed. What the
//! tools for .evtx files print ({"Event": {"System": ..., "EventData": ...}}) is made flat: a rule
//! says `Image` where such a document says Event.EventData.Image.

use std::borrow::Cow;
use std::cell::OnceCell;

use ahash::RandomState;
use memchr::{memchr, memchr2, memmem};
use rsigma_eval::event::EventValue;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::windows;

/// Deeper than this no field is looked for.
const DEEPEST: usize = 64;
/// The JSON an event was made from, kept by every parser of ours.
const ORIGINAL: &str = "event.original";

pub type Fields<'a> = Vec<(Cow<'a, str>, Node<'a>)>;

/// A JSON value that borrows from the line where it can.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    Text(Cow<'a, str>),
    Int(i64),
    Float(f64),
    Bool(bool),
    Null,
    List(Vec<Node<'a>>),
    Map(Fields<'a>),
}

impl<'a> Node<'a> {
    pub fn as_map(&self) -> Option<&Fields<'a>> {
        match self {
            Node::Map(fields) => Some(fields),
            _ => None,
        }
    }

    /// Whether names or positions lead further into it; those of a plain list are its own.
    fn is_nested(&self) -> bool {
        match self {
            Node::Map(_) => true,
            Node::List(items) => items.iter().any(|item| matches!(item, Node::Map(_) | Node::List(_))),
            _ => false,
        }
    }

    pub fn value(&self) -> EventValue<'_> {
        match self {
            Node::Text(text) => EventValue::Str(Cow::Borrowed(text)),
            Node::Int(number) => EventValue::Int(*number),
            Node::Float(number) => EventValue::Float(*number),
            Node::Bool(truth) => EventValue::Bool(*truth),
            Node::Null => EventValue::Null,
            Node::List(items) => EventValue::Array(items.iter().map(Node::value).collect()),
            Node::Map(fields) => {
                EventValue::Map(fields.iter().map(|(name, node)| (Cow::Borrowed(&**name), node.value())).collect())
            }
        }
    }

    /// Every text in it, until `pred` says it is enough. Returns whether it did.
    fn any_text(&self, pred: &mut dyn FnMut(&str) -> bool, depth: usize) -> bool {
        match self {
            _ if depth == 0 => false,
            Node::Text(text) => pred(text),
            Node::List(items) => items.iter().any(|item| item.any_text(pred, depth - 1)),
            Node::Map(fields) => fields.iter().any(|(_, node)| node.any_text(pred, depth - 1)),
            _ => false,
        }
    }
}

/// A name among the fields of an object: the last one, where it stands twice.
pub fn named<'e, 'a>(fields: &'e Fields<'a>, name: &str) -> Option<&'e Node<'a>> {
    fields.iter().rev().find(|(known, _)| known == name).map(|(_, node)| node)
}

pub struct Event<'a> {
    fields: Fields<'a>,
    slots: Vec<u16>, // open addressing: number of a field + 1, 0 is free
    hasher: &'a RandomState,
    nested: bool, // a field is an object, or a list of objects or lists
    roots: u64,   // a bit for what names begin with, up to their first dot
    evtx: Option<windows::Evtx<'a>>,
    original: OnceCell<Option<Box<Event<'a>>>>,
}

impl<'a> Event<'a> {
    /// Raises the reason why `line` is no JSON object.
    pub fn read(line: &'a [u8], hasher: &'a RandomState) -> Result<Event<'a>, String> {
        // Octets are looked at once for all the texts in them.
        let text = std::str::from_utf8(line).map_err(|error| error.to_string())?;
        let mut reading = serde_json::Deserializer::from_str(text);
        let whole = Document { octets: text.len() }.deserialize(&mut reading);
        let fields = whole.and_then(|fields| reading.end().map(|()| fields)).map_err(|error| error.to_string())?;
        let (fields, evtx) = windows::flattened(fields);
        Ok(Self::of(fields, evtx, hasher))
    }

    fn of(fields: Fields<'a>, evtx: Option<windows::Evtx<'a>>, hasher: &'a RandomState) -> Event<'a> {
        let nested = fields.iter().any(|(_, node)| node.is_nested());
        let roots = fields.iter().fold(0, |bits, (name, _)| bits | root_bit(name));
        let mut event = Event { fields, slots: Vec::new(), hasher, nested, roots, evtx, original: OnceCell::new() };
        event.index();
        event
    }

    fn index(&mut self) {
        // Events of more fields than the numbers reach are no events; the first ones are found.
        let known = self.fields.len().min(usize::from(u16::MAX) - 1);
        self.slots = vec![0; (known * 2 + 1).next_power_of_two()];
        for number in 0..known {
            let at = self.slot(&self.fields[number].0);
            self.slots[at] = u16::try_from(number + 1).expect("fewer than 65,535");
        }
    }

    /// Where `name` stands or would stand.
    fn slot(&self, name: &str) -> usize {
        let mask = self.slots.len() - 1;
        #[allow(clippy::cast_possible_truncation)] // any bits will do
        let mut at = self.hasher.hash_one(name) as usize & mask;
        loop {
            match self.slots[at] {
                0 => return at,
                number if self.fields[usize::from(number) - 1].0 == name => return at,
                _ => at = (at + 1) & mask,
            }
        }
    }

    fn flat(&self, name: &str) -> Option<&Node<'a>> {
        match self.slots[self.slot(name)] {
            0 => None,
            number => Some(&self.fields[usize::from(number) - 1].1),
        }
    }

    /// The value of a field: its own key, or a path through objects; through a list every member's.
    pub fn find(&self, path: &str) -> Option<EventValue<'_>> {
        if let Some(node) = self.flat(path) {
            return Some(node.value());
        }
        if memchr2(b'[', b'\\', path.as_bytes()).is_some() {
            return self.by_position(path);
        }
        if !self.nested {
            return None;
        }
        let mut found = Vec::new();
        for (dot, _) in path.match_indices('.') {
            if let Some(node) = self.flat(&path[..dot]) {
                below(node, &path[dot + 1..], &mut found, DEEPEST);
            }
        }
        one_or_all(found)
    }

    /// As `find` where the names of the format itself are meant: what names an event's channel and id
    /// is not what its data happen to call so.
    pub fn find_for_routing(&self, path: &str) -> Option<EventValue<'_>> {
        let said = self.evtx.as_ref().and_then(|evtx| evtx.said(path));
        said.map(Node::value).or_else(|| self.find(path))
    }

    /// `args[0].name`, and keys with escaped brackets: rare, so by way of the crate's own event.
    fn by_position(&self, path: &str) -> Option<EventValue<'_>> {
        if let Some((name, place)) = path.strip_suffix(']').and_then(|path| path.rsplit_once('['))
            && let (Ok(at), Some(Node::List(items))) = (place.parse::<usize>(), self.flat(name))
        {
            return items.get(at).map(Node::value);
        }
        if !self.nested && !path.contains('\\') {
            return None;
        }
        let whole =
            EventValue::Map(self.fields.iter().map(|(name, node)| (Cow::Borrowed(&**name), node.value())).collect());
        let json = whole.to_json();
        use rsigma_eval::event::{Event as _, JsonEvent};
        JsonEvent::borrow(&json).get_field(path).map(|value| owned(&value))
    }

    /// Whether a name may begin with one of `roots`, made of `root_bit`.
    pub fn may_begin_with(&self, roots: u64) -> bool {
        self.roots & roots != 0
    }

    /// The JSON object this event was made from, when `event.original` holds one.
    pub fn original(&self) -> Option<&Event<'a>> {
        self.original.get_or_init(|| self.read_original().map(Box::new)).as_ref().map(|event| &**event)
    }

    /// Whether `original` may know `name`: what a line's pairs are called is seen without reading them.
    pub fn original_may_say(&self, name: &str) -> bool {
        if self.original.get().is_some() || name.contains('\\') {
            return true;
        }
        let Some(text) = self.original_text().map(str::as_bytes) else { return false };
        memchr(b'{', text).is_some() || memmem::find_iter(text, name).any(|at| text.get(at + name.len()) == Some(&b'='))
    }

    /// What the event was made from.
    pub fn original_text(&self) -> Option<&str> {
        match self.flat(ORIGINAL)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    fn read_original(&self) -> Option<Event<'a>> {
        let text = self.original_text()?;
        // The text dies with this event; what is made of it must not borrow from it.
        let document = |begin| serde_json::Deserializer::from_str(&text[begin..]).into_iter::<Owned>().next()?.ok();
        if let Some(Owned(Node::Map(fields))) = text.find('{').and_then(document) {
            return Some(Self::of(fields, None, self.hasher));
        }
        let is_audit = text.contains("msg=audit(");
        let mut fields: Fields<'static> = Vec::new();
        for (key, value) in crate::text::pairs(text, b' ') {
            let value = if is_audit { audit_text(text, key, &value) } else { value.into_owned() };
            fields.push((Cow::Owned(key.to_owned()), Node::Text(Cow::Owned(value))));
        }
        fields.reverse(); // of a key that comes twice the first one counts
        (!fields.is_empty()).then(|| Self::of(fields, None, self.hasher))
    }

    pub fn any_text(&self, pred: &mut dyn FnMut(&str) -> bool) -> bool {
        self.fields.iter().any(|(_, node)| node.any_text(pred, DEEPEST))
    }

    pub fn to_json(&self) -> serde_json::Value {
        self.fields.iter().map(|(name, node)| (name.to_string(), node.value().to_json())).collect()
    }
}

/// What the audit daemon wrote as hexadecimal digits because of a blank or quote in it.
fn audit_text(text: &str, key: &str, value: &str) -> String {
    let is_argument = key.len() > 1 && key.starts_with('a') && key[1..].bytes().all(|byte| byte.is_ascii_digit());
    let may_be = if is_argument {
        text.contains("type=EXECVE") // those of a system call are numbers
    } else {
        matches!(key, "name" | "comm" | "exe" | "cwd" | "cmd" | "proctitle")
    };
    let may_be = may_be && !text.contains(&format!("{key}=\""));
    let digits = value.as_bytes();
    if !may_be || digits.len() < 4 || !digits.len().is_multiple_of(2) {
        return value.to_owned();
    }
    let octet = |pair: &[u8]| Some((pair[0] as char).to_digit(16)? * 16 + (pair[1] as char).to_digit(16)?);
    match digits
        .chunks(2)
        .map(|pair| octet(pair).and_then(|octet| u8::try_from(octet).ok()))
        .collect::<Option<Vec<u8>>>()
    {
        Some(octets) => String::from_utf8_lossy(&octets).replace('\0', " "),
        None => value.to_owned(),
    }
}

/// One of 64 bits for the part of a name before its first dot.
pub fn root_bit(name: &str) -> u64 {
    let root = &name.as_bytes()[..memchr(b'.', name.as_bytes()).unwrap_or(name.len())];
    let (first, last) = (root.first().copied().unwrap_or(0), root.last().copied().unwrap_or(0));
    1 << ((usize::from(first) * 7 + usize::from(last) * 13 + root.len()) % 64)
}

/// What `path` names below a node; every member of a list is looked at.
fn below<'e>(node: &'e Node<'_>, path: &str, found: &mut Vec<EventValue<'e>>, depth: usize) {
    if depth == 0 {
        return;
    }
    match node {
        Node::List(items) => items.iter().for_each(|item| below(item, path, found, depth - 1)),
        Node::Map(fields) => {
            if let Some(node) = named(fields, path) {
                return found.push(node.value());
            }
            for (dot, _) in path.match_indices('.') {
                if let Some(node) = named(fields, &path[..dot]) {
                    below(node, &path[dot + 1..], found, depth - 1);
                }
            }
        }
        _ => {}
    }
}

fn one_or_all(mut found: Vec<EventValue<'_>>) -> Option<EventValue<'_>> {
    match found.len() {
        0 => None,
        1 => found.pop(),
        _ => Some(EventValue::Array(found)),
    }
}

fn owned(value: &EventValue<'_>) -> EventValue<'static> {
    match value {
        EventValue::Str(text) => EventValue::Str(Cow::Owned(text.to_string())),
        EventValue::Int(number) => EventValue::Int(*number),
        EventValue::Float(number) => EventValue::Float(*number),
        EventValue::Bool(truth) => EventValue::Bool(*truth),
        EventValue::Null => EventValue::Null,
        EventValue::Array(items) => EventValue::Array(items.iter().map(owned).collect()),
        EventValue::Map(fields) => {
            EventValue::Map(fields.iter().map(|(name, value)| (Cow::Owned(name.to_string()), owned(value))).collect())
        }
    }
}

// ---- reading

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node<'de>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Node<'de>, E> {
        Ok(Node::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Node<'de>, E> {
        // Beyond i64 a float would lose digits that a rule may ask for.
        Ok(i64::try_from(number).map_or_else(|_| Node::Text(Cow::Owned(number.to_string())), Node::Int))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Node<'de>, E> {
        Ok(Node::Float(number))
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(truth))
    }

    fn visit_unit<E: Error>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Node<'de>, A::Error> {
        let mut fields = Vec::with_capacity(8);
        while let Some(Key(name)) = entries.next_key()? {
            fields.push((name, entries.next_value()?));
        }
        Ok(Node::Map(fields))
    }
}

/// A whole event, in which room is made at once for the fields it may have.
struct Document {
    octets: usize,
}

impl<'de> DeserializeSeed<'de> for Document {
    type Value = Fields<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Fields<'de>, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Document {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an event, a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields<'de>, A::Error> {
        const OF_A_FIELD: usize = 32; // octets, name and value
        let mut fields = Vec::with_capacity((self.octets / OF_A_FIELD).min(128));
        while let Some(Key(name)) = entries.next_key()? {
            fields.push((name, entries.next_value()?));
        }
        Ok(fields)
    }
}

impl<'de> Deserialize<'de> for Node<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Reader)
    }
}

struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Cow<'de, str>;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a name")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(text))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(text.to_owned()))
            }
        }
        from.deserialize_str(Name).map(Key)
    }
}

/// A value that borrows nothing.
struct Owned(Node<'static>);

impl<'de> Deserialize<'de> for Owned {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Node::deserialize(from).map(|node| Owned(detached(node)))
    }
}

fn detached(node: Node<'_>) -> Node<'static> {
    let text = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    match node {
        Node::Text(said) => Node::Text(text(said)),
        Node::Int(number) => Node::Int(number),
        Node::Float(number) => Node::Float(number),
        Node::Bool(truth) => Node::Bool(truth),
        Node::Null => Node::Null,
        Node::List(items) => Node::List(items.into_iter().map(detached).collect()),
        Node::Map(fields) => Node::Map(fields.into_iter().map(|(name, node)| (text(name), detached(node))).collect()),
    }
}
