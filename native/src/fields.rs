//! Values put into the fields of an event in the form ECS wants, by the name of the field. Nothing here fails for
//! what a device wrote: devices write an address with its port, a protocol as a number, a user with his domain, a URL
//! in one piece, and `Name::put_text` takes any of them.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, RwLock};

use ahash::HashMap;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use regex::Regex;

macro_rules! nothing {
    ($($word:literal),*) => {
        pub const NOTHING: &[&str] = &[$($word),*];

        /// Words that stand for no value.
        pub fn is_nothing(text: &str) -> bool {
            text.len() <= LONGEST_NOTHING && matches!(text, $($word)|*)
        }
    };
}
nothing!(
    "",
    "-",
    "--",
    "N/A",
    "n/a",
    "NA",
    "null",
    "NULL",
    "(null)",
    "none",
    "None",
    "undefined",
    "<unknown>",
    "(none)",
    "<null>"
);
const LONGEST_NOTHING: usize = 9;
const MOST_NAMES: usize = 8192;
const LONGEST_NAME: usize = 32; // octets of a protocol's name
const LONGEST_ADDRESS: usize = 64; // octets, zone included
const LONGEST_DOMAIN: usize = 255;

static WITH_PORT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\A(?:\[([^\]]+)\]|([0-9]{1,3}(?:\.[0-9]{1,3}){3}))(?:[:/#.(]([0-9]{1,5})\)?)?(?:/[0-9A-Za-z_]+)?\z")
        .expect("a constant")
});
static URL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\A(?:([A-Za-z][A-Za-z0-9+.-]{1,15}):/+)?(?:[^/?#@]{1,128}@)?(\[[0-9A-Fa-f:.]{2,45}\]|[^/?#:]*)(?::([0-9]{1,5}))?(/[^?#]*)?(?:\?([^#]*))?",
    )
    .expect("a constant")
});
#[rustfmt::skip]
const PORTS: &[(&str, u16)] = &[
    ("ftp-data", 20), ("ftp", 21), ("ssh", 22), ("telnet", 23), ("smtp", 25), ("domain", 53), ("dns", 53),
    ("bootps", 67), ("bootpc", 68), ("tftp", 69), ("http", 80), ("www", 80), ("kerberos", 88), ("pop3", 110),
    ("sunrpc", 111), ("ntp", 123), ("netbios-ns", 137), ("netbios-dgm", 138), ("netbios-ssn", 139), ("imap", 143),
    ("imap4", 143), ("snmp", 161), ("snmptrap", 162), ("bgp", 179), ("ldap", 389), ("https", 443),
    ("microsoft-ds", 445), ("isakmp", 500), ("syslog", 514), ("ldaps", 636), ("imaps", 993), ("pop3s", 995),
    ("sqlnet", 1521), ("radius", 1812), ("radius-acct", 1813), ("mysql", 3306), ("rdp", 3389), ("sip", 5060),
    ("aol", 5190),
];
/// IANA's numbers of protocols, with the names ECS gives them.
#[rustfmt::skip]
const PROTOCOLS: &[(&str, &str)] = &[
    ("1", "icmp"), ("2", "igmp"), ("4", "ipip"), ("6", "tcp"), ("17", "udp"), ("41", "ipv6"), ("46", "rsvp"),
    ("47", "gre"), ("50", "esp"), ("51", "ah"), ("58", "ipv6-icmp"), ("88", "eigrp"), ("89", "ospf"), ("103", "pim"),
    ("112", "vrrp"), ("132", "sctp"),
];
#[rustfmt::skip]
const ALSO: &[(&str, &str)] = &[
    ("icmp6", "ipv6-icmp"), ("icmpv6", "ipv6-icmp"), ("icmp-v6", "ipv6-icmp"), ("ipsec-esp", "esp"), ("tcp6", "tcp"),
    ("udp6", "udp"),
];
#[rustfmt::skip]
const GOOD: &[&str] = &[
    "success", "succeeded", "successful", "successfully", "ok", "allow", "allowed", "accept", "accepted", "pass",
    "passed", "permit", "permitted", "true", "yes", "0", "granted",
];
#[rustfmt::skip]
const BAD: &[&str] = &[
    "failure", "failed", "fail", "unsuccessful", "error", "denied", "deny", "block", "blocked", "reject", "rejected",
    "drop", "dropped", "false", "no", "refused", "invalid",
];
const SPACED_DOMAINS: &[&str] = &["NT AUTHORITY", "NT SERVICE", "Window Manager", "Font Driver Host", "IIS APPPOOL"];

/// Without the white space at both ends, as Python's `str.strip` sees it.
pub fn strip(text: &str) -> &str {
    if let [first, .., last] = text.as_bytes()
        && first.is_ascii_graphic()
        && last.is_ascii_graphic()
    {
        return text;
    }
    text.trim_matches(|c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c))
}

/// A text out of Python; of one that holds half a surrogate pair what can be kept.
pub fn text_of<'a>(text: &'a Bound<'_, PyString>) -> Cow<'a, str> {
    match text.to_cow() {
        Ok(text) => text,
        Err(_) => text.to_string_lossy(),
    }
}

/// An address without its zone, IPv4 where it is mapped into IPv6.
pub fn address_of(text: &str) -> Option<IpAddr> {
    if text.len() > LONGEST_ADDRESS {
        return None;
    }
    match text.as_bytes().first()? {
        first if first.is_ascii_hexdigit() || *first == b':' => {}
        _ => return None,
    }
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Some(IpAddr::V4(address));
    }
    let address = text.split('%').next().unwrap_or(text);
    if !address.contains(':') {
        return address.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    let address = address.parse::<Ipv6Addr>().ok()?;
    Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4))
}

/// success, failure or unknown.
pub fn outcome_of(word: &str) -> &'static str {
    let lower = strip(word).to_lowercase();
    if GOOD.contains(&&*lower) {
        "success"
    } else if BAD.contains(&&*lower) {
        "failure"
    } else {
        "unknown"
    }
}

/// (number, name) of a transport from either, in ECS's words.
pub fn transport_of(word: &str) -> Option<(&'static str, &'static str)> {
    if word.len() > LONGEST_NAME {
        return None;
    }
    let lower = strip(word).to_lowercase();
    let name = ALSO.iter().find(|(other, _)| *other == lower).map_or(&*lower, |(_, name)| name);
    PROTOCOLS.iter().find(|(number, known)| *number == name || *known == name).copied()
}

fn integer_of(text: &str) -> Option<i128> {
    if text.len() < 25 {
        if let Ok(number) = text.parse::<i128>() {
            return Some(number);
        }
        if let Ok(number) = text.parse::<f64>() {
            return (number.abs() < 1e36).then_some(number as i128);
        }
    }
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    (text.len() < 18).then(|| i128::from_str_radix(digits, 16).ok()).flatten().filter(|number| *number >= 0)
}

fn mac_of(text: &str) -> Option<String> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).map(|digit| digit.to_ascii_uppercase()).collect();
    if digits.len() != 12 {
        return None;
    }
    let mut mac = String::with_capacity(17);
    for pair in digits.chunks(2) {
        if !mac.is_empty() {
            mac.push('-');
        }
        mac.extend(pair.iter().map(|digit| *digit as char));
    }
    Some(mac)
}

fn is_domain(text: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    text.starts_with(is_word) && text.len() <= LONGEST_DOMAIN && text.chars().all(|c| is_word(c) || c == '.')
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// What kind of value a field holds.
enum Kind {
    AsIs,
    Address { port: Py<PyString>, domain: Option<Py<PyString>> },
    Port,
    Mac,
    Integer,
    Transport,
    Lower,
    Outcome,
    Many,
    Domain { address: Py<PyString> },
    Url,
    User { domain: Py<PyString> },
    Interface,
    Question,
    Milliseconds,
}

/// A field: its name as a key of Python's, and how a value gets into it.
pub struct Name {
    pub key: Py<PyString>,
    kind: Kind,
    takes_text: bool, // identifiers and codes: a number is kept as text
}

type Fields<'a, 'py> = &'a Bound<'py, PyDict>;

fn set_default<'py>(fields: Fields<'_, 'py>, key: &Bound<'py, PyString>, value: &str) -> PyResult<()> {
    if fields.contains(key)? { Ok(()) } else { fields.set_item(key, value) }
}

fn key_of(py: Python<'_>, text: &str) -> Py<PyString> {
    PyString::intern(py, text).unbind()
}

/// Keys as objects of Python's, made once: senders repeat theirs in every line.
#[derive(Default)]
pub struct Keys {
    made: HashMap<Box<str>, Py<PyString>>,
}

static KEYS: LazyLock<Mutex<Keys>> = LazyLock::new(Default::default);

/// `work` with the keys made so far.
pub fn with_keys<T>(work: impl FnOnce(&mut Keys) -> T) -> T {
    work(&mut KEYS.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Keys {
    pub fn get<'py>(&mut self, py: Python<'py>, key: &str) -> Bound<'py, PyString> {
        if let Some(made) = self.made.get(key) {
            return made.bind(py).clone();
        }
        if self.made.len() >= MOST_NAMES {
            self.made.clear();
        }
        let made = PyString::intern(py, key);
        self.made.insert(key.into(), made.clone().unbind());
        made
    }
}

static NAMES: LazyLock<RwLock<HashMap<String, Arc<Name>>>> = LazyLock::new(Default::default);

impl Name {
    /// The field of that name; made once.
    pub fn of(py: Python<'_>, text: &str) -> Arc<Name> {
        if let Some(name) = NAMES.read().ok().and_then(|names| names.get(text).cloned()) {
            return name;
        }
        let name = Arc::new(Name {
            key: key_of(py, text),
            kind: Kind::of(py, text),
            takes_text: text.ends_with(".id") || text.ends_with(".code"),
        });
        if let Ok(mut names) = NAMES.write()
            && names.len() < MOST_NAMES
        {
            names.insert(text.to_owned(), name.clone());
        }
        name
    }

    /// A place of a rule, whose own kind goes before that of its field.
    pub fn of_place(py: Python<'_>, text: &str, kind: &str) -> Arc<Name> {
        let kind = match kind {
            "seconds" => Kind::Milliseconds,
            "int" => Kind::Integer,
            _ => return Name::of(py, text),
        };
        Arc::new(Name { key: key_of(py, text), kind, takes_text: false })
    }

    /// Put a value of any type; what is nothing, or no value of this field, is left out.
    pub fn put<'py>(&self, fields: Fields<'_, 'py>, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let py = value.py();
        if let Ok(text) = value.cast::<PyString>() {
            return self.put_object(fields, text);
        }
        if value.is_none() {
            return Ok(());
        }
        let is_as_is = matches!(self.kind, Kind::AsIs);
        if value.is_instance_of::<PyBool>() || value.is_instance_of::<PyInt>() || value.is_instance_of::<PyFloat>() {
            if !is_as_is {
                return self.put_written(fields, &text_of(&value.str()?), None);
            }
            if self.takes_text && !value.is_instance_of::<PyBool>() {
                return fields.set_item(self.key.bind(py), value.str()?);
            }
            return fields.set_item(self.key.bind(py), value);
        }
        if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
            let mut plain = Vec::new();
            for one in value.try_iter()? {
                let one = one?;
                if one.is_instance_of::<PyString>() || one.is_instance_of::<PyInt>() || one.is_instance_of::<PyFloat>()
                {
                    plain.push(one.str()?);
                }
            }
            return match plain.as_slice() {
                [] => Ok(()),
                [_, _, ..] if is_as_is => fields.set_item(self.key.bind(py), PyTuple::new(py, plain)?),
                [one, ..] if is_as_is => fields.set_item(self.key.bind(py), one),
                [one, ..] => self.put_object(fields, one),
            };
        }
        Ok(())
    }

    /// Put what a device wrote.
    pub fn put_object<'py>(&self, fields: Fields<'_, 'py>, text: &Bound<'py, PyString>) -> PyResult<()> {
        let written = text_of(text);
        let value = strip(&written);
        if is_nothing(value) {
            return Ok(());
        }
        self.put_written(fields, value, (value.len() == written.len()).then_some(text))
    }

    /// Put a text that is stripped and something. same: the object that it is, where there is one.
    pub fn put_written<'py>(
        &self,
        fields: Fields<'_, 'py>,
        value: &str,
        same: Option<&Bound<'py, PyString>>,
    ) -> PyResult<()> {
        let py = fields.py();
        let key = self.key.bind(py);
        let keep = |value: &str| match same {
            Some(same) => fields.set_item(key, same),
            None => fields.set_item(key, value),
        };
        match &self.kind {
            Kind::AsIs => keep(value),
            Kind::Address { port, domain } => match address_of(value) {
                Some(IpAddr::V4(_)) if !value.contains([':', '%']) => keep(value),
                Some(address) => fields.set_item(key, address.to_string()),
                None => put_address(fields, key, port.bind(py), domain.as_ref().map(|name| name.bind(py)), value),
            },
            Kind::Port => {
                if is_digits(value) {
                    match value.parse::<u16>() {
                        Ok(port) if value.len() < 6 => fields.set_item(key, port),
                        _ => Ok(()),
                    }
                } else {
                    let lower = value.to_lowercase();
                    match PORTS.iter().find(|(name, _)| *name == lower) {
                        Some((_, port)) => fields.set_item(key, port),
                        None => Ok(()),
                    }
                }
            }
            Kind::Mac => match (value.len() <= 17).then(|| mac_of(value)).flatten() {
                Some(mac) => fields.set_item(key, mac),
                None => Ok(()),
            },
            Kind::Integer => {
                if value.len() < 19 && is_digits(value) {
                    return fields.set_item(key, value.parse::<u64>().unwrap_or(0));
                }
                match integer_of(value) {
                    Some(number) => fields.set_item(key, number),
                    None => Ok(()),
                }
            }
            Kind::Milliseconds => match value.parse::<f64>() {
                Ok(seconds) => fields.set_item(key, format!("{:.3}", seconds * 1000.0).parse::<f64>().unwrap_or(0.0)),
                Err(_) => Ok(()),
            },
            Kind::Transport => put_transport(fields, key, value),
            Kind::Lower => {
                if value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase()) {
                    keep(value)
                } else {
                    fields.set_item(key, value.to_lowercase())
                }
            }
            Kind::Outcome => fields.set_item(key, outcome_of(value)),
            Kind::Many => fields.set_item(key, (value,)),
            Kind::Domain { address } => match address_of(value.trim_matches(['[', ']'])) {
                Some(found) => set_default(fields, address.bind(py), &found.to_string()),
                None => keep(value),
            },
            Kind::Url => {
                keep(value)?;
                put_url(fields, value)
            }
            Kind::User { domain } => match value.split_once('\\') {
                Some((before, user)) if is_users_domain(before) && !user.trim_start_matches('\\').is_empty() => {
                    fields.set_item(key, user.trim_start_matches('\\'))?;
                    set_default(fields, domain.bind(py), before)
                }
                _ => keep(value),
            },
            // The end of a sentence is not part of its name.
            Kind::Interface => match value.trim_end_matches(['.', ',', ';', ':']) {
                name if name.len() == value.len() => keep(value),
                name => fields.set_item(key, name),
            },
            Kind::Question => match value.trim_end_matches('.') {
                "" => fields.set_item(key, "."),
                name => fields.set_item(key, name),
            },
        }
    }
}

impl Kind {
    fn of(py: Python<'_>, name: &str) -> Kind {
        match name {
            "network.transport" => return Kind::Transport,
            "network.protocol" | "network.direction" => return Kind::Lower,
            "event.outcome" => return Kind::Outcome,
            "event.category" | "event.type" => return Kind::Many,
            "source.domain" | "destination.domain" => {
                return Kind::Domain { address: key_of(py, &name.replace(".domain", ".ip")) };
            }
            "url.full" | "url.original" => return Kind::Url,
            "http.response.status_code" | "event.severity" | "event.duration" | "event.sequence" => {
                return Kind::Integer;
            }
            "dns.question.name" => return Kind::Question,
            _ => {}
        }
        if name.ends_with("user.name") || name == "user.target.name" || name == "user.effective.name" {
            let domain = format!("{}domain", name.strip_suffix("name").unwrap_or(name));
            return Kind::User { domain: key_of(py, &domain) };
        }
        if name.ends_with("interface.name") {
            return Kind::Interface;
        }
        match name.rsplit('.').next().unwrap_or(name) {
            "ip" => {
                let side = name.strip_suffix(".ip").unwrap_or(name);
                let is_end = matches!(side, "source" | "destination" | "client" | "server");
                Kind::Address {
                    port: key_of(py, &format!("{side}.port")),
                    domain: is_end.then(|| key_of(py, &format!("{side}.domain"))),
                }
            }
            "port" => Kind::Port,
            "mac" => Kind::Mac,
            "pid" | "bytes" | "packets" | "size" => Kind::Integer,
            _ => Kind::AsIs,
        }
    }
}

fn is_users_domain(text: &str) -> bool {
    !text.is_empty() && text.chars().count() < 64 && (!text.contains(' ') || SPACED_DOMAINS.contains(&text))
}

/// An address that does not stand alone: with a port, in a list, or the name that stands for one.
fn put_address<'py>(
    fields: Fields<'_, 'py>,
    key: &Bound<'py, PyString>,
    port: &Bound<'py, PyString>,
    domain: Option<&Bound<'py, PyString>>,
    value: &str,
) -> PyResult<()> {
    let before_mark = value.strip_suffix([':', '.', ',', ';']).and_then(address_of);
    if let Some(address) = before_mark {
        return fields.set_item(key, address.to_string());
    }
    let written = WITH_PORT.captures(value);
    let parts = written.as_ref().and_then(|found| Some((found.get(1).or(found.get(2))?.as_str(), found.get(3))));
    if let Some((address, number)) = parts.and_then(|(text, number)| Some((address_of(text)?, number))) {
        fields.set_item(key, address.to_string())?;
        if let Some(number) = number
            && !fields.contains(port)?
        {
            fields.set_item(port, number.as_str().parse::<u32>().unwrap_or(0))?;
        }
        return Ok(());
    }
    if let Some((first, _)) = value.split_once(',') {
        let first = strip(first);
        return match address_of(first) {
            Some(address) => fields.set_item(key, address.to_string()),
            None => put_address(fields, key, port, domain, first),
        };
    }
    match domain {
        Some(domain) if is_domain(value) => set_default(fields, domain, value),
        _ => Ok(()),
    }
}

fn put_transport<'py>(fields: Fields<'_, 'py>, key: &Bound<'py, PyString>, value: &str) -> PyResult<()> {
    let py = fields.py();
    let first = value.split('/').next().unwrap_or(value);
    if let Some((number, name)) = transport_of(first) {
        fields.set_item(key, PyString::intern(py, name))?;
        return set_default(fields, intern!(py, "network.iana_number"), number);
    }
    if is_digits(value) {
        return fields.set_item(intern!(py, "network.iana_number"), value);
    }
    // `https/tcp` names the application first, `HTTP/1.1` its version last.
    if let Some((_, last)) = value.rsplit_once('/')
        && !is_digits(last)
        && transport_of(last).is_some()
    {
        return put_transport(fields, key, last);
    }
    set_default(fields, intern!(py, "network.protocol"), &first.to_lowercase())
}

/// The parts of a URL, where they are not known yet.
fn put_url(fields: Fields<'_, '_>, value: &str) -> PyResult<()> {
    let py = fields.py();
    let path = intern!(py, "url.path");
    let query = intern!(py, "url.query");
    if value.starts_with('/') {
        let (before, after) = value.split_once('?').unwrap_or((value, ""));
        set_default(fields, path, before)?;
        return if after.is_empty() { Ok(()) } else { set_default(fields, query, after) };
    }
    let Some(found) = URL.captures(value) else { return Ok(()) };
    let part = |number: usize| found.get(number).map_or("", |part| part.as_str());
    let (scheme, host, port) = (part(1), part(2), part(3));
    if scheme.is_empty() && !host.contains('.') {
        return Ok(());
    }
    if !scheme.is_empty() {
        set_default(fields, intern!(py, "url.scheme"), &scheme.to_lowercase())?;
    }
    if !host.is_empty() {
        set_default(fields, intern!(py, "url.domain"), host)?;
    }
    if let Ok(port) = port.parse::<u32>() {
        let key = intern!(py, "url.port");
        if !fields.contains(key)? {
            fields.set_item(key, port)?;
        }
    }
    for (key, text) in [(path, part(4)), (query, part(5))] {
        if !text.is_empty() {
            set_default(fields, key, text)?;
        }
    }
    Ok(())
}
