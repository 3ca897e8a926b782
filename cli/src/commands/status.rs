//! `vodline status`.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use crate::{
    error::{CliError, doing},
    home::HomeArgs,
    render,
};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Print only the key that lets a browser upload.
    #[arg(long)]
    upload_key: bool,
}

pub(crate) async fn run(home: &HomeArgs, arguments: &Arguments) -> Result<ExitCode, CliError> {
    match home.stack().await {
        Ok(stack) if arguments.upload_key => {
            let secret = aws_sdk_secretsmanager::Client::new(&stack.config)
                .get_secret_value()
                .secret_id(stack.output("UploadKeyArn")?)
                .send()
                .await
                .map_err(doing("read the upload key"))?;
            render::line(secret.secret_string().unwrap_or_default());
            Ok(ExitCode::SUCCESS)
        }
        Ok(stack) if arguments.json => {
            render::line(json!({ "ready": true, "stack": stack.name, "outputs": stack.outputs() }).to_string());
            Ok(ExitCode::SUCCESS)
        }
        Ok(stack) => {
            render::line(format!("ready: the stack {}", stack.name));
            let rows: Vec<_> = stack.outputs().iter().map(|(name, value)| vec![name.clone(), value.clone()]).collect();
            render::table(&["OUTPUT", "VALUE"], &rows);
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if arguments.json => {
            render::line(json!({ "ready": false, "error": error.to_string() }).to_string());
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error),
    }
}
