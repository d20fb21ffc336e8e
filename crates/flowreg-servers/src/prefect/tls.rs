//! How the server's certificate is checked: ring, and the system's roots or a file's.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;
use webpki::{EndEntityCert, KeyUsage};

use super::tls_error::{CertificateFileError, CertificateFileProblem};
use crate::TargetError;
use crate::connection::prefect::{CertificateFile, Tls};

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
    } else if let Some(file) = &tls.certificates {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustedFile::read(file, provider)?))
            .with_no_client_auth()
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

/// Believes what the certificates of a file have signed, and those certificates themselves.
///
/// As OpenSSL does for the official client: a certificate that has signed itself, and may sign others
/// (`openssl req -x509` makes such), is a server's certificate as well, and where no name is said in
/// the way of today, the common name counts (docs/facts/prefect.md, "Certificates").
#[derive(Debug)]
struct TrustedFile {
    roots: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl TrustedFile {
    fn read(file: &CertificateFile, provider: Arc<CryptoProvider>) -> Result<Self, TargetError> {
        let error = |problem| {
            let file = file.clone();
            TargetError::CertificateFile(Box::new(CertificateFileError { file, problem }))
        };
        let content = std::fs::read(&file.path);
        let content = content.map_err(|found| error(CertificateFileProblem::of_io(&found)))?;
        let read: Result<Vec<CertificateDer<'_>>, _> =
            CertificateDer::pem_slice_iter(&content).collect();
        let certificates =
            read.map_err(|found| error(CertificateFileProblem::Damaged(found.to_string())))?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            let added = roots.add(certificate.clone());
            added.map_err(|found| error(CertificateFileProblem::Damaged(found.to_string())))?;
        }
        // Without this, a file of another kind would end in "unknown issuer" at each request.
        if roots.is_empty() {
            return Err(error(CertificateFileProblem::of_content(&content)));
        }
        Ok(Self { roots, certificates, provider })
    }

    /// Whether a certificate is one of the file, and nothing is wrong with it but that no other one has
    /// signed it.
    fn is_trusted_itself(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> bool {
        let Ok(parsed) = EndEntityCert::try_from(certificate) else { return false };
        let refused = parsed.verify_for_usage(
            self.provider.signature_verification_algorithms.all,
            &self.roots.roots,
            &[],
            now,
            KeyUsage::server_auth(),
            None,
            None,
        );
        // The dates are looked at before either of these.
        let is_unsigned = matches!(
            refused.err(),
            Some(webpki::Error::CaUsedAsEndEntity | webpki::Error::UnknownIssuer)
        );
        is_unsigned && self.certificates.iter().any(|known| known == certificate)
    }
}

impl ServerCertVerifier for TrustedFile {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let certificate = ParsedCertificate::try_from(end_entity)?;
        if !self.is_trusted_itself(end_entity, now) {
            let algorithms = self.provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                &self.roots,
                intermediates,
                now,
                algorithms,
            )?;
        }
        match verify_server_name(&certificate, server_name) {
            Err(_) if has_common_name(end_entity, server_name) => {}
            checked => checked?,
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// The identifier of a common name (2.5.4.3) as it stands before one.
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

/// Whether the certificate says no host's name in the extension for it, and the common name of its
/// subject is the server's.
fn has_common_name(certificate: &CertificateDer<'_>, server_name: &ServerName<'_>) -> bool {
    let (Ok(parsed), ServerName::DnsName(host)) =
        (EndEntityCert::try_from(certificate), server_name)
    else {
        return false;
    };
    let subject = parsed.subject();
    let mut places = (0..subject.len()).filter_map(|start| subject.get(start..));
    let is_host = |rest: &[u8]| {
        // The kind of text, its length in one byte (a host's name has at most 253), the text.
        let text = match rest.strip_prefix(&COMMON_NAME) {
            Some([_, length, text @ ..]) => text.get(..usize::from(*length)),
            _ => None,
        };
        text.is_some_and(|text| is_host_of(text, host.as_ref()))
    };
    parsed.valid_dns_names().next().is_none() && places.any(is_host)
}

/// Whether a common name is a host's, or one for all hosts of a domain (`*.example.com`).
fn is_host_of(common_name: &[u8], host: &str) -> bool {
    let domain = || host.split_once('.').map(|(_, domain)| domain);
    match common_name.strip_prefix(b"*.") {
        Some(of_all) => {
            domain().is_some_and(|domain| of_all.eq_ignore_ascii_case(domain.as_bytes()))
        }
        None => common_name.eq_ignore_ascii_case(host.as_bytes()),
    }
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
