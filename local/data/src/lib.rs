//! DynamoDB (on dynoxide) and Secrets Manager.

mod dynamo;
mod secrets;

pub use dynamo::{
    AttributeDefinition, DynamoConfig, DynamoDb, DynamoError, GlobalIndex, KeyElement, LocalIndex, Projection,
    StreamSpecification, TableSpec, Tag, Throughput, TimeToLive,
};
pub use secrets::{GenerateSecretString, SecretSource, SecretSpec, SecretsConfig, SecretsManager};

#[cfg(test)]
mod testing;
