//! `vodline up`: the local home, in the foreground.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use tracing_subscriber::EnvFilter;
use vodline_cloud::{
    home::{Config, Home, Launcher},
    iam::Credentials,
};

use crate::{
    error::CliError,
    home::{HomeArgs, LOCAL_ACCESS_KEY_ID, LOCAL_SECRET_ACCESS_KEY},
    render,
};

/// Address space of an ffmpeg: several times what a 2160p ladder takes.
const MEDIA_MEMORY_BYTES_MAX: u64 = 12 * 1024 * 1024 * 1024;
/// Largest file an ffmpeg may write.
const MEDIA_FILE_BYTES_MAX: u64 = 200 * 1024 * 1024 * 1024;

/// s3s logs every refused request as an error of its own; S3's answer says it already.
const LOG_FILTER: &str = "warn,vodline=info,s3s=off";

#[derive(Args)]
pub(crate) struct Arguments {
    /// Where everything is kept; survives restarts.
    #[arg(long, default_value = "data", value_name = "DIR")]
    data: PathBuf,
    /// Port of the AWS APIs, on 127.0.0.1; 0 picks a free one (see DIR/home.json).
    #[arg(long, default_value_t = 4566)]
    port: u16,
    /// Port of the edge, on 127.0.0.1; 0 picks a free one.
    #[arg(long, default_value_t = 8080)]
    edge_port: u16,
    /// Port of the edge over TLS, which browsers need for HTTP/2; not served unless given. The certificate is the home's own
    /// (DIR/edge-tls/certificate.pem).
    #[arg(long, value_name = "PORT")]
    edge_tls_port: Option<u16>,
    /// The stack's template; by default `template.yaml` here or in a folder above.
    #[arg(long, value_name = "FILE")]
    template: Option<PathBuf>,
    /// A parameter of the template, in place of its default; may be repeated.
    #[arg(long = "parameter", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, String)>,
    /// Where the functions' programs are; by default beside this one.
    #[arg(long, value_name = "DIR")]
    bin: Option<PathBuf>,
}

pub(crate) async fn run(home: &HomeArgs, arguments: Arguments) -> Result<ExitCode, CliError> {
    let filter = EnvFilter::try_from_env("VODLINE_LOG").unwrap_or_else(|_| EnvFilter::new(LOG_FILTER));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let program =
        std::env::current_exe().map_err(|source| CliError::Io { doing: "find this program".into(), source })?;
    let bin = match &arguments.bin {
        Some(bin) => bin.clone(),
        None => program.parent().unwrap_or_else(|| Path::new(".")).to_owned(),
    };
    let template = match arguments.template {
        Some(template) => template,
        None => find_template()?,
    };
    let absolute = |path: PathBuf| {
        std::path::absolute(&path).map_err(|source| CliError::Io { doing: format!("find {}", path.display()), source })
    };
    let config = Config {
        data: absolute(arguments.data)?,
        port: arguments.port,
        edge_port: arguments.edge_port,
        edge_tls_port: arguments.edge_tls_port,
        template: absolute(template)?,
        stack: home.stack.clone(),
        parameters: arguments.parameters.into_iter().collect(),
        functions: absolute(bin)?,
        root: Credentials {
            access_key_id: LOCAL_ACCESS_KEY_ID.into(),
            secret_access_key: LOCAL_SECRET_ACCESS_KEY.into(),
        },
        media_launcher: Launcher {
            program,
            arguments: vec![
                "limit-child".into(),
                format!("--memory-bytes-max={MEDIA_MEMORY_BYTES_MAX}"),
                format!("--file-bytes-max={MEDIA_FILE_BYTES_MAX}"),
                "--".into(),
            ],
        },
    };
    let home = Home::start(config).await.map_err(|error| CliError::Home(Box::new(error)))?;
    render::note(format!("AWS APIs   http://127.0.0.1:{}", home.port()));
    render::note(format!("the site   {}", home.site_url()));
    if let Some(url) = home.tls_url() {
        render::note(format!("with TLS   {url}"));
    }
    render::note(format!("the runs   http://127.0.0.1:{}/_console/executions.html", home.port()));
    render::note(format!(
        "a client   AWS_ENDPOINT_URL=http://127.0.0.1:{} AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID={LOCAL_ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={LOCAL_SECRET_ACCESS_KEY}",
        home.port()
    ));
    home.run_until(interrupted()).await;
    Ok(ExitCode::SUCCESS)
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a parameter is NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

fn find_template() -> Result<PathBuf, CliError> {
    let here =
        std::env::current_dir().map_err(|source| CliError::Io { doing: "find the current folder".into(), source })?;
    here.ancestors().map(|folder| folder.join("template.yaml")).find(|path| path.exists()).ok_or_else(|| {
        CliError::Plain("there is no template.yaml here or in a folder above; say where it is with --template".into())
    })
}

/// Ctrl-C, or the polite signal that service managers send.
async fn interrupted() {
    let interrupt = tokio::signal::ctrl_c();
    match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = interrupt => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = interrupt.await;
        }
    }
}
