//! TLS with a certificate of the home's own: browsers speak HTTP/2 over TLS only.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

/// Whom the certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const CERTIFICATE: &str = "certificate.der";
const CERTIFICATE_TEXT: &str = "certificate.pem";
const KEY: &str = "key.der";

/// The home's certificate cannot be made or used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One of its files cannot be read or written.
    #[error("cannot use {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It cannot be made.
    #[error("cannot make a certificate")]
    Make(#[from] rcgen::Error),
    /// What is in its files is no certificate and its key; remove them, and new ones are made.
    #[error("the certificate and its key cannot be used")]
    Use(#[from] rustls::Error),
}

/// What viewers are served with over TLS: a certificate that nobody has signed but its own key, kept in the home's directory so
/// that who has come to trust it need not do so again.
#[derive(Clone)]
pub struct Tls(pub(crate) TlsAcceptor);

impl Tls {
    /// Reads the certificate from this directory, or makes it; its owner alone may read the key. `certificate.pem` is for clients.
    ///
    /// # Errors
    /// When the files cannot be read, made or used.
    pub fn open(directory: &Path) -> Result<Self, TlsError> {
        let [certificate, key] = [CERTIFICATE, KEY].map(|name| directory.join(name));
        if !(certificate.exists() && key.exists()) {
            make(directory)?;
        }
        let read = |path: PathBuf| fs::read(&path).map_err(|source| TlsError::File { path, source });
        let certificate = CertificateDer::from(read(certificate)?);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(read(key)?));
        let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }
}

fn make(directory: &Path) -> Result<(), TlsError> {
    let made = rcgen::generate_simple_self_signed(NAMES.map(str::to_owned))?;
    fs::create_dir_all(directory).map_err(|source| TlsError::File { path: directory.into(), source })?;
    // The certificate comes last: without it, both are made anew.
    write(directory, KEY, &made.signing_key.serialize_der())?;
    write(directory, CERTIFICATE_TEXT, made.cert.pem().as_bytes())?;
    write(directory, CERTIFICATE, made.cert.der())
}

fn write(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), TlsError> {
    let path = directory.join(name);
    let written = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| file.write_all(bytes));
    written.map_err(|source| TlsError::File { path, source })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may panic")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_for_its_owner() {
        let home = tempfile::tempdir().unwrap();
        let directory = home.path().join("tls");
        Tls::open(&directory).unwrap();
        let first = fs::read(directory.join(CERTIFICATE)).unwrap();
        Tls::open(&directory).unwrap();
        assert_eq!(fs::read(directory.join(CERTIFICATE)).unwrap(), first);
        assert_eq!(fs::metadata(directory.join(KEY)).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(directory.join(CERTIFICATE_TEXT)).unwrap().starts_with("-----BEGIN CERTIFICATE"));
        fs::write(directory.join(KEY), b"no key").unwrap();
        assert!(matches!(Tls::open(&directory), Err(TlsError::Use(_))));
    }
}
