//! Why a server can't be trusted, in words that say what to change. None of it passes by itself.

use std::error::Error;
use std::io::ErrorKind;

use flowreg_model::quoted_path;
use rustls::CertificateError;

use crate::connection::prefect::CertificateFile;

/// Whose settings a connection has, which go by other names for each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TlsSettings {
    /// Those of Prefect 2 and 3.
    #[default]
    Prefect,
    /// Those of Prefect 1, whose client uses `requests`.
    Prefect1,
}

impl TlsSettings {
    /// The one with the server's address.
    fn address(self) -> &'static str {
        match self {
            Self::Prefect => "PREFECT_API_URL",
            Self::Prefect1 => "PREFECT__CLOUD__API",
        }
    }

    /// The one that names a file of certificates.
    fn certificates(self) -> &'static str {
        match self {
            Self::Prefect => "PREFECT_API_SSL_CERT_FILE",
            Self::Prefect1 => "REQUESTS_CA_BUNDLE",
        }
    }

    /// The one that switches the check off, if there is one.
    fn skip_verify(self) -> Option<&'static str> {
        match self {
            Self::Prefect => Some("PREFECT_API_TLS_INSECURE_SKIP_VERIFY"),
            Self::Prefect1 => None,
        }
    }
}

/// Why no connection is made although something answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsProblem {
    /// The certificate is too old.
    #[error("its certificate has expired")]
    Expired,
    /// The certificate is too new, or the clock of this machine is wrong.
    #[error("its certificate is not valid yet")]
    NotValidYet,
    /// Nobody who is trusted has signed the certificate.
    #[error("its certificate is signed by an unknown issuer")]
    UnknownIssuer,
    /// The certificate is for other hosts.
    #[error("its certificate is for {}, and not for the host in the address", names(.0))]
    WrongName(Vec<String>),
    /// What answers speaks no TLS.
    #[error("it does not speak TLS; most likely it speaks http")]
    NotTls,
    /// What answers speaks TLS only, and was asked over http.
    #[error("it speaks https, not http")]
    OnlyTls,
    /// Anything else, in the words of the library.
    #[error("no secure connection: {0}")]
    Other(String),
}

impl TlsProblem {
    /// What a failed request says about TLS; `None` if it failed for another reason.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut next = Some(error);
        while let Some(cause) = next {
            if let Some(error) = cause.downcast_ref() {
                return Some(Self::of_tls(error));
            }
            // The source of an `io::Error` is that of the error inside, which would be passed over.
            let inside = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            next = match inside {
                Some(inside) => Some(inside),
                None => cause.source(),
            };
        }
        None
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let certificate = match error {
            rustls::Error::InvalidMessage(_) => return Self::NotTls,
            rustls::Error::InvalidCertificate(certificate) => certificate,
            other => return Self::Other(other.to_string()),
        };
        match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                Self::NotValidYet
            }
            CertificateError::UnknownIssuer => Self::UnknownIssuer,
            CertificateError::NotValidForName => Self::WrongName(Vec::new()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                Self::WrongName(presented.iter().map(|name| plain(name)).collect())
            }
            CertificateError::Other(other) => match other.0.downcast_ref() {
                // One that has signed itself, which is how most private ones are made.
                Some(webpki::Error::CaUsedAsEndEntity) => Self::UnknownIssuer,
                Some(webpki::Error::UnsupportedCertVersion) => Self::Other(
                    "its certificate is of X.509 version 1, which can name no host".to_owned(),
                ),
                _ => Self::Other(other.to_string()),
            },
            other => Self::Other(other.to_string()),
        }
    }

    /// What to type.
    pub fn hints(&self, settings: TlsSettings) -> Vec<String> {
        let (address, certificates) = (settings.address(), settings.certificates());
        let unchecked = settings.skip_verify();
        let unchecked = unchecked.map(|setting| format!("without any check: {setting}=true"));
        match self {
            Self::Expired => {
                let renew = "renew the certificate of the server".to_owned();
                [renew].into_iter().chain(unchecked).collect()
            }
            Self::NotValidYet => vec!["date: is the clock of this machine right?".to_owned()],
            Self::UnknownIssuer => {
                let file = format!(
                    "{certificates}=FILE, a PEM file with the certificate that signed it, or with \
                     its own"
                );
                [file].into_iter().chain(unchecked).collect()
            }
            Self::WrongName(_) => {
                vec![format!("{address} has to name a host for which the certificate is")]
            }
            Self::OnlyTls => vec![format!("{address}=https://… instead of http://…")],
            Self::NotTls => vec![format!("{address}=http://… instead of https://…")],
            Self::Other(_) => vec![format!(
                "look at {address}, {certificates} and at the certificate of the server"
            )],
        }
    }
}

/// Why a file of certificates is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} names {}, {problem}", .file.named(), .file.path.display())]
pub struct CertificateFileError {
    /// The file.
    pub file: CertificateFile,
    /// What is wrong with it.
    pub problem: CertificateFileProblem,
}

/// What is wrong with a file of certificates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFileProblem {
    /// There is no such file.
    #[error("which does not exist")]
    Missing,
    /// It is no file.
    #[error("which is a directory")]
    Directory,
    /// It can't be read.
    #[error("which can't be read: {0}")]
    Unreadable(String),
    /// There is nothing in it.
    #[error("which is empty")]
    Empty,
    /// There is something else in it.
    #[error("in which there is no certificate in PEM form (-----BEGIN CERTIFICATE-----)")]
    NoCertificate {
        /// Whether it seems to have certificates in another form.
        form: Option<OtherForm>,
    },
    /// A certificate in it can't be read.
    #[error("in which a certificate is damaged: {0}")]
    Damaged(String),
}

/// A form of certificates that programs make and that is not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherForm {
    /// Bytes.
    Der,
    /// The form of OpenSSL that says what a certificate is trusted for.
    Trusted,
}

impl CertificateFile {
    /// The setting, and where it is set.
    fn named(&self) -> String {
        match &self.origin {
            Some(origin) => format!("{} ({origin})", self.setting),
            None => self.setting.to_owned(),
        }
    }
}

impl CertificateFileProblem {
    pub(super) fn of_io(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Missing,
            ErrorKind::IsADirectory => Self::Directory,
            ErrorKind::PermissionDenied => Self::Unreadable("permission denied".to_owned()),
            _ => Self::Unreadable(error.to_string()),
        }
    }

    /// Of a file in which no certificate was found.
    pub(super) fn of_content(content: &[u8]) -> Self {
        let is_trusted = || content.windows(13).any(|part| part == b"BEGIN TRUSTED");
        match content {
            [] => Self::Empty,
            // A sequence whose length takes two bytes: the beginning of every certificate.
            [0x30, 0x82, ..] => Self::NoCertificate { form: Some(OtherForm::Der) },
            _ => Self::NoCertificate { form: is_trusted().then_some(OtherForm::Trusted) },
        }
    }
}

impl CertificateFileError {
    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        let CertificateFile { setting, origin, path } = &self.file;
        let quoted = quoted_path(path);
        let file = format!(
            "{setting}=FILE, a PEM file with the certificate that signed the server's, or with its own"
        );
        let first = match &self.problem {
            // The client takes the name as it is, where a shell would have put the home directory.
            CertificateFileProblem::Missing if path.iter().any(|part| part == "~") => {
                format!("{setting}=FILE with the whole path: `~` is nobody's home here")
            }
            CertificateFileProblem::Directory => {
                format!("cat {quoted}/*.pem > FILE, and {setting}=FILE")
            }
            CertificateFileProblem::Unreadable(_) => format!("ls -l {quoted}"),
            CertificateFileProblem::NoCertificate { form: Some(OtherForm::Der) } => {
                format!("openssl x509 -inform der -in {quoted} -out FILE, and {setting}=FILE")
            }
            CertificateFileProblem::NoCertificate { form: Some(OtherForm::Trusted) } => {
                format!("openssl x509 -in {quoted} -out FILE, and {setting}=FILE")
            }
            _ => file,
        };
        let without = match origin.as_deref() {
            None => format!("unset {setting}"),
            Some(origin) if origin.starts_with("profile") => {
                format!("prefect config unset {setting}")
            }
            Some(origin) => format!("take it out of {origin}"),
        };
        vec![first, format!("to trust the certificates of the system instead: {without}")]
    }
}

fn names(presented: &[String]) -> String {
    if presented.is_empty() { "no host".to_owned() } else { presented.join(", ") }
}

/// A name as people write it. The library writes `DnsName("x")` and `IpAddress(127.0.0.1)`.
fn plain(presented: &str) -> String {
    let inner = presented.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(presented).trim_matches('"').to_owned()
}
