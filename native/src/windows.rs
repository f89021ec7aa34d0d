//! Windows events as the tools for .evtx files print them, made flat.
//!
//! What rules call `Image` is there `Event.EventData.Image`:
//!     {"Event": {"System": {"EventID": 1, "Channel": ..., "Provider": {"#attributes": {"Name": ...}}, ...},
//!                "EventData": {"Image": ...}}}
//! Attributes stand as "#attributes", as "@Name", or as "Provider_attributes" beside; data are named
//! keys, or a list of {"@Name": ..., "#text": ...}.

use std::borrow::Cow;

use crate::event::{Fields, Node, named};

/// Names of data that are told apart.
const MOST_NAMES: usize = 512;

/// What the System part says: the names of the format itself, for routing.
pub struct Evtx<'a> {
    system: Fields<'a>,
}

impl<'a> Evtx<'a> {
    pub fn said(&self, name: &str) -> Option<&Node<'a>> {
        named(&self.system, name)
    }
}

/// The fields of a Windows event by their own names, and its System part; other events as they are.
pub fn flattened(mut fields: Fields<'_>) -> (Fields<'_>, Option<Evtx<'_>>) {
    let wrapped = fields.iter().position(|(name, node)| {
        name.eq_ignore_ascii_case("event") && node.as_map().is_some_and(|event| section(event, "System").is_some())
    });
    let sections = match wrapped {
        Some(at) => match fields.swap_remove(at).1 {
            Node::Map(sections) => sections,
            _ => unreachable!("it was a map"),
        },
        None if section(&fields, "System").is_some() && section(&fields, "EventData").is_some() => {
            std::mem::take(&mut fields)
        }
        None => return (fields, None),
    };
    let mut system = Vec::new();
    let mut data = Vec::new();
    for (name, node) in sections {
        match node {
            Node::Map(inner) if name.eq_ignore_ascii_case("System") => system = system_fields(inner),
            // Not of the event but of the one who wrote it down: what is said elsewhere counts more.
            Node::Map(inner) if name.eq_ignore_ascii_case("RenderingInfo") => leaves(inner, &mut fields),
            node if name.eq_ignore_ascii_case("EventData") || name.eq_ignore_ascii_case("UserData") => {
                leaves_of(node, &name, &mut data);
            }
            _ => {}
        }
    }
    // Later ones are found first: the event's own data before System before what stood around it.
    fields.extend(system.iter().cloned());
    fields.extend(data);
    (fields, Some(Evtx { system }))
}

fn section<'e, 'a>(fields: &'e Fields<'a>, wanted: &str) -> Option<&'e Fields<'a>> {
    fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).and_then(|(_, node)| node.as_map())
}

fn system_fields(inner: Fields<'_>) -> Fields<'_> {
    let mut system: Fields<'_> = Vec::with_capacity(inner.len() + 1);
    for (name, node) in inner {
        match &*name {
            "Provider" | "Provider_attributes" => {
                attribute(&node, "Name", "Provider_Name", &mut system);
                attribute(&node, "EventSourceName", "EventSourceName", &mut system);
            }
            "TimeCreated" | "TimeCreated_attributes" => attribute(&node, "SystemTime", "SystemTime", &mut system),
            "Security" | "Security_attributes" => attribute(&node, "UserID", "UserID", &mut system),
            other if other.ends_with("_attributes") => {}
            _ => match node {
                Node::Map(parts) => {
                    if let Some(text) = text_of(parts) {
                        system.push((name, text));
                    }
                }
                node => system.push((name, node)),
            },
        }
    }
    system
}

/// The attribute `wanted` of an element, put under the name rules use.
fn attribute<'a>(node: &Node<'a>, wanted: &str, name: &'static str, into: &mut Fields<'a>) {
    let Some(parts) = node.as_map() else { return };
    let parts = named(parts, "#attributes").and_then(Node::as_map).unwrap_or(parts);
    if let Some((_, value)) = parts.iter().find(|(known, _)| known.trim_start_matches('@') == wanted) {
        into.push((Cow::Borrowed(name), value.clone()));
    }
}

/// The text of an element that has attributes too.
fn text_of(parts: Fields<'_>) -> Option<Node<'_>> {
    parts.into_iter().find(|(name, _)| matches!(&**name, "#text" | "Value" | "value" | "text")).map(|(_, node)| node)
}

/// Every named value below a section; of a name that comes twice the first one counts.
fn leaves<'a>(inner: Fields<'a>, found: &mut Fields<'a>) {
    for (name, node) in inner {
        if name.starts_with('#') || name.starts_with('@') || name.ends_with("_attributes") {
            continue;
        }
        leaves_of(node, &name, found);
    }
}

fn leaves_of<'a>(node: Node<'a>, name: &str, found: &mut Fields<'a>) {
    let mut put = |name: Cow<'a, str>, node: Node<'a>| {
        // An event of more names than this is none; looking through all of them each time would take long.
        if found.len() >= MOST_NAMES || !found.iter().any(|(known, _)| *known == name) {
            found.push((name, node));
        }
    };
    match node {
        Node::Map(inner) => match element(&inner) {
            Some(own) => put(own.unwrap_or_else(|| Cow::Owned(name.to_owned())), text_of(inner).unwrap_or(Node::Null)),
            None => leaves(inner, found),
        },
        Node::List(items) if items.iter().any(|item| item.as_map().is_some()) => {
            let mut unnamed = Vec::new();
            for item in items {
                match item {
                    Node::Map(inner) => match element(&inner) {
                        Some(None) => unnamed.extend(text_of(inner)),
                        _ => leaves_of(Node::Map(inner), name, found),
                    },
                    item => unnamed.push(item),
                }
            }
            if !unnamed.is_empty() {
                leaves_of(Node::List(unnamed), name, found);
            }
        }
        Node::Null if matches!(name, "EventData" | "UserData") => {}
        node => put(Cow::Owned(name.to_owned()), node),
    }
}

/// Whether an object is one element with a text: Some(its own name, where it says one).
fn element<'a>(parts: &Fields<'a>) -> Option<Option<Cow<'a, str>>> {
    let attributes = named(parts, "#attributes").and_then(Node::as_map);
    let own = [Some(parts), attributes].into_iter().flatten().find_map(|parts| {
        parts.iter().find(|(name, _)| matches!(&**name, "@Name" | "Name")).and_then(|(_, node)| match node {
            Node::Text(text) => Some(text.clone()),
            _ => None,
        })
    });
    let has_text = named(parts, "#text").is_some();
    let only_named = parts.iter().all(|(name, _)| matches!(&**name, "@Name" | "Name" | "#attributes" | "#text"));
    (has_text || (own.is_some() && only_named)).then_some(own)
}
