//! How the server's certificate is checked: ring, and the system's roots or a file's.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::TargetError;
use crate::connection::prefect::Tls;

/// Builds the TLS side of a client.
///
/// For an `http://` address nothing is trusted and nothing is loaded, so that it works on a
/// machine without certificates.
pub(super) fn client_config(tls: &Tls, is_https: bool) -> Result<ClientConfig, TargetError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| TargetError::Configuration(format!("TLS can't be set up: {error}")))?;
    // Reading the system's certificates takes time, and fails in containers that have none.
    let config = if !is_https {
        builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth()
    } else if tls.skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
            .with_no_client_auth()
    } else if let Some(path) = &tls.certificates {
        builder.with_root_certificates(roots_of(path)?).with_no_client_auth()
    } else {
        let verifier = Verifier::new(provider).map_err(|error| {
            TargetError::Configuration(format!(
                "the system's certificates can't be used ({error}); \
                 SSL_CERT_FILE can name a PEM file instead"
            ))
        })?;
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth()
    };
    Ok(config)
}

fn roots_of(path: &Path) -> Result<RootCertStore, TargetError> {
    let error = |reason: String| {
        TargetError::Configuration(format!("the certificates in {}: {reason}", path.display()))
    };
    let mut roots = RootCertStore::empty();
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|found| error(found.to_string()))?
    {
        let certificate = certificate.map_err(|found| error(found.to_string()))?;
        roots.add(certificate).map_err(|found| error(found.to_string()))?;
    }
    // Without this, a file of another kind would end in "unknown issuer" at each request.
    if roots.is_empty() {
        return Err(error("there is none".to_owned()));
    }
    Ok(roots)
}

/// Believes every certificate: `PREFECT_API_TLS_INSECURE_SKIP_VERIFY`.
#[derive(Debug)]
struct Unverified(Arc<CryptoProvider>);

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
