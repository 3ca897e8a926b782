//! Reads SMIL manifests of MP4 sets. An element that the packager does not know is refused by its name.
//! Source: <https://docs.aws.amazon.com/mediapackage/latest/ug/supported-inputs-vod-smil.html>.

use quick_xml::{
    Reader, XmlVersion,
    events::{BytesStart, Event},
};

/// Why a manifest cannot be used.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(crate) enum SmilError {
    #[error("it is not well-formed XML: {0}")]
    Xml(String),
    #[error("<{0}> is not supported in a source")]
    Element(String),
    #[error("a <{0}> names no file")]
    NoFile(&'static str),
    #[error("includeAudio {0:?} is neither true nor false")]
    IncludeAudio(String),
    #[error("it has no <video>")]
    NoVideo,
}

/// A manifest.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Manifest {
    pub videos: Vec<Video>,
    pub texts: Vec<Text>,
}

/// `<video>`: an MP4 file. The lists are about its sound tracks, in their order.
#[derive(Debug, PartialEq)]
pub(crate) struct Video {
    pub uri: String,
    pub languages: Vec<String>,
    pub names: Vec<String>,
    /// Sound tracks beyond the list are included.
    pub included: Vec<bool>,
}

/// `<textstream>`: a SubRip file.
#[derive(Debug, PartialEq)]
pub(crate) struct Text {
    pub uri: String,
    pub language: Option<String>,
    pub name: Option<String>,
}

/// Reads a manifest.
pub(crate) fn parse(text: &str) -> Result<Manifest, SmilError> {
    let mut reader = Reader::from_str(text);
    let mut manifest = Manifest::default();
    loop {
        let event = reader.read_event().map_err(|error| SmilError::Xml(error.to_string()))?;
        match event {
            Event::Start(element) | Event::Empty(element) => manifest.element(&element)?,
            Event::DocType(_) => return Err(SmilError::Element("!DOCTYPE".into())),
            Event::Eof => break,
            _ => {}
        }
    }
    if manifest.videos.is_empty() { Err(SmilError::NoVideo) } else { Ok(manifest) }
}

impl Manifest {
    fn element(&mut self, element: &BytesStart<'_>) -> Result<(), SmilError> {
        let name = element.local_name();
        let name: &str = name.as_ref();
        let value = |names: &[&str]| attribute(element, names);
        match name {
            "smil" | "head" | "meta" | "body" | "switch" | "alias" => {}
            "video" => {
                let included = list(value(&["includeAudio"])?);
                self.videos.push(Video {
                    uri: value(&["src", "name"])?.ok_or(SmilError::NoFile("video"))?,
                    languages: list(value(&LANGUAGE)?),
                    names: list(value(&["audioName"])?),
                    included: included.into_iter().map(truth).collect::<Result<_, _>>()?,
                });
            }
            "textstream" => self.texts.push(Text {
                uri: value(&["src", "name"])?.ok_or(SmilError::NoFile("textstream"))?,
                language: value(&LANGUAGE)?,
                name: value(&["subtitleName"])?,
            }),
            other => return Err(SmilError::Element(other.to_owned())),
        }
        Ok(())
    }
}

const LANGUAGE: [&str; 3] = ["systemLanguage", "language", "system-language"];

/// The first of these attributes that is there and not empty.
fn attribute(element: &BytesStart<'_>, names: &[&str]) -> Result<Option<String>, SmilError> {
    for attribute in element.attributes() {
        let attribute = attribute.map_err(|error| SmilError::Xml(error.to_string()))?;
        let key = attribute.key.local_name();
        if names.contains(&key.as_ref()) {
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| SmilError::Xml(error.to_string()))?;
            // Quotes and line ends would break out of a playlist's attribute.
            let value = value.replace(['"', '\n', '\r'], " ");
            return Ok(Some(value.trim().to_owned()).filter(|value| !value.is_empty()));
        }
    }
    Ok(None)
}

fn list(value: Option<String>) -> Vec<String> {
    value.iter().flat_map(|value| value.split(',')).map(|item| item.trim().to_owned()).collect()
}

fn truth(value: String) -> Result<bool, SmilError> {
    match value.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(SmilError::IncludeAudio(value)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_manifest_as_the_guide_shows_it() {
        let manifest = parse(
            r#"<?xml version="1.0" encoding="utf-8"?>
            <smil><head></head><body><alias value="Example"/><switch>
              <video name="example_360.mp4" systemLanguage="eng,fra" audioName="English,French" includeAudio="true,false"/>
              <video src="example &amp; 480.mp4"/>
              <textstream src="example.srt" system-language="eng" subtitleName="English &quot;full&quot;" includeAudio="false"/>
            </switch></body></smil>"#,
        )
        .unwrap();
        assert_eq!(manifest.videos[0].languages, ["eng", "fra"]);
        assert_eq!(manifest.videos[0].included, [true, false]);
        assert_eq!(manifest.videos[1].uri, "example & 480.mp4");
        assert!(manifest.videos[1].names.is_empty());
        assert_eq!(manifest.texts[0].language.as_deref(), Some("eng"));
        assert_eq!(manifest.texts[0].name.as_deref(), Some("English  full"));
    }

    fn check_refused(body: &str, words: &str) {
        let error = parse(&format!("<smil>{body}</smil>")).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }

    #[test]
    fn what_the_packager_cannot_honour_is_refused_by_name() {
        check_refused("", "<video>");
        check_refused("<video/>", "names no file");
        check_refused("<audio src='a.mp4'/>", "<audio>");
        check_refused("<video src='a.mp4' includeAudio='yes'/>", "includeAudio");
        check_refused("<video src='a.mp4'>", "XML");
        assert!(parse("<!DOCTYPE smil [<!ENTITY a 'b'>]><smil/>").is_err());
    }

    proptest! {
        #[test]
        fn hostile_manifests_never_panic(text in "[ -~]{0,40}(<[a-z]{0,8}( [a-z]{1,8}=\"[ -~]{0,8}\")?/?>){0,6}[ -~]{0,20}") {
            let _ = parse(&text);
        }
    }
}
