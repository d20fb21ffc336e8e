//! HTTPS servers with certificates that openssl has made.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::prefect::{Watched, wait_for};

const FAST_KEY: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A directory with certificates, keys and servers for them.
pub(crate) struct TlsServers {
    directory: tempfile::TempDir,
    process: Option<Watched>,
}

impl TlsServers {
    /// Without any server yet.
    pub(crate) fn new() -> Self {
        let directory = tempfile::TempDir::with_prefix("flowreg-tls-").unwrap();
        std::fs::create_dir(directory.path().join("issued")).unwrap();
        Self { directory, process: None }
    }

    /// A file of the directory.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn openssl(&self, arguments: &[&str]) {
        let run = Command::new("openssl")
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }

    /// A certificate that signs itself, as plain `openssl req -x509` makes it, or with extensions.
    pub(crate) fn self_signed(&self, name: &str, common_name: &str, extensions: &[&str]) {
        let (key, certificate) = (format!("{name}.key"), format!("{name}.pem"));
        let subject = format!("/CN={common_name}");
        let plain = ["req", "-x509", "-nodes", "-days", "2", "-subj", &subject];
        let files = ["-keyout", &key, "-out", &certificate];
        let extensions = extensions.iter().flat_map(|extension| ["-addext", extension]);
        let extensions: Vec<&str> = extensions.collect();
        // The one that everybody types; the others have a kind of key that is made faster.
        let kind = if extensions.is_empty() { &["-newkey", "rsa:2048"] } else { FAST_KEY };
        self.openssl(&[&plain[..], kind, &files, &extensions].concat());
        self.serve(name);
    }

    /// A certificate that another one has signed, or that signs itself between two dates.
    pub(crate) fn issued(
        &self,
        name: &str,
        common_name: &str,
        issuer: Option<&str>,
        (from, until): (&str, &str),
        extensions: &str,
    ) {
        let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
        let subject = format!("/CN={common_name}");
        let plain = ["req", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &request];
        self.openssl(&[&plain[..], FAST_KEY].concat());
        std::fs::write(self.file("index.txt"), "").unwrap();
        std::fs::write(self.file("index.txt.attr"), "unique_subject = no\n").unwrap();
        std::fs::write(self.file("serial"), format!("{:04}\n", 1000 + name.len())).unwrap();
        let settings = format!(
            "[ca]\ndefault_ca=it\n[it]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=issued\n\
             default_md=sha256\npolicy=any\nx509_extensions=extensions\n[any]\ncommonName=supplied\n\
             [extensions]\n{extensions}\n"
        );
        std::fs::write(self.file("ca.cnf"), settings).unwrap();
        let certificate = format!("{name}.pem");
        let signed_by = issuer.unwrap_or(name);
        let (issuer_key, issuer_file) = (format!("{signed_by}.key"), format!("{signed_by}.pem"));
        let by: &[&str] = match issuer {
            Some(_) => &["-cert", &issuer_file],
            None => &["-selfsign"],
        };
        let dates = ["-startdate", from, "-enddate", until];
        let sign = ["ca", "-config", "ca.cnf", "-batch", "-notext", "-keyfile", &issuer_key];
        let files = ["-in", &request, "-out", &certificate];
        self.openssl(&[&sign[..], by, &dates, &files].concat());
        self.serve(name);
    }

    /// A certificate of X.509 version 1, as `openssl x509 -req` made it for a long time.
    pub(crate) fn version_one(&self, name: &str, common_name: &str) {
        let [key, request, certificate] = ["key", "csr", "pem"].map(|end| format!("{name}.{end}"));
        let subject = format!("/CN={common_name}");
        let plain = ["req", "-nodes", "-subj", &subject, "-keyout", &key, "-out", &request];
        self.openssl(&[&plain[..], FAST_KEY].concat());
        self.openssl(&["x509", "-req", "-in", &request, "-signkey", &key, "-out", &certificate]);
        self.serve(name);
    }

    /// A server for a certificate.
    fn serve(&self, name: &str) {
        let parts = ["pem", "key"].map(|part| self.file(&format!("{name}.{part}")));
        let text = parts.map(|part| std::fs::read_to_string(part).unwrap()).concat();
        std::fs::write(self.file(&format!("{name}.chain")), text).unwrap();
    }

    /// Starts all servers, with the Python of Prefect's environment.
    pub(crate) fn start(&mut self) {
        let support = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support");
        let script = support.join("tls_server.py");
        let directory = self.directory.path().to_str().unwrap();
        let arguments = [script.to_str().unwrap(), directory];
        self.process = Some(Watched::start("python", &arguments, &[]));
        // It is the last one that starts.
        self.port("plain");
    }

    fn port(&self, name: &str) -> u16 {
        wait_for("the HTTPS server", 60, || {
            std::fs::read_to_string(self.file(&format!("{name}.port"))).ok()?.parse().ok()
        })
    }

    /// The address of a server, under one of the names of this machine.
    pub(crate) fn api_url(&self, name: &str, host: &str) -> String {
        format!("https://{host}:{}/api", self.port(name))
    }
}
