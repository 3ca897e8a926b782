//! Takes assets from QUEUED to PLAYABLE or FAILED. Each step and the event that tells of it are one transaction, and a step is
//! derived from what the store says, so that after a crash the work goes on where it stood.

use std::time::Duration;

use serde_json::{Value, json};
use vodline_core::{Event, StoreError, rusqlite::Transaction};

use crate::{
    api::source_location,
    facts::Facts,
    model::Status,
    presentation,
    service::Packager,
    source,
    table::{AssetRow, ConfigurationRow, EndpointRow, GroupRow},
};

/// How long to wait when the store fails, before trying again.
const STORE_FAILURE_PAUSE: Duration = Duration::from_secs(1);

impl Packager {
    pub(crate) async fn ingest_forever(&self) {
        loop {
            match self.ingest_next().await {
                Ok(true) => {}
                Ok(false) => self.work.notified().await,
                Err(error) => {
                    tracing::error!(error = ?error, "cannot go on with ingesting; trying again");
                    tokio::time::sleep(STORE_FAILURE_PAUSE).await;
                }
            }
        }
    }

    /// Ingests the oldest unfinished asset; `false` when there is none.
    async fn ingest_next(&self) -> Result<bool, StoreError> {
        let Some(asset) = self.store.read(AssetRow::unfinished)? else { return Ok(false) };
        let known = self.start(&asset)?;
        let facts = match known {
            Some(facts) => Ok(facts),
            None => self.read_source(&asset).await,
        };
        match &facts {
            Ok(_) => tracing::info!(asset = asset.id, "ingested"),
            Err(reason) => tracing::warn!(asset = asset.id, reason, "cannot ingest"),
        }
        self.finish(&asset, facts)?;
        Ok(true)
    }

    /// Marks an asset as in process, and gives its facts when an earlier ingest has found them.
    fn start(&self, asset: &AssetRow) -> Result<Option<Facts>, StoreError> {
        let facts = self.store.write(|transaction| {
            let facts = AssetRow::facts(transaction, &asset.id)?;
            let endpoints = EndpointRow::of_asset(transaction, &asset.id)?;
            let fresh = endpoints.iter().all(|endpoint| endpoint.status == Status::Queued);
            for endpoint in endpoints.iter().filter(|endpoint| endpoint.status == Status::Queued) {
                endpoint.set_status(transaction, Status::Processing)?;
            }
            // Said once: an ingest taken up after a crash finds its endpoints in process.
            if fresh && facts.is_none() {
                self.tell(transaction, asset, None, json!({ "event": "IngestStart", "message": "Ingest Started" }))?;
            }
            Ok::<_, StoreError>(facts)
        })?;
        self.events.wake();
        Ok(facts)
    }

    async fn read_source(&self, asset: &AssetRow) -> Result<Facts, String> {
        if let Some(refusal) = &asset.refusal {
            return Err(refusal.clone());
        }
        let (bucket, key) = source_location(&asset.source_arn).map_err(|error| error.message)?;
        let (bucket, key) = (bucket.to_owned(), key.to_owned());
        let objects = self.objects.clone();
        let read = tokio::task::spawn_blocking(move || source::read(&objects, &bucket, &key));
        match read.await {
            Ok(Ok(facts)) => Ok(facts),
            Ok(Err(error)) => Err(chain(&error)),
            Err(_) => Err("the packager failed on this source".into()),
        }
    }

    /// Writes down what came of an ingest.
    fn finish(&self, asset: &AssetRow, facts: Result<Facts, String>) -> Result<(), StoreError> {
        self.store.write(|transaction| match &facts {
            Ok(facts) => self.finish_well(transaction, asset, facts),
            Err(reason) => {
                for endpoint in unfinished(transaction, asset)? {
                    endpoint.set_status(transaction, Status::Failed)?;
                }
                self.tell_if_there(transaction, asset, json!({ "event": "IngestError", "message": reason }))
            }
        })?;
        self.events.wake();
        Ok(())
    }

    fn finish_well(&self, transaction: &Transaction<'_>, asset: &AssetRow, facts: &Facts) -> Result<(), StoreError> {
        let first_time = AssetRow::facts(transaction, &asset.id)?.is_none();
        let group = GroupRow::find(transaction, &asset.group_id)?;
        let (Some(group), true) = (group, AssetRow::set_facts(transaction, &asset.id, facts)?) else {
            // Deleted meanwhile.
            return Ok(());
        };
        if first_time {
            let complete = json!({ "event": "IngestComplete", "message": "Ingest Completed" });
            self.tell(transaction, asset, None, complete)?;
        }
        for endpoint in unfinished(transaction, asset)? {
            let Some(configuration) = ConfigurationRow::find(transaction, &endpoint.configuration_id)? else {
                continue;
            };
            let id = &configuration.id;
            if let Err(nothing) = presentation::present(facts, &configuration.package) {
                endpoint.set_status(transaction, Status::Failed)?;
                let message =
                    format!("Asset '{}' is not playable for PackagingConfiguration '{id}': {nothing}", asset.id);
                self.tell(transaction, asset, Some(id), json!({ "event": "IngestError", "message": message }))?;
                continue;
            }
            endpoint.set_status(transaction, Status::Playable)?;
            let detail = json!({
                "event": "VodAssetPlayable",
                "message": format!("Asset '{}' is now playable for PackagingConfiguration '{id}'", asset.id),
                "packaging_configuration_id": id,
                "manifest_urls": [self.endpoint_url(&group, &endpoint, &configuration)],
            });
            self.tell(transaction, asset, Some(id), detail)?;
        }
        Ok(())
    }

    fn tell_if_there(&self, transaction: &Transaction<'_>, asset: &AssetRow, detail: Value) -> Result<(), StoreError> {
        match AssetRow::find(transaction, &asset.id)? {
            Some(_) => self.tell(transaction, asset, None, detail),
            None => Ok(()),
        }
    }

    /// Puts an event into the transaction. The resources have the form that MediaPackage really sends, not the documented one.
    fn tell(
        &self,
        transaction: &Transaction<'_>,
        asset: &AssetRow,
        configuration: Option<&str>,
        detail: Value,
    ) -> Result<(), StoreError> {
        let mut resources = vec![self.asset_arn(&asset.id)];
        resources.extend(configuration.map(|id| self.arn("packaging-configurations", id)));
        let event = Event {
            version: "0".into(),
            id: self.entropy.uuid(),
            detail_type: "MediaPackage Input Notification".into(),
            source: "aws.mediapackage".into(),
            account: self.account.id.clone(),
            time: self.clock.now(),
            region: self.account.region.clone(),
            resources,
            detail,
        };
        self.events.enqueue(transaction, &event)
    }
}

fn unfinished(transaction: &Transaction<'_>, asset: &AssetRow) -> Result<Vec<EndpointRow>, StoreError> {
    let mut endpoints = EndpointRow::of_asset(transaction, &asset.id)?;
    endpoints.retain(|endpoint| matches!(endpoint.status, Status::Queued | Status::Processing));
    Ok(endpoints)
}

/// An error and its causes in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
