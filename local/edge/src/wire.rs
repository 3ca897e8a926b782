//! A distribution's configuration in the API's XML. Names and nesting:
//! <https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_DistributionConfig.html>.

use crate::{
    model::{
        Behavior, CustomErrorResponse, CustomHeader, CustomOriginConfig, DistributionConfig, FailoverCriteria,
        FunctionAssociation, KeyGroup, Logging, Member, Members, Origin, OriginAccessControl, OriginGroup,
        OriginGroups, PathBehavior, PublicKey, Restrictions, S3OriginConfig, StatusCodes, ViewerCertificate,
        read_timeout,
    },
    xml::{Node, Result, Writer},
};

impl DistributionConfig {
    /// Reads the body of UpdateDistribution or CreateDistribution.
    pub(crate) fn from_xml(operation: &'static str, document: &[u8]) -> Result<Self> {
        let mut node = Node::parse(operation, document, "DistributionConfig")?;
        let config = Self::read(&mut node)?;
        node.finish()?;
        Ok(config)
    }

    /// Reads the children of `DistributionConfig`.
    pub(crate) fn read(node: &mut Node) -> Result<Self> {
        let origin_groups = node.list("OriginGroups", "OriginGroup", OriginGroup::read)?;
        let config = Self {
            caller_reference: node.required("CallerReference")?,
            aliases: node.texts("Aliases", "CNAME")?,
            default_root_object: node.text("DefaultRootObject")?.unwrap_or_default(),
            origins: node.list("Origins", "Origin", Origin::read)?,
            origin_groups: OriginGroups { quantity: origin_groups.len(), items: origin_groups },
            logging: node.child("Logging", Logging::read)?.flatten(),
            restrictions: Restrictions::default(),
            default_cache_behavior: match node.child("DefaultCacheBehavior", Behavior::read)? {
                Some(behavior) => behavior,
                None => {
                    return Err(crate::xml::invalid_argument("DistributionConfig.DefaultCacheBehavior is required"));
                }
            },
            cache_behaviors: node.list("CacheBehaviors", "CacheBehavior", |node| {
                Ok(PathBehavior { path_pattern: node.required("PathPattern")?, behavior: Behavior::read(node)? })
            })?,
            custom_error_responses: node.list("CustomErrorResponses", "CustomErrorResponse", |node| {
                Ok(CustomErrorResponse {
                    error_code: node.required_parsed("ErrorCode")?,
                    response_page_path: node.text("ResponsePagePath")?.unwrap_or_default(),
                    response_code: node.parsed("ResponseCode")?,
                    error_caching_min_ttl: node.parsed("ErrorCachingMinTTL")?,
                })
            })?,
            comment: node.text("Comment")?.unwrap_or_default(),
            price_class: node.text("PriceClass")?.unwrap_or_else(|| "PriceClass_All".into()),
            enabled: node.required_parsed("Enabled")?,
            viewer_certificate: node.child("ViewerCertificate", ViewerCertificate::read)?.unwrap_or_default(),
            http_version: node.text("HttpVersion")?.unwrap_or_else(|| "http2".into()),
            ipv6_enabled: node.parsed("IsIPV6Enabled")?.unwrap_or(false),
        };
        for feature in [
            "Restrictions",
            "WebACLId",
            "ContinuousDeploymentPolicyId",
            "Staging",
            "AnycastIpListId",
            "TenantConfig",
            "ViewerMtlsConfig",
            "ConnectionFunctionAssociation",
            "CacheTagConfig",
        ] {
            node.unused(feature)?;
        }
        if let Some(mode) = node.text("ConnectionMode")?
            && mode != "direct"
        {
            return Err(node.unsupported("ConnectionMode"));
        }
        Ok(config)
    }

    /// The children of `DistributionConfig`.
    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.text("CallerReference", &self.caller_reference);
        writer.text("DefaultRootObject", &self.default_root_object);
        writer.element("Logging", |writer| {
            let logging = self.logging.as_ref();
            writer.text("Enabled", logging.is_some());
            writer.text("IncludeCookies", logging.is_some_and(|logging| logging.include_cookies));
            writer.text("Bucket", logging.map_or("", |logging| &logging.bucket));
            writer.text("Prefix", logging.map_or("", |logging| &logging.prefix));
        });
        writer.text("ContinuousDeploymentPolicyId", "");
        self.write_summary(writer);
    }

    /// What `DistributionSummary` has in common with `DistributionConfig`.
    pub(crate) fn write_summary(&self, writer: &mut Writer) {
        writer.texts("Aliases", "CNAME", &self.aliases);
        writer.list("Origins", "Origin", &self.origins, |writer, origin| origin.write(writer));
        writer.list("OriginGroups", "OriginGroup", &self.origin_groups.items, |writer, group| group.write(writer));
        writer.element("DefaultCacheBehavior", |writer| self.default_cache_behavior.write(writer));
        writer.list("CacheBehaviors", "CacheBehavior", &self.cache_behaviors, |writer, behavior| {
            writer.text("PathPattern", &behavior.path_pattern);
            behavior.behavior.write(writer);
        });
        writer.list("CustomErrorResponses", "CustomErrorResponse", &self.custom_error_responses, |writer, response| {
            writer.text("ErrorCode", response.error_code);
            writer.text("ResponsePagePath", &response.response_page_path);
            writer.text("ResponseCode", response.response_code.map_or_else(String::new, |code| code.to_string()));
            writer.optional("ErrorCachingMinTTL", response.error_caching_min_ttl);
        });
        writer.text("Comment", &self.comment);
        writer.text("PriceClass", &self.price_class);
        writer.text("Enabled", self.enabled);
        writer.element("ViewerCertificate", |writer| self.viewer_certificate.write(writer));
        writer.element("Restrictions", |writer| {
            writer.element("GeoRestriction", |writer| {
                writer.text("RestrictionType", "none");
                writer.text("Quantity", 0);
            });
        });
        writer.text("WebACLId", "");
        writer.text("HttpVersion", &self.http_version);
        writer.text("IsIPV6Enabled", self.ipv6_enabled);
        writer.text("Staging", false);
    }
}

impl Origin {
    fn read(node: &mut Node) -> Result<Self> {
        let origin = Self {
            id: node.required("Id")?,
            domain_name: node.required("DomainName")?,
            origin_path: node.text("OriginPath")?.unwrap_or_default(),
            custom_headers: node.list("CustomHeaders", "OriginCustomHeader", |node| {
                Ok(CustomHeader {
                    header_name: node.required("HeaderName")?,
                    header_value: node.required("HeaderValue")?,
                })
            })?,
            s3_origin_config: node.child("S3OriginConfig", |node| {
                // Thirty seconds are what S3 origins have anyway.
                if node.parsed::<u32>("OriginReadTimeout")?.is_some_and(|seconds| seconds != read_timeout()) {
                    return Err(node.unsupported("OriginReadTimeout"));
                }
                Ok(S3OriginConfig { origin_access_identity: node.text("OriginAccessIdentity")?.unwrap_or_default() })
            })?,
            custom_origin_config: node.child("CustomOriginConfig", CustomOriginConfig::read)?,
            connection_attempts: node.parsed("ConnectionAttempts")?,
            connection_timeout: node.parsed("ConnectionTimeout")?,
            origin_access_control_id: node.text("OriginAccessControlId")?.unwrap_or_default(),
        };
        for feature in ["OriginShield", "VpcOriginConfig", "ResponseCompletionTimeout"] {
            node.unused(feature)?;
        }
        Ok(origin)
    }

    fn write(&self, writer: &mut Writer) {
        writer.text("Id", &self.id);
        writer.text("DomainName", &self.domain_name);
        writer.text("OriginPath", &self.origin_path);
        writer.list("CustomHeaders", "OriginCustomHeader", &self.custom_headers, |writer, header| {
            writer.text("HeaderName", &header.header_name);
            writer.text("HeaderValue", &header.header_value);
        });
        if let Some(config) = &self.s3_origin_config {
            writer.element("S3OriginConfig", |writer| {
                writer.text("OriginAccessIdentity", &config.origin_access_identity);
            });
        }
        if let Some(config) = &self.custom_origin_config {
            writer.element("CustomOriginConfig", |writer| config.write(writer));
        }
        writer.text("ConnectionAttempts", self.connection_attempts.unwrap_or(3));
        writer.text("ConnectionTimeout", self.connection_timeout.unwrap_or(10));
        writer.element("OriginShield", |writer| writer.text("Enabled", false));
        writer.text("OriginAccessControlId", &self.origin_access_control_id);
    }
}

impl CustomOriginConfig {
    fn read(node: &mut Node) -> Result<Self> {
        let config = Self {
            http_port: node.required_parsed("HTTPPort")?,
            https_port: node.required_parsed("HTTPSPort")?,
            origin_protocol_policy: node.required("OriginProtocolPolicy")?,
            origin_ssl_protocols: node.texts("OriginSslProtocols", "SslProtocol")?,
            origin_read_timeout: node.parsed("OriginReadTimeout")?.unwrap_or_else(read_timeout),
            origin_keepalive_timeout: node.parsed("OriginKeepaliveTimeout")?.unwrap_or(5),
        };
        if node.text("IpAddressType")?.is_some_and(|kind| kind != "ipv4") {
            return Err(node.unsupported("IpAddressType"));
        }
        node.unused("OriginMtlsConfig")?;
        Ok(config)
    }

    fn write(&self, writer: &mut Writer) {
        writer.text("HTTPPort", self.http_port);
        writer.text("HTTPSPort", self.https_port);
        writer.text("OriginProtocolPolicy", &self.origin_protocol_policy);
        writer.texts("OriginSslProtocols", "SslProtocol", &self.origin_ssl_protocols);
        writer.text("OriginReadTimeout", self.origin_read_timeout);
        writer.text("OriginKeepaliveTimeout", self.origin_keepalive_timeout);
    }
}

impl Behavior {
    fn read(node: &mut Node) -> Result<Self> {
        let mut cached_methods = None;
        let allowed_methods = node.child("AllowedMethods", |node| {
            cached_methods = node.child("CachedMethods", |node| node.text_items("Method"))?;
            node.text_items("Method")
        })?;
        let behavior = Self {
            target_origin_id: node.required("TargetOriginId")?,
            viewer_protocol_policy: node.required("ViewerProtocolPolicy")?,
            allowed_methods: allowed_methods.unwrap_or_else(crate::model::read_methods),
            cached_methods: cached_methods.unwrap_or_else(crate::model::read_methods),
            compress: node.parsed("Compress")?.unwrap_or(false),
            function_associations: node.list("FunctionAssociations", "FunctionAssociation", |node| {
                Ok(FunctionAssociation {
                    event_type: node.required("EventType")?,
                    function_arn: node.required("FunctionARN")?,
                })
            })?,
            cache_policy_id: node.text("CachePolicyId")?.unwrap_or_default(),
            origin_request_policy_id: node.text("OriginRequestPolicyId")?.unwrap_or_default(),
            response_headers_policy_id: node.text("ResponseHeadersPolicyId")?.unwrap_or_default(),
            trusted_key_groups: node
                .child("TrustedKeyGroups", |node| {
                    // It repeats whether there are any.
                    node.text("Enabled")?;
                    node.text_items("KeyGroup")
                })?
                .unwrap_or_default(),
        };
        for feature in [
            "TrustedSigners",
            "SmoothStreaming",
            "LambdaFunctionAssociations",
            "FieldLevelEncryptionId",
            "RealtimeLogConfigArn",
            "GrpcConfig",
        ] {
            node.unused(feature)?;
        }
        Ok(behavior)
    }

    fn write(&self, writer: &mut Writer) {
        writer.text("TargetOriginId", &self.target_origin_id);
        writer.element("TrustedSigners", |writer| {
            writer.text("Enabled", false);
            writer.text("Quantity", 0);
        });
        writer.element("TrustedKeyGroups", |writer| {
            writer.text("Enabled", !self.trusted_key_groups.is_empty());
            writer.items("KeyGroup", &self.trusted_key_groups, |writer, group| writer.content(group));
        });
        writer.text("ViewerProtocolPolicy", &self.viewer_protocol_policy);
        writer.element("AllowedMethods", |writer| {
            writer.items("Method", &self.allowed_methods, |writer, method| writer.content(method));
            writer.texts("CachedMethods", "Method", &self.cached_methods);
        });
        writer.text("SmoothStreaming", false);
        writer.text("Compress", self.compress);
        writer.nothing("LambdaFunctionAssociations");
        writer.list(
            "FunctionAssociations",
            "FunctionAssociation",
            &self.function_associations,
            |writer, association| {
                writer.text("FunctionARN", &association.function_arn);
                writer.text("EventType", &association.event_type);
            },
        );
        writer.text("FieldLevelEncryptionId", "");
        let policy = |id: &String| (!id.is_empty()).then(|| id.clone());
        writer.optional("CachePolicyId", policy(&self.cache_policy_id));
        writer.optional("OriginRequestPolicyId", policy(&self.origin_request_policy_id));
        writer.optional("ResponseHeadersPolicyId", policy(&self.response_headers_policy_id));
        writer.element("GrpcConfig", |writer| writer.text("Enabled", false));
    }
}

impl ViewerCertificate {
    fn read(node: &mut Node) -> Result<Self> {
        let certificate = Self {
            cloud_front_default_certificate: node.parsed("CloudFrontDefaultCertificate")?,
            acm_certificate_arn: node.text("ACMCertificateArn")?,
            iam_certificate_id: node.text("IAMCertificateId")?,
            ssl_support_method: node.text("SSLSupportMethod")?,
            minimum_protocol_version: node.text("MinimumProtocolVersion")?,
        };
        // The two below repeat what is above; CloudFront still writes them.
        node.text("Certificate")?;
        node.text("CertificateSource")?;
        Ok(certificate)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.optional("CloudFrontDefaultCertificate", self.cloud_front_default_certificate);
        writer.optional("ACMCertificateArn", self.acm_certificate_arn.as_ref());
        writer.optional("IAMCertificateId", self.iam_certificate_id.as_ref());
        writer.optional("SSLSupportMethod", self.ssl_support_method.as_ref());
        writer.optional("MinimumProtocolVersion", self.minimum_protocol_version.as_ref());
    }
}

impl OriginGroup {
    fn read(node: &mut Node) -> Result<Self> {
        let status_codes = node.child("FailoverCriteria", |node| {
            node.list("StatusCodes", "StatusCode", |node| node.content_parsed::<u16>())
        })?;
        let members =
            node.list("Members", "OriginGroupMember", |node| Ok(Member { origin_id: node.required("OriginId")? }))?;
        let group = Self {
            id: node.required("Id")?,
            failover_criteria: FailoverCriteria {
                status_codes: status_codes
                    .map(|items| StatusCodes { quantity: items.len(), items })
                    .ok_or_else(|| crate::xml::invalid_argument("an origin group has no FailoverCriteria"))?,
            },
            members: Members { quantity: members.len(), items: members },
        };
        if node.text("SelectionCriteria")?.is_some_and(|criteria| criteria != "default") {
            return Err(node.unsupported("SelectionCriteria"));
        }
        Ok(group)
    }

    fn write(&self, writer: &mut Writer) {
        writer.text("Id", &self.id);
        writer.element("FailoverCriteria", |writer| {
            writer.list("StatusCodes", "StatusCode", &self.failover_criteria.status_codes.items, |writer, code| {
                writer.content(&code.to_string());
            });
        });
        writer.list("Members", "OriginGroupMember", &self.members.items, |writer, member| {
            writer.text("OriginId", &member.origin_id);
        });
    }
}

impl Logging {
    /// `None` when logging is switched off.
    fn read(node: &mut Node) -> Result<Option<Self>> {
        let enabled: bool = node.parsed("Enabled")?.unwrap_or(false);
        let logging = Self {
            include_cookies: node.parsed("IncludeCookies")?.unwrap_or(false),
            bucket: node.text("Bucket")?.unwrap_or_default(),
            prefix: node.text("Prefix")?.unwrap_or_default(),
        };
        Ok(enabled.then_some(logging))
    }
}

impl OriginAccessControl {
    pub(crate) fn from_xml(operation: &'static str, document: &[u8]) -> Result<Self> {
        let mut node = Node::parse(operation, document, "OriginAccessControlConfig")?;
        let control = Self {
            name: node.required("Name")?,
            description: node.text("Description")?.unwrap_or_default(),
            origin_access_control_origin_type: node.required("OriginAccessControlOriginType")?,
            signing_behavior: node.required("SigningBehavior")?,
            signing_protocol: node.required("SigningProtocol")?,
        };
        node.finish()?;
        Ok(control)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.text("Name", &self.name);
        writer.text("Description", &self.description);
        writer.text("SigningProtocol", &self.signing_protocol);
        writer.text("SigningBehavior", &self.signing_behavior);
        writer.text("OriginAccessControlOriginType", &self.origin_access_control_origin_type);
    }
}

impl PublicKey {
    pub(crate) fn from_xml(operation: &'static str, document: &[u8]) -> Result<Self> {
        let mut node = Node::parse(operation, document, "PublicKeyConfig")?;
        let key = Self {
            caller_reference: node.required("CallerReference")?,
            name: node.required("Name")?,
            encoded_key: node.required("EncodedKey")?,
            comment: node.text("Comment")?.unwrap_or_default(),
        };
        node.finish()?;
        Ok(key)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.text("CallerReference", &self.caller_reference);
        self.write_summary(writer);
    }

    /// What a summary has in common with the configuration.
    pub(crate) fn write_summary(&self, writer: &mut Writer) {
        writer.text("Name", &self.name);
        writer.text("EncodedKey", &self.encoded_key);
        writer.text("Comment", &self.comment);
    }
}

impl KeyGroup {
    pub(crate) fn from_xml(operation: &'static str, document: &[u8]) -> Result<Self> {
        let mut node = Node::parse(operation, document, "KeyGroupConfig")?;
        let group = Self {
            name: node.required("Name")?,
            items: node.plain_texts("Items", "PublicKey")?.unwrap_or_default(),
            comment: node.text("Comment")?.unwrap_or_default(),
        };
        node.finish()?;
        Ok(group)
    }

    pub(crate) fn write(&self, writer: &mut Writer) {
        writer.text("Name", &self.name);
        writer.plain_texts("Items", "PublicKey", &self.items);
        writer.text("Comment", &self.comment);
    }
}
