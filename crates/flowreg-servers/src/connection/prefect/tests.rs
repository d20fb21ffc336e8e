//! Expectations were read off the official client, Prefect 3.8.8, in the same directories.

use secrecy::ExposeSecret;

use super::*;

const PROFILES: &str = r#"
active = "dev"
[profiles.dev]
PREFECT_API_URL = "http://profile/api"
PREFECT_API_KEY = "k-profile"
PREFECT_CLIENT_CUSTOM_HEADERS = '{"X-P": "1", "X-T": "profile"}'
[profiles.other]
PREFECT_API_URL = "http://other/api"
PREFECT_API_TLS_INSECURE_SKIP_VERIFY = true
PREFECT_CLIENT_MAX_RETRIES = 2
"#;
const PYPROJECT: &str = r#"
[tool.prefect.api]
url = "http://pyproject/api"
[tool.prefect.client]
custom_headers = {X-T = "pyproject", X-Y = "3"}
"#;
const PREFECT: &str = r#"
[api]
url = "http://prefect-toml/api"
request_timeout = 7.5
[client]
custom_headers = {X-T = "2"}
retry_extra_codes = "404,500"
"#;
const DOTENV: &str = "prefect_api_url=http://dotenv/api\nPREFECT_API_AUTH_STRING=\"u:p#x\" # c\n";
const OTHER_HOME: &str = r#"
active = "h"
[profiles.h]
PREFECT_API_URL = "http://home/api"
prefect_api_key = "lower"
"#;

/// A home with `.prefect/profiles.toml`, another Prefect home, and a working directory.
struct Files(tempfile::TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        for (path, text) in files {
            let path = place.path(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text.replace("$ROOT", place.0.path().to_str().unwrap())).unwrap();
        }
        std::fs::create_dir_all(place.path("cwd")).unwrap();
        place
    }

    fn full() -> Self {
        Self::new(&[
            ("home/.prefect/profiles.toml", PROFILES),
            ("cwd/pyproject.toml", PYPROJECT),
            ("cwd/prefect.toml", PREFECT),
            ("cwd/.env", DOTENV),
        ])
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn try_resolve(
        &self,
        environment: &[(&str, &str)],
    ) -> Result<Option<PrefectConnection>, ConnectionError> {
        let root = self.0.path().to_str().unwrap();
        let environment: Environment =
            environment.iter().map(|(name, value)| (*name, value.replace("$ROOT", root))).collect();
        connection(&environment, &self.path("cwd"), Some(&self.path("home")))
    }

    fn resolve(&self, environment: &[(&str, &str)]) -> PrefectConnection {
        self.try_resolve(environment).unwrap().unwrap()
    }
}

fn headers(connection: &PrefectConnection) -> Vec<(String, String)> {
    let mut headers: Vec<_> = connection
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.expose_secret().to_owned()))
        .collect();
    headers.sort();
    headers
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn nothing_configured_is_no_connection() {
    assert!(Files::new(&[]).try_resolve(&[]).unwrap().is_none());
}

#[test]
fn sources_follow_the_official_order() {
    let all = [
        ("home/.prefect/profiles.toml", PROFILES, "http://profile/api"),
        ("cwd/pyproject.toml", PYPROJECT, "http://pyproject/api"),
        ("cwd/prefect.toml", PREFECT, "http://prefect-toml/api"),
        ("cwd/.env", DOTENV, "http://dotenv/api"),
    ];
    let origins =
        ["profile `dev` in ~/.prefect/profiles.toml", "pyproject.toml", "prefect.toml", ".env"];
    for (last, origin) in origins.iter().enumerate() {
        let files: Vec<_> = all[..=last].iter().map(|(path, text, _)| (*path, *text)).collect();
        let connection = Files::new(&files).resolve(&[]);
        assert_eq!(
            (connection.api_url.as_str(), connection.origin.as_str()),
            (all[last].2, *origin)
        );
    }
    let connection = Files::full().resolve(&[("prefect_api_url", "http://env/api/")]);
    assert_eq!(connection.api_url, "http://env/api");
    assert_eq!(connection.origin, "PREFECT_API_URL");
}

#[test]
fn values_come_each_from_their_strongest_source_and_headers_from_all() {
    let connection = Files::full().resolve(&[("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"X-E":"9"}"#)]);
    assert_eq!(connection.key.as_ref().unwrap().expose_secret(), "k-profile");
    assert_eq!(connection.auth_string.as_ref().unwrap().expose_secret(), "u:p#x");
    assert_eq!(connection.request_timeout, Some(Duration::from_millis(7500)));
    assert_eq!(connection.retry_extra_codes, [404, 500]);
    assert_eq!(
        headers(&connection),
        pairs(&[("X-E", "9"), ("X-P", "1"), ("X-T", "2"), ("X-Y", "3")])
    );
}

#[test]
fn an_empty_address_switches_prefect_off() {
    assert!(Files::full().try_resolve(&[("PREFECT_API_URL", "")]).unwrap().is_none());
}

#[test]
fn an_empty_key_hides_the_one_below() {
    assert!(Files::full().resolve(&[("PREFECT_API_KEY", "")]).key.is_none());
}

#[test]
fn certificates_come_from_prefects_setting_then_from_the_usual_one() {
    let of = |environment: &[(&str, &str)]| Files::full().resolve(environment).tls;
    let usual = ("SSL_CERT_FILE", "/x/ca.pem");
    let file = |variables: &[(&str, &str)]| {
        of(variables).certificates.map(|file| (file.setting, file.origin, file.path))
    };
    assert_eq!(file(&[usual]), Some(("SSL_CERT_FILE", None, "/x/ca.pem".into())));
    assert_eq!(of(&[usual, ("PREFECT_API_SSL_CERT_FILE", "")]).certificates, None);
    let own = ("PREFECT_API_SSL_CERT_FILE", "/own.pem");
    let setting = "PREFECT_API_SSL_CERT_FILE";
    assert_eq!(file(&[usual, own]), Some((setting, None, "/own.pem".into())));
    assert!(of(&[("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "ON")]).skip_verify);
}

#[test]
fn profiles_are_found_where_the_official_client_finds_them() {
    let files = |extra: (&'static str, &'static str)| {
        Files::new(&[
            ("home/.prefect/profiles.toml", PROFILES),
            ("other/profiles.toml", OTHER_HOME),
            extra,
        ])
    };
    let nothing = ("unused", "");
    let path_in_env = ("cwd/.env", "PREFECT_PROFILES_PATH=$ROOT/other/profiles.toml");
    let cases: &[(_, &[(&str, &str)], &str)] = &[
        (nothing, &[("PREFECT_PROFILE", "other")], "http://other/api"),
        (nothing, &[("PREFECT_PROFILE", "")], "http://profile/api"),
        (nothing, &[("PREFECT_HOME", "$ROOT/other")], "http://home/api"),
        (("cwd/.env", "PREFECT_HOME=$ROOT/other"), &[], "http://profile/api"),
        (path_in_env, &[], "http://home/api"),
        (
            path_in_env,
            &[("PREFECT_PROFILES_PATH", "$ROOT/home/.prefect/profiles.toml")],
            "http://profile/api",
        ),
        (
            ("cwd/prefect.toml", "profiles_path = \"$ROOT/other/profiles.toml\""),
            &[],
            "http://home/api",
        ),
    ];
    for (extra, environment, expected) in cases {
        let connection = files(*extra).resolve(environment);
        assert_eq!(connection.api_url, *expected, "{extra:?} {environment:?}");
        let has_key = connection.key.is_some();
        assert_eq!(has_key, *expected == "http://profile/api", "lower-case keys do not count");
    }
}

#[test]
fn profiles_that_prefect_brings_along_count_only_without_a_file() {
    let local = [("PREFECT_PROFILE", "local")];
    assert_eq!(Files::new(&[]).resolve(&local).api_url, "http://127.0.0.1:4200/api");
    let with_file = Files::new(&[("home/.prefect/profiles.toml", PROFILES)]);
    assert!(with_file.try_resolve(&local).unwrap().is_none());
}

#[test]
fn a_profile_that_does_not_exist_is_an_error_unless_something_stronger_names_a_server() {
    let place = Files::new(&[("home/.prefect/profiles.toml", PROFILES)]);
    let unknown = ("PREFECT_PROFILE", "nope");
    match place.try_resolve(&[unknown]).unwrap_err() {
        ConnectionError::UnknownProfile { name, known, .. } => {
            assert_eq!(name, "nope");
            assert_eq!(known, ["dev", "other"]);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        place.resolve(&[unknown, ("PREFECT_API_URL", "http://e/api")]).api_url,
        "http://e/api"
    );
}

#[test]
fn broken_files_are_errors_with_their_place() {
    for (path, shown) in [
        ("cwd/prefect.toml", "prefect.toml"),
        ("cwd/pyproject.toml", "pyproject.toml"),
        ("home/.prefect/profiles.toml", "~/.prefect/profiles.toml"),
    ] {
        let place = Files::new(&[(path, "[api]\nurl = = 1\n")]);
        let error = place.try_resolve(&[("PREFECT_API_URL", "http://e/api")]).unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with(&format!("{shown}:2:7: ")), "{text}");
    }
}

#[test]
fn values_that_mean_nothing_are_errors_that_do_not_show_them() {
    for (name, value) in [
        ("PREFECT_API_TLS_INSECURE_SKIP_VERIFY", "s3cret"),
        ("PREFECT_API_REQUEST_TIMEOUT", ""),
        ("PREFECT_API_REQUEST_TIMEOUT", "s3cret"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", "s3cret"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"a":1}"#),
        ("PREFECT_CLIENT_MAX_RETRIES", "-1"),
        ("PREFECT_API_URL", "ftp://s3cret@host"),
        ("PREFECT_API_URL", "s3cret"),
    ] {
        let error = Files::full().try_resolve(&[(name, value)]).unwrap_err();
        let text = format!("{error} {error:?}");
        assert!(text.contains(name), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn secrets_are_never_printed() {
    let connection = Files::new(&[]).resolve(&[
        ("PREFECT_API_URL", "https://me:s3cret%40@host/api?token=s3cret"),
        ("PREFECT_API_KEY", "s3cret-key"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", r#"{"X-A":"s3cret-header","Authorization":"s3cret"}"#),
    ]);
    assert!(!format!("{connection:?}").contains("s3cret"));
    assert_eq!(connection.api_url, "https://host/api");
    assert_eq!(connection.auth_string.as_ref().unwrap().expose_secret(), "me:s3cret@");
    assert_eq!(headers(&connection), pairs(&[("X-A", "s3cret-header")]));
    assert!(connection.secrets().any(|secret| secret == "s3cret-header"));
}

#[test]
fn the_default_work_pool_has_two_names_and_a_place_in_files() {
    let place =
        Files::new(&[("cwd/prefect.toml", "[deployments]\ndefault_work_pool_name = \"f\"\n")]);
    let pool = |variables: &[(&str, &str)]| {
        let url = ("PREFECT_API_URL", "http://e/api");
        let variables = [&[url], variables].concat();
        place.resolve(&variables).default_work_pool.map(|(pool, _)| pool)
    };
    let older = ("PREFECT_DEFAULT_WORK_POOL_NAME", "older");
    let newer = ("PREFECT_DEPLOYMENTS_DEFAULT_WORK_POOL_NAME", "newer");
    assert_eq!(pool(&[]).as_deref(), Some("f"));
    assert_eq!(pool(&[older]).as_deref(), Some("older"));
    assert_eq!(pool(&[older, newer]).as_deref(), Some("newer"));
    assert_eq!(pool(&[("prefect_default_work_pool_name", "older")]).as_deref(), Some("older"));
    assert_eq!(pool(&[("PREFECT_DEPLOYMENTS_DEFAULT_WORK_POOL_NAME", "")]), None);
}

#[test]
fn an_address_of_this_machine_is_known_as_one() {
    let is_here =
        |url: &str| Files::new(&[]).resolve(&[("PREFECT_API_URL", url)]).is_on_this_machine();
    for url in ["http://localhost:4200/api", "http://127.0.0.1:4200/api", "http://[::1]:4200/api"] {
        assert!(is_here(url), "{url}");
    }
    for url in
        ["https://api.prefect.cloud/api", "http://10.0.0.1/api", "http://localhost.example/api"]
    {
        assert!(!is_here(url), "{url}");
    }
}
