//! Map states.

use super::super::model::{ItemBatcher, Items, Map, MapMode, PathField, QueryLanguage, Reader, ScopeId, Writer};
use super::super::syntax::Object;
use super::Parser;
use super::fields::Reading;
use crate::execution::ExecutionKind;
use crate::resource::Resource;

pub(super) const fn allowed_fields(jsonata: bool) -> &'static [&'static str] {
    if jsonata {
        &[
            "Items",
            "ItemSelector",
            "ItemBatcher",
            "ItemReader",
            "ItemProcessor",
            "Iterator",
            "ResultWriter",
            "MaxConcurrency",
            "ToleratedFailurePercentage",
            "ToleratedFailureCount",
            "Label",
        ]
    } else {
        &[
            "ItemsPath",
            "ItemSelector",
            "ItemBatcher",
            "ItemReader",
            "ItemProcessor",
            "Iterator",
            "ResultWriter",
            "MaxConcurrency",
            "MaxConcurrencyPath",
            "ToleratedFailurePercentage",
            "ToleratedFailurePercentagePath",
            "ToleratedFailureCount",
            "ToleratedFailureCountPath",
            "Label",
        ]
    }
}

impl Parser<'_> {
    pub(super) fn map(&mut self, state: Object<'_>, language: QueryLanguage) -> Option<Map> {
        state.exclusive("ItemProcessor", "Iterator", self.findings);
        state.exclusive("ItemSelector", "Parameters", self.findings);
        let (processor, mode) = self.processor(state)?;
        let mut reading = Reading { language, findings: self.findings };
        let items = match language {
            QueryLanguage::JsonPath => Items::Path(reading.path_field(state, "ItemsPath")),
            QueryLanguage::Jsonata => match reading.jsonata_template(state, "Items") {
                Some(template) => Items::Template(template),
                None => Items::Path(PathField::Whole),
            },
        };
        let item_selector = reading.template(state, "ItemSelector");
        let item_selector = match language {
            QueryLanguage::JsonPath if item_selector.is_none() => reading.payload_template(state, "Parameters"),
            _ => item_selector,
        };
        let max_concurrency = reading.number(state, "MaxConcurrency", 0.0);
        let tolerated_count = reading.number(state, "ToleratedFailureCount", 0.0);
        let tolerated_percentage = reading.number(state, "ToleratedFailurePercentage", 0.0);
        let label = state.string("Label", reading.findings).map(str::to_owned);
        if label.as_ref().is_some_and(|label| label.is_empty() || label.chars().count() > 40) {
            reading.findings.schema(state.field("Label"), "A label must have between 1 and 40 characters");
        }
        let item_batcher = self.batcher(state, language);
        let reader = self.reader(state, language);
        let writer = self.writer(state, language);
        if mode == MapMode::Inline {
            for name in ["ItemReader", "ItemBatcher", "ResultWriter", "Label"] {
                if state.has(name) {
                    let message = format!("The field '{name}' is only supported in a Distributed Map");
                    self.findings.schema(state.field(name), message);
                }
            }
        }
        Some(Map {
            processor,
            mode,
            items,
            item_selector,
            item_batcher,
            max_concurrency,
            tolerated_count,
            tolerated_percentage,
            label,
            reader,
            writer,
        })
    }

    fn processor(&mut self, state: Object<'_>) -> Option<(ScopeId, MapMode)> {
        let name = if state.has("Iterator") { "Iterator" } else { "ItemProcessor" };
        state.require(&[name], self.findings);
        let fields = state.object(name, self.findings)?;
        let at = state.field(name);
        let processor = Object { fields, at: &at };
        processor.require(&["States", "StartAt"], self.findings);
        processor.allow(&["StartAt", "States", "ProcessorConfig"], self.findings);
        let mode = self.mode(processor);
        Some((self.scope(processor)?, mode))
    }

    fn mode(&mut self, processor: Object<'_>) -> MapMode {
        let Some(fields) = processor.object("ProcessorConfig", self.findings) else { return MapMode::Inline };
        let at = processor.field("ProcessorConfig");
        let config = Object { fields, at: &at };
        config.allow(&["Mode", "ExecutionType"], self.findings);
        let kind = config.one_of("ExecutionType", &["STANDARD", "EXPRESS"], self.findings);
        if config.one_of("Mode", &["INLINE", "DISTRIBUTED"], self.findings) != Some("DISTRIBUTED") {
            return MapMode::Inline;
        }
        config.require(&["ExecutionType"], self.findings);
        if self.kind == ExecutionKind::Express {
            self.findings.schema(config.field("Mode"), "Express state machine does not support a Distributed Map");
        }
        MapMode::Distributed(if kind == Some("EXPRESS") { ExecutionKind::Express } else { ExecutionKind::Standard })
    }

    fn batcher(&mut self, state: Object<'_>, language: QueryLanguage) -> Option<ItemBatcher> {
        let fields = state.object("ItemBatcher", self.findings)?;
        let at = state.field("ItemBatcher");
        let batcher = Object { fields, at: &at };
        batcher.allow(
            &[
                "MaxItemsPerBatch",
                "MaxItemsPerBatchPath",
                "MaxInputBytesPerBatch",
                "MaxInputBytesPerBatchPath",
                "BatchInput",
            ],
            self.findings,
        );
        let mut reading = Reading { language, findings: self.findings };
        let max_items = reading.number(batcher, "MaxItemsPerBatch", 1.0);
        let max_bytes = reading.number(batcher, "MaxInputBytesPerBatch", 1.0);
        let batch_input = reading.template(batcher, "BatchInput");
        if max_items.is_none() && max_bytes.is_none() {
            self.findings
                .schema(&at, "At least one of these fields is required: [MaxItemsPerBatch, MaxInputBytesPerBatch]");
        }
        Some(ItemBatcher { max_items, max_bytes, batch_input })
    }

    fn reader(&mut self, state: Object<'_>, language: QueryLanguage) -> Option<Reader> {
        let fields = state.object("ItemReader", self.findings)?;
        let at = state.field("ItemReader");
        let reader = Object { fields, at: &at };
        reader.require(&["Resource"], self.findings);
        let parameters = if language == QueryLanguage::Jsonata { "Arguments" } else { "Parameters" };
        reader.allow(&["Resource", "ReaderConfig", parameters], self.findings);
        let resource = self.resource(reader);
        let arguments = Reading { language, findings: self.findings }.template(reader, parameters);
        let empty = serde_json::Map::new();
        let config_fields = reader.object("ReaderConfig", self.findings).unwrap_or(&empty);
        let config_at = reader.field("ReaderConfig");
        let config = Object { fields: config_fields, at: &config_at };
        config.allow(
            &[
                "InputType",
                "MaxItems",
                "MaxItemsPath",
                "CSVHeaderLocation",
                "CSVHeaders",
                "CSVDelimiter",
                "ManifestType",
                "ItemsPointer",
                "Transformation",
            ],
            self.findings,
        );
        let findings = &mut *self.findings;
        let text = |value: Option<&'static str>| value.map(str::to_owned);
        let input_type = text(config.one_of("InputType", &["CSV", "JSON", "JSONL", "MANIFEST", "PARQUET"], findings));
        let csv_header_location = text(config.one_of("CSVHeaderLocation", &["FIRST_ROW", "GIVEN"], findings));
        let delimiters = ["COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"];
        let csv_delimiter = text(config.one_of("CSVDelimiter", &delimiters, findings));
        let manifest_type = text(config.one_of("ManifestType", &["ATHENA_DATA", "S3_INVENTORY"], findings));
        let transformation = text(config.one_of("Transformation", &["NONE", "LOAD_AND_FLATTEN"], findings));
        let items_pointer = config.string("ItemsPointer", findings).map(str::to_owned);
        let csv_headers = config.strings("CSVHeaders", findings).into_iter().map(String::from).collect();
        let max_items = Reading { language, findings }.number(config, "MaxItems", 0.0);
        Some(Reader {
            resource: resource?,
            arguments,
            input_type,
            csv_header_location,
            csv_headers,
            csv_delimiter,
            manifest_type,
            items_pointer,
            transformation,
            max_items,
        })
    }

    fn writer(&mut self, state: Object<'_>, language: QueryLanguage) -> Option<Writer> {
        let fields = state.object("ResultWriter", self.findings)?;
        let at = state.field("ResultWriter");
        let writer = Object { fields, at: &at };
        let parameters = if language == QueryLanguage::Jsonata { "Arguments" } else { "Parameters" };
        writer.allow(&["Resource", "WriterConfig", parameters], self.findings);
        let resource: Option<Resource> = if writer.has("Resource") { Some(self.resource(writer)?) } else { None };
        let arguments = Reading { language, findings: self.findings }.template(writer, parameters);
        let empty = serde_json::Map::new();
        let config_fields = writer.object("WriterConfig", self.findings).unwrap_or(&empty);
        let config_at = writer.field("WriterConfig");
        let config = Object { fields: config_fields, at: &config_at };
        config.allow(&["Transformation", "OutputType"], self.findings);
        let transformation = config.one_of("Transformation", &["NONE", "COMPACT", "FLATTEN"], self.findings);
        let output_type = config.one_of("OutputType", &["JSON", "JSONL"], self.findings);
        Some(Writer {
            resource,
            arguments,
            transformation: transformation.map(str::to_owned),
            output_type: output_type.map(str::to_owned),
        })
    }
}
