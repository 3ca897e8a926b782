//! XML as CloudFront's API speaks it: elements with text or children, lists as `Quantity` and `Items`. Reading is strict: an
//! element that nobody asked for is refused by its path.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use quick_xml::{Reader, events::Event};
use vodline_core::AwsError;

/// Documents nest less deeply than this; the limit keeps hostile ones from exhausting the stack.
const DEPTH_MAX: usize = 32;

/// CloudFront's namespace, on every root.
pub(crate) const NAMESPACE: &str = "http://cloudfront.amazonaws.com/doc/2020-05-31/";

/// An element that is being read: what is taken from it is gone, and what is left at the end is refused.
#[derive(Debug)]
pub(crate) struct Node {
    /// Which operation's document it is; refusals name it.
    operation: &'static str,
    path: String,
    name: String,
    text: String,
    children: Vec<Node>,
}

pub(crate) type Result<T> = std::result::Result<T, AwsError>;

fn malformed(what: impl std::fmt::Display) -> AwsError {
    AwsError::bad_request("MalformedInput", format!("the XML document cannot be read: {what}"))
}

/// CloudFront's answer to a value out of place.
pub(crate) fn invalid_argument(message: impl Into<String>) -> AwsError {
    AwsError::bad_request("InvalidArgument", message)
}

impl Node {
    /// Reads the document of an operation, whose root has this name.
    pub(crate) fn parse(operation: &'static str, document: &[u8], root: &str) -> Result<Self> {
        let text = std::str::from_utf8(document).map_err(malformed)?;
        let mut reader = Reader::from_str(text);
        let mut open: Vec<Self> = Vec::new();
        loop {
            let event = reader.read_event().map_err(malformed)?;
            match event {
                Event::Start(start) => {
                    open.push(Self::named(operation, start.local_name().as_ref(), open.last())?);
                    if open.len() > DEPTH_MAX {
                        return Err(malformed("it nests too deeply"));
                    }
                }
                Event::Empty(empty) => {
                    let node = Self::named(operation, empty.local_name().as_ref(), open.last())?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => return node.rooted(root),
                    }
                }
                Event::End(_) => {
                    let node = open.pop().ok_or_else(|| malformed("an element ends that did not begin"))?;
                    match open.last_mut() {
                        Some(parent) => parent.children.push(node),
                        None => return node.rooted(root),
                    }
                }
                Event::Text(text) => append(&mut open, &text.xml_content(quick_xml::XmlVersion::Implicit1_0)),
                Event::CData(data) => append(&mut open, &data.xml_content(quick_xml::XmlVersion::Implicit1_0)),
                Event::GeneralRef(reference) => {
                    let character = reference.resolve_char_ref().map_err(malformed)?;
                    match character {
                        Some(character) => append(&mut open, character.encode_utf8(&mut [0; 4])),
                        None => {
                            let name = reference.xml_content(quick_xml::XmlVersion::Implicit1_0);
                            let resolved = quick_xml::escape::resolve_predefined_entity(&name)
                                .ok_or_else(|| malformed("it refers to an unknown entity"))?;
                            append(&mut open, resolved);
                        }
                    }
                }
                Event::DocType(_) => return Err(malformed("it has a document type declaration")),
                Event::Eof => return Err(malformed("it ends early")),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            }
        }
    }

    fn named(operation: &'static str, name: &str, parent: Option<&Self>) -> Result<Self> {
        let path = parent.map_or_else(|| name.to_owned(), |parent| format!("{}.{name}", parent.path));
        Ok(Self { operation, path, name: name.to_owned(), text: String::new(), children: Vec::new() })
    }

    fn rooted(self, root: &str) -> Result<Self> {
        if self.name == root { Ok(self) } else { Err(malformed(format!("its root is {}, not {root}", self.name))) }
    }

    /// Takes a child away, if there is one.
    fn take(&mut self, name: &str) -> Option<Self> {
        let index = self.children.iter().position(|child| child.name == name)?;
        Some(self.children.remove(index))
    }

    fn missing(&self, name: &str) -> AwsError {
        invalid_argument(format!("{}.{name} is required", self.path))
    }

    /// The text of a child; `None` when it is absent.
    pub(crate) fn text(&mut self, name: &str) -> Result<Option<String>> {
        self.take(name).map(Self::into_text).transpose()
    }

    /// The text of a child that must be there.
    pub(crate) fn required(&mut self, name: &str) -> Result<String> {
        let missing = self.missing(name);
        self.text(name)?.ok_or(missing)
    }

    /// A number or a truth value; `None` when it is absent or empty.
    pub(crate) fn parsed<T: std::str::FromStr>(&mut self, name: &str) -> Result<Option<T>> {
        let path = format!("{}.{name}", self.path);
        match self.text(name)?.as_deref().map(str::trim) {
            None | Some("") => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| invalid_argument(format!("{path} has the value {text:?}")))
            }
        }
    }

    /// This element's own text, as a number.
    pub(crate) fn content_parsed<T: std::str::FromStr>(&mut self) -> Result<T> {
        let text = std::mem::take(&mut self.text);
        text.trim().parse().map_err(|_| invalid_argument(format!("{} has the value {text:?}", self.path)))
    }

    pub(crate) fn required_parsed<T: std::str::FromStr>(&mut self, name: &str) -> Result<T> {
        let missing = self.missing(name);
        self.parsed(name)?.ok_or(missing)
    }

    /// A child with children of its own.
    pub(crate) fn child<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        let Some(mut node) = self.take(name) else { return Ok(None) };
        let value = read(&mut node)?;
        node.finish()?;
        Ok(Some(value))
    }

    /// A list: `<name><Quantity>n</Quantity><Items><item/>...</Items></name>`; empty when absent.
    pub(crate) fn list<T>(&mut self, name: &str, item: &str, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        Ok(self.child(name, |list| list.items(item, &read))?.unwrap_or_default())
    }

    /// The members of a list whose `Quantity` and `Items` are this element's own.
    pub(crate) fn items<T>(&mut self, item: &str, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let quantity: usize = self.required_parsed("Quantity")?;
        let mut values = Vec::new();
        if let Some(mut items) = self.take("Items") {
            while let Some(mut node) = items.take(item) {
                values.push(read(&mut node)?);
                node.finish()?;
            }
            items.finish()?;
        }
        if values.len() != quantity {
            return Err(AwsError::bad_request(
                "InconsistentQuantities",
                format!("{}.Quantity is {quantity} but there are {} items", self.path, values.len()),
            ));
        }
        Ok(values)
    }

    /// A list of texts.
    pub(crate) fn texts(&mut self, name: &str, item: &str) -> Result<Vec<String>> {
        self.list(name, item, |node| Ok(std::mem::take(&mut node.text)))
    }

    /// The members of this element's own list of texts.
    pub(crate) fn text_items(&mut self, item: &str) -> Result<Vec<String>> {
        self.items(item, |node| Ok(std::mem::take(&mut node.text)))
    }

    /// A list of texts without a `Quantity`; `None` when it is absent.
    pub(crate) fn plain_texts(&mut self, name: &str, item: &str) -> Result<Option<Vec<String>>> {
        self.child(name, |list| {
            let mut values = Vec::new();
            while let Some(mut node) = list.take(item) {
                values.push(std::mem::take(&mut node.text));
                node.finish()?;
            }
            Ok(values)
        })
    }

    /// Bytes in base64; those of an absent child are none.
    pub(crate) fn blob(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = format!("{}.{name}", self.path);
        let Some(text) = self.text(name)? else { return Ok(None) };
        let compact: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
        let bytes = STANDARD.decode(compact).map_err(|_| invalid_argument(format!("{path} is not base64")))?;
        Ok(Some(bytes))
    }

    /// Takes a child that says a feature is not used: absent, empty, false, zero, or a list of nothing. Anything else is
    /// refused by its name, because the home does not serve the feature.
    pub(crate) fn unused(&mut self, name: &str) -> Result<()> {
        match self.take(name) {
            Some(node) if !node.says_nothing() => {
                Err(AwsError::unsupported_field("cloudfront", self.operation, &node.path))
            }
            _ => Ok(()),
        }
    }

    /// The refusal of a child whose value the home does not serve.
    pub(crate) fn unsupported(&self, name: &str) -> AwsError {
        AwsError::unsupported_field("cloudfront", self.operation, &format!("{}.{name}", self.path))
    }

    fn says_nothing(&self) -> bool {
        matches!(self.text.trim(), "" | "false" | "0" | "none") && self.children.iter().all(Self::says_nothing)
    }

    fn into_text(self) -> Result<String> {
        let text = self.text.clone();
        self.finish()?;
        Ok(text)
    }

    /// Refuses what was not taken.
    pub(crate) fn finish(&self) -> Result<()> {
        match self.children.first() {
            Some(node) => Err(AwsError::unsupported_field("cloudfront", self.operation, &node.path)),
            None => Ok(()),
        }
    }
}

fn append(open: &mut [Node], text: &str) {
    if let Some(node) = open.last_mut() {
        // Indentation around children is no text.
        if !(node.text.is_empty() && text.trim().is_empty()) {
            node.text.push_str(text);
        }
    }
}

/// Writes elements.
#[derive(Debug, Default)]
pub(crate) struct Writer(String);

impl Writer {
    /// A whole document with this root.
    pub(crate) fn document(root: &str, body: impl FnOnce(&mut Self)) -> String {
        let mut writer = Self(format!("<?xml version=\"1.0\"?>\n<{root} xmlns=\"{NAMESPACE}\">"));
        body(&mut writer);
        writer.close(root);
        writer.0
    }

    pub(crate) fn element(&mut self, name: &str, body: impl FnOnce(&mut Self)) {
        self.0.push('<');
        self.0.push_str(name);
        self.0.push('>');
        body(self);
        self.close(name);
    }

    fn close(&mut self, name: &str) {
        self.0.push_str("</");
        self.0.push_str(name);
        self.0.push('>');
    }

    pub(crate) fn text(&mut self, name: &str, value: impl std::fmt::Display) {
        self.element(name, |writer| writer.0.push_str(&quick_xml::escape::escape(value.to_string())));
    }

    pub(crate) fn optional(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.text(name, value);
        }
    }

    /// `Quantity` and `Items` of a list, inside whatever element is open.
    pub(crate) fn items<T>(&mut self, item: &str, values: &[T], write: impl Fn(&mut Self, &T)) {
        self.text("Quantity", values.len());
        if !values.is_empty() {
            self.element("Items", |writer| {
                for value in values {
                    writer.element(item, |writer| write(writer, value));
                }
            });
        }
    }

    pub(crate) fn list<T>(&mut self, name: &str, item: &str, values: &[T], write: impl Fn(&mut Self, &T)) {
        self.element(name, |writer| writer.items(item, values, write));
    }

    /// Text inside the element that is open.
    pub(crate) fn content(&mut self, text: &str) {
        self.0.push_str(&quick_xml::escape::escape(text));
    }

    pub(crate) fn texts(&mut self, name: &str, item: &str, values: &[String]) {
        self.list(name, item, values, |writer, value| writer.content(value));
    }

    /// A list without a `Quantity`.
    pub(crate) fn plain_texts(&mut self, name: &str, item: &str, values: &[String]) {
        self.element(name, |writer| {
            for value in values {
                writer.text(item, value);
            }
        });
    }

    /// A list of a feature that is not used.
    pub(crate) fn nothing(&mut self, name: &str) {
        self.element(name, |writer| writer.text("Quantity", 0));
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    fn check_refused(document: &str, words: &str) {
        let read = Node::parse("Test", document.as_bytes(), "R").and_then(|mut root| {
            root.required("Id")?;
            root.texts("Names", "Name")?;
            root.unused("Future")?;
            root.finish()
        });
        let error = read.unwrap_err().to_string();
        assert!(error.contains(words), "{document}: {error}");
    }

    #[test]
    fn what_nobody_asked_for_is_refused_by_its_path() {
        check_refused("<R><Id>1</Id><Odd/></R>", "R.Odd");
        check_refused("<R><Id>1</Id><Future><Enabled>true</Enabled></Future></R>", "R.Future");
        check_refused("<R/>", "R.Id is required");
        check_refused(
            "<R><Id>1</Id><Names><Quantity>2</Quantity><Items><Name>a</Name></Items></Names></R>",
            "InconsistentQuantities",
        );
        check_refused(
            "<R><Id>1</Id><Names><Quantity>0</Quantity><Items><Odd/></Items></Names></R>",
            "R.Names.Items.Odd",
        );
        check_refused("<S/>", "its root is S");
        check_refused("<R><Id>1", "ends early");
        check_refused("<!DOCTYPE R [<!ENTITY x \"y\">]><R/>", "document type");
        check_refused("<R><Id>&x;</Id></R>", "unknown entity");
        check_refused(&"<R>".repeat(100), "deep");
    }

    #[test]
    fn values_are_read_as_they_were_written() {
        let document = Writer::document("R", |writer| {
            writer.text("Id", "a & b < \"c\" é");
            writer.texts("Names", "Name", &["x".into(), "*&?".into()]);
            writer.nothing("Future");
        });
        let mut root = Node::parse("Test", document.as_bytes(), "R").unwrap();
        assert_eq!(root.required("Id").unwrap(), "a & b < \"c\" é");
        assert_eq!(root.texts("Names", "Name").unwrap(), ["x", "*&?"]);
        root.unused("Future").unwrap();
        root.finish().unwrap();
        let mut root = Node::parse("Test", b"<R>\n  <Id>&#65;<![CDATA[<]]></Id>\n</R>", "R").unwrap();
        assert_eq!(root.required("Id").unwrap(), "A<");
    }

    proptest! {
        #[test]
        fn hostile_documents_never_panic(text in "(<[A-Za-z/!?& ]{0,6}>|&[a-z#0-9]{0,4};|[ -~]){0,40}") {
            let _ = Node::parse("Test", text.as_bytes(), "R");
        }
    }
}
