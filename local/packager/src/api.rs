//! The operations. Paths: <https://docs.aws.amazon.com/mediapackage-vod/latest/apireference/resources.html>.

use http::{Method, StatusCode};
use serde::Serialize;
use serde_json::json;
use vodline_core::{Arn, AwsError, Principal, Request, Response, StoreError};

use crate::{
    model::{
        self, Asset, Authorization, CreateAsset, CreatePackagingConfiguration, CreatePackagingGroup, EgressEndpoint,
        Package, PackagingConfiguration, PackagingGroup, SERVICE, Status, TagResource, Tags, UpdatePackagingGroup,
        check_id, check_tags, not_found, quota_exceeded, unprocessable,
    },
    service::Packager,
    table::{self, AssetRow, ConfigurationRow, EndpointRow, GroupRow, Kind},
};

/// Results on one page when the caller does not say, and at most.
const PAGE_RESULTS_MAX: usize = 1000;

impl Packager {
    /// Routes one call. Every operation is short and touches only the store.
    pub(crate) fn serve(&self, request: &Request) -> Result<Response, AwsError> {
        let path = request.path.trim_matches('/').to_owned();
        let decoded: Vec<String> = path
            .split('/')
            .map(|part| percent_encoding::percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let parts: Vec<&str> = decoded.iter().map(String::as_str).collect();
        match (&request.method, parts.as_slice()) {
            (&Method::POST, ["packaging_groups"]) => self.create_packaging_group(request),
            (&Method::GET, ["packaging_groups"]) => self.list_packaging_groups(request),
            (&Method::GET, ["packaging_groups", id]) => self.describe_packaging_group(request, id),
            (&Method::PUT, ["packaging_groups", id]) => self.update_packaging_group(request, id),
            (&Method::DELETE, ["packaging_groups", id]) => self.delete_packaging_group(request, id),
            (&Method::PUT, ["packaging_groups", _, "configure_logs"]) => {
                Err(AwsError::unsupported_operation(SERVICE, "ConfigureLogs"))
            }
            (&Method::POST, ["packaging_configurations"]) => self.create_packaging_configuration(request),
            (&Method::GET, ["packaging_configurations"]) => self.list_packaging_configurations(request),
            (&Method::GET, ["packaging_configurations", id]) => self.describe_packaging_configuration(request, id),
            (&Method::DELETE, ["packaging_configurations", id]) => self.delete_packaging_configuration(request, id),
            (&Method::POST, ["assets"]) => self.create_asset(request),
            (&Method::GET, ["assets"]) => self.list_assets(request),
            (&Method::GET, ["assets", id]) => self.describe_asset(request, id),
            (&Method::DELETE, ["assets", id]) => self.delete_asset(request, id),
            // An ARN holds slashes; clients send them encoded or not.
            (&Method::GET, ["tags", arn @ ..]) => self.list_tags(request, &arn.join("/")),
            (&Method::POST, ["tags", arn @ ..]) => self.tag(request, &arn.join("/")),
            (&Method::DELETE, ["tags", arn @ ..]) => self.untag(request, &arn.join("/")),
            (method, _) => Err(AwsError::unsupported_operation(SERVICE, &format!("{method} /{path}"))),
        }
    }

    fn group_arn(&self, id: &str) -> String {
        self.arn("packaging-groups", id)
    }

    fn configuration_arn(&self, id: &str) -> String {
        self.arn("packaging-configurations", id)
    }

    pub(crate) fn asset_arn(&self, id: &str) -> String {
        self.arn("assets", id)
    }

    fn create_packaging_group(&self, request: &Request) -> Result<Response, AwsError> {
        let input: CreatePackagingGroup = request.json()?;
        check_id(&input.id)?;
        check_tags(&input.tags)?;
        request.authorize("mediapackage-vod:CreatePackagingGroup", &self.group_arn(&input.id))?;
        if input.egress_access_logs.is_some() {
            return Err(AwsError::unsupported_field(SERVICE, "CreatePackagingGroup", "egressAccessLogs"));
        }
        if let Some(authorization) = &input.authorization {
            check_authorization(request, authorization)?;
        }
        let row = GroupRow {
            id: input.id,
            host: self.entropy.hex(32),
            authorization: input.authorization,
            created_at: self.clock.now().to_string(),
            tags: input.tags,
        };
        self.store.write(|transaction| {
            if GroupRow::find(transaction, &row.id)?.is_some() {
                return Err(unprocessable(format!("PackagingGroup already exists: {}", row.id)));
            }
            if table::count(transaction, Kind::Group, None)? >= model::GROUPS_MAX {
                return Err(quota_exceeded());
            }
            Ok(row.insert(transaction)?)
        })?;
        answer(StatusCode::OK, &self.group_shape(row, 0))
    }

    fn list_packaging_groups(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:ListPackagingGroups", "*")?;
        let page = Page::of(request)?;
        let (groups, next) = self.store.read::<_, AwsError>(|connection| {
            let (rows, next) = page.cut(GroupRow::list(connection, &page.after, page.limit + 1)?, |row| &row.id);
            let groups = rows.into_iter().map(|row| {
                let assets = table::count(connection, Kind::Asset, Some(&row.id))?;
                Ok(self.group_shape(row, assets))
            });
            Ok((groups.collect::<Result<Vec<_>, StoreError>>()?, next))
        })?;
        list_answer("packagingGroups", &groups, next)
    }

    fn describe_packaging_group(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:DescribePackagingGroup", &self.group_arn(id))?;
        let group = self.store.read(|connection| self.group(connection, id))?;
        answer(StatusCode::OK, &group)
    }

    fn group(&self, connection: &vodline_core::rusqlite::Connection, id: &str) -> Result<PackagingGroup, AwsError> {
        let row = GroupRow::find(connection, id)?.ok_or_else(|| not_found("PackagingGroup", id))?;
        let assets = table::count(connection, Kind::Asset, Some(id))?;
        Ok(self.group_shape(row, assets))
    }

    fn group_shape(&self, row: GroupRow, approximate_asset_count: u64) -> PackagingGroup {
        PackagingGroup {
            approximate_asset_count,
            arn: self.group_arn(&row.id),
            authorization: row.authorization,
            created_at: row.created_at,
            domain_name: format!("https://{}", self.egress_domain(&row.host)),
            id: row.id,
            tags: row.tags,
        }
    }

    fn update_packaging_group(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:UpdatePackagingGroup", &self.group_arn(id))?;
        let input: UpdatePackagingGroup = request.json()?;
        if let Some(authorization) = &input.authorization {
            check_authorization(request, authorization)?;
        }
        let group = self.store.write(|transaction| {
            GroupRow::set_authorization(transaction, id, input.authorization.as_ref())?;
            self.group(transaction, id)
        })?;
        self.egress.forget();
        answer(StatusCode::OK, &group)
    }

    fn delete_packaging_group(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:DeletePackagingGroup", &self.group_arn(id))?;
        self.store.write(|transaction| {
            for kind in [Kind::Asset, Kind::Configuration] {
                if table::count(transaction, kind, Some(id))? > 0 {
                    return Err(unprocessable(format!(
                        "PackagingGroup {id} still has assets or packaging configurations"
                    )));
                }
            }
            if table::delete(transaction, Kind::Group, id)? { Ok(()) } else { Err(not_found("PackagingGroup", id)) }
        })?;
        self.egress.forget();
        answer(StatusCode::ACCEPTED, &json!({}))
    }

    fn create_packaging_configuration(&self, request: &Request) -> Result<Response, AwsError> {
        let input: CreatePackagingConfiguration = request.json()?;
        check_id(&input.id)?;
        check_tags(&input.tags)?;
        request.authorize("mediapackage-vod:CreatePackagingConfiguration", &self.configuration_arn(&input.id))?;
        let package = input.package()?;
        let row = ConfigurationRow {
            id: input.id,
            group_id: input.packaging_group_id,
            package,
            created_at: self.clock.now().to_string(),
            tags: input.tags,
        };
        self.store.write(|transaction| {
            if GroupRow::find(transaction, &row.group_id)?.is_none() {
                return Err(unprocessable(format!("PackagingGroup not found: {}", row.group_id)));
            }
            if ConfigurationRow::find(transaction, &row.id)?.is_some() {
                return Err(unprocessable(format!("PackagingConfiguration already exists: {}", row.id)));
            }
            if table::count(transaction, Kind::Configuration, Some(&row.group_id))?
                >= model::CONFIGURATIONS_PER_GROUP_MAX
            {
                return Err(quota_exceeded());
            }
            row.insert(transaction)?;
            // The group's assets become playable in the new form as well.
            for asset in AssetRow::list(transaction, Some(&row.group_id), "", usize::MAX >> 1)? {
                self.new_endpoint(&asset.id, &row.id).insert(transaction)?;
            }
            Ok(())
        })?;
        self.work.notify_one();
        answer(StatusCode::OK, &self.configuration_shape(row))
    }

    fn list_packaging_configurations(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:ListPackagingConfigurations", "*")?;
        let page = Page::of(request)?;
        let group = request.query_value("packagingGroupId");
        let rows = self.store.read::<_, AwsError>(|connection| {
            Ok(ConfigurationRow::list(connection, group.as_deref(), &page.after, page.limit + 1)?)
        })?;
        let (rows, next) = page.cut(rows, |row| &row.id);
        let shapes: Vec<_> = rows.into_iter().map(|row| self.configuration_shape(row)).collect();
        list_answer("packagingConfigurations", &shapes, next)
    }

    fn describe_packaging_configuration(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:DescribePackagingConfiguration", &self.configuration_arn(id))?;
        let row = self.store.read::<_, AwsError>(|connection| {
            ConfigurationRow::find(connection, id)?.ok_or_else(|| not_found("PackagingConfiguration", id))
        })?;
        answer(StatusCode::OK, &self.configuration_shape(row))
    }

    fn configuration_shape(&self, row: ConfigurationRow) -> PackagingConfiguration {
        let (mut hls_package, mut cmaf_package, mut dash_package) = (None, None, None);
        match row.package {
            Package::Hls(package) => hls_package = Some(package),
            Package::Cmaf(package) => cmaf_package = Some(package),
            Package::Dash(package) => dash_package = Some(package),
        }
        PackagingConfiguration {
            arn: self.configuration_arn(&row.id),
            cmaf_package,
            created_at: row.created_at,
            dash_package,
            hls_package,
            id: row.id,
            packaging_group_id: row.group_id,
            tags: row.tags,
        }
    }

    fn delete_packaging_configuration(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:DeletePackagingConfiguration", &self.configuration_arn(id))?;
        self.store.write(|transaction| {
            let found = table::delete(transaction, Kind::Configuration, id)?;
            if found { Ok(()) } else { Err(not_found("PackagingConfiguration", id)) }
        })?;
        self.egress.forget();
        answer(StatusCode::ACCEPTED, &json!({}))
    }

    fn create_asset(&self, request: &Request) -> Result<Response, AwsError> {
        let input: CreateAsset = request.json()?;
        check_id(&input.id)?;
        check_tags(&input.tags)?;
        request.authorize("mediapackage-vod:CreateAsset", &self.asset_arn(&input.id))?;
        request.authorize("iam:PassRole", &input.source_role_arn)?;
        source_location(&input.source_arn)?;
        // MediaPackage finds out when it reads the source; the asset then fails.
        let refusal = request
            .authorizer
            .authorize(&Principal::Role(input.source_role_arn.clone()), "s3:GetObject", &input.source_arn)
            .err()
            .map(|error| error.message);
        let row = AssetRow {
            id: input.id,
            group_id: input.packaging_group_id,
            resource_id: input.resource_id,
            source_arn: input.source_arn,
            source_role_arn: input.source_role_arn,
            refusal,
            created_at: self.clock.now().to_string(),
            tags: input.tags,
        };
        let shape = self.store.write(|transaction| {
            let group = GroupRow::find(transaction, &row.group_id)?;
            let group = group.ok_or_else(|| unprocessable(format!("PackagingGroup not found: {}", row.group_id)))?;
            if AssetRow::find(transaction, &row.id)?.is_some() {
                return Err(unprocessable(format!("Asset already exists: {}", row.id)));
            }
            if table::count(transaction, Kind::Asset, Some(&row.group_id))? >= model::ASSETS_PER_GROUP_MAX {
                return Err(quota_exceeded());
            }
            row.insert(transaction)?;
            for configuration in ConfigurationRow::list(transaction, Some(&group.id), "", usize::MAX >> 1)? {
                self.new_endpoint(&row.id, &configuration.id).insert(transaction)?;
            }
            self.asset(transaction, &row.id)
        })?;
        self.work.notify_one();
        answer(StatusCode::OK, &shape)
    }

    fn new_endpoint(&self, asset_id: &str, configuration_id: &str) -> EndpointRow {
        let hex = || self.entropy.hex(32);
        EndpointRow {
            asset_id: asset_id.into(),
            configuration_id: configuration_id.into(),
            path: format!("{}/{}/{}", hex(), hex(), hex()),
            status: Status::Queued,
        }
    }

    fn list_assets(&self, request: &Request) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:ListAssets", "*")?;
        let page = Page::of(request)?;
        let group = request.query_value("packagingGroupId");
        let rows = self.store.read::<_, AwsError>(|connection| {
            Ok(AssetRow::list(connection, group.as_deref(), &page.after, page.limit + 1)?)
        })?;
        let (rows, next) = page.cut(rows, |row| &row.id);
        let shapes: Vec<_> = rows.into_iter().map(|row| self.asset_shape(row, None)).collect();
        list_answer("assets", &shapes, next)
    }

    fn describe_asset(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:DescribeAsset", &self.asset_arn(id))?;
        let asset = self.store.read(|connection| self.asset(connection, id))?;
        answer(StatusCode::OK, &asset)
    }

    fn asset(&self, connection: &vodline_core::rusqlite::Connection, id: &str) -> Result<Asset, AwsError> {
        let row = AssetRow::find(connection, id)?.ok_or_else(|| not_found("Asset", id))?;
        let group =
            GroupRow::find(connection, &row.group_id)?.ok_or_else(|| not_found("PackagingGroup", &row.group_id))?;
        let mut endpoints = Vec::new();
        for endpoint in EndpointRow::of_asset(connection, id)? {
            let Some(configuration) = ConfigurationRow::find(connection, &endpoint.configuration_id)? else { continue };
            endpoints.push(EgressEndpoint {
                url: self.endpoint_url(&group, &endpoint, &configuration),
                packaging_configuration_id: endpoint.configuration_id,
                status: endpoint.status,
            });
        }
        Ok(self.asset_shape(row, Some(endpoints)))
    }

    pub(crate) fn endpoint_url(
        &self,
        group: &GroupRow,
        endpoint: &EndpointRow,
        configuration: &ConfigurationRow,
    ) -> String {
        let manifest = configuration.package.manifest_file();
        format!("https://{}/out/v1/{}/{manifest}", self.egress_domain(&group.host), endpoint.path)
    }

    fn asset_shape(&self, row: AssetRow, egress_endpoints: Option<Vec<EgressEndpoint>>) -> Asset {
        Asset {
            arn: self.asset_arn(&row.id),
            created_at: row.created_at,
            egress_endpoints,
            id: row.id,
            packaging_group_id: row.group_id,
            resource_id: row.resource_id,
            source_arn: row.source_arn,
            source_role_arn: row.source_role_arn,
            tags: row.tags,
        }
    }

    fn delete_asset(&self, request: &Request, id: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:DeleteAsset", &self.asset_arn(id))?;
        self.store.write(|transaction| {
            if table::delete(transaction, Kind::Asset, id)? { Ok(()) } else { Err(not_found("Asset", id)) }
        })?;
        self.egress.forget();
        answer(StatusCode::ACCEPTED, &json!({}))
    }

    /// The kind and id of the resource that an ARN names.
    fn tagged(&self, arn: &str) -> Result<(Kind, String), AwsError> {
        let parsed = Arn::parse(arn).filter(|arn| arn.service == "mediapackage-vod");
        let (kind, id) =
            parsed.and_then(|arn| arn.resource.split_once('/')).ok_or_else(|| not_found("Resource", arn))?;
        let kind = match kind {
            "packaging-groups" => Kind::Group,
            "packaging-configurations" => Kind::Configuration,
            "assets" => Kind::Asset,
            _ => return Err(not_found("Resource", arn)),
        };
        Ok((kind, id.to_owned()))
    }

    fn list_tags(&self, request: &Request, arn: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:ListTagsForResource", arn)?;
        let (kind, id) = self.tagged(arn)?;
        let tags = self.store.read::<_, AwsError>(|connection| Ok(table::tags(connection, kind, &id)?))?;
        answer(StatusCode::OK, &json!({ "tags": tags.ok_or_else(|| not_found("Resource", arn))? }))
    }

    fn tag(&self, request: &Request, arn: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:TagResource", arn)?;
        let input: TagResource = request.json()?;
        self.change_tags(arn, |tags| tags.extend(input.tags))
    }

    fn untag(&self, request: &Request, arn: &str) -> Result<Response, AwsError> {
        request.authorize("mediapackage-vod:UntagResource", arn)?;
        let keys: Vec<String> = query_values(request, "tagKeys").collect();
        self.change_tags(arn, |tags| tags.retain(|key, _| !keys.contains(key)))
    }

    fn change_tags(&self, arn: &str, change: impl FnOnce(&mut Tags)) -> Result<Response, AwsError> {
        let (kind, id) = self.tagged(arn)?;
        self.store.write::<_, AwsError>(|transaction| {
            let mut tags = table::tags(transaction, kind, &id)?.ok_or_else(|| not_found("Resource", arn))?;
            change(&mut tags);
            check_tags(&tags)?;
            Ok(table::set_tags(transaction, kind, &id, &tags)?)
        })?;
        Ok(Response::new(StatusCode::NO_CONTENT, "application/json", ""))
    }
}

/// The caller passes the role, and the role may read the secret.
fn check_authorization(request: &Request, authorization: &Authorization) -> Result<(), AwsError> {
    request.authorize("iam:PassRole", &authorization.secrets_role_arn)?;
    let role = Principal::Role(authorization.secrets_role_arn.clone());
    request
        .authorizer
        .authorize(&role, "secretsmanager:GetSecretValue", &authorization.cdn_identifier_secret)
        .map_err(|error| unprocessable(format!("the secrets role cannot read the secret: {}", error.message)))
}

/// Bucket and key of a source.
pub(crate) fn source_location(source_arn: &str) -> Result<(&str, &str), AwsError> {
    let malformed = || unprocessable(format!("sourceArn is not the ARN of an S3 object: {source_arn}"));
    let arn = Arn::parse(source_arn).filter(|arn| arn.service == "s3").ok_or_else(malformed)?;
    let (bucket, key) = arn.resource.split_once('/').filter(|(_, key)| !key.is_empty()).ok_or_else(malformed)?;
    if key.ends_with(".m3u8") || key.ends_with(".smil") {
        Ok((bucket, key))
    } else {
        Err(unprocessable("sourceArn names neither a .m3u8 nor a .smil manifest"))
    }
}

fn answer(status: StatusCode, body: &impl Serialize) -> Result<Response, AwsError> {
    let body = serde_json::to_vec(body).map_err(|error| AwsError::internal(error.to_string()))?;
    Ok(Response::new(status, "application/json", body))
}

fn list_answer(name: &str, items: &impl Serialize, next_token: Option<String>) -> Result<Response, AwsError> {
    let mut body = json!({ name: items });
    if let Some(token) = next_token {
        body["nextToken"] = json!(token);
    }
    answer(StatusCode::OK, &body)
}

/// Which page of a list. The token is the last id of the page before.
struct Page {
    after: String,
    limit: usize,
}

impl Page {
    fn of(request: &Request) -> Result<Self, AwsError> {
        let limit = match request.query_value("maxResults") {
            None => PAGE_RESULTS_MAX,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=PAGE_RESULTS_MAX).contains(limit))
                .ok_or_else(|| unprocessable(format!("maxResults is not between 1 and {PAGE_RESULTS_MAX}")))?,
        };
        Ok(Self { after: request.query_value("nextToken").unwrap_or_default(), limit })
    }

    /// Cuts rows, of which one more than the page holds was asked for, and names the next page.
    fn cut<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> &String) -> (Vec<T>, Option<String>) {
        let more = rows.len() > self.limit;
        rows.truncate(self.limit);
        let next = if more { rows.last().map(|row| id(row).clone()) } else { None };
        (rows, next)
    }
}

/// All values of a repeated query parameter.
fn query_values<'a>(request: &'a Request, name: &'a str) -> impl Iterator<Item = String> + 'a {
    request.query.split('&').filter_map(move |pair| {
        let (key, value) = pair.split_once('=')?;
        let value = value.replace('+', " ");
        (key == name).then(|| percent_encoding::percent_decode_str(&value).decode_utf8_lossy().into_owned())
    })
}
