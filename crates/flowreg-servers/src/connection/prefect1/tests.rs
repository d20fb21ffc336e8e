use secrecy::ExposeSecret;

use super::*;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".prefect")).unwrap();
        Self(home)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.0.path().join(".prefect").join(name), text).unwrap();
        self
    }

    fn try_resolve(
        &self,
        variables: &[(&str, &str)],
    ) -> Result<Prefect1Connection, ConnectionError> {
        let environment: Environment = variables.iter().copied().collect();
        connection(&environment, self.0.path(), Some(self.0.path()))
    }

    fn resolve(&self, variables: &[(&str, &str)]) -> Prefect1Connection {
        self.try_resolve(variables).unwrap()
    }
}

#[test]
fn without_anything_it_is_cloud_without_a_key() {
    let connection = Home::new().resolve(&[]);
    assert_eq!(connection.api_url, "https://api.prefect.io");
    assert!(connection.key.is_none() && connection.tenant.is_none());
}

#[test]
fn the_environment_wins_over_backend_toml_over_config_toml() {
    let home = Home::new();
    home.write("config.toml", "backend = \"cloud\"\n[server]\nhost = \"http://a\"\nport = 1\n");
    assert_eq!(home.resolve(&[]).api_url, "https://api.prefect.io");
    home.write("backend.toml", "backend = \"server\"\n");
    assert_eq!(home.resolve(&[]).api_url, "http://a:1");
    assert!(home.resolve(&[]).origin.ends_with("config.toml"));
    assert_eq!(home.resolve(&[("PREFECT__SERVER__PORT", "2")]).api_url, "http://a:2");
    let endpoint = ("PREFECT__SERVER__ENDPOINT", "http://b:3/graphql/");
    assert_eq!(home.resolve(&[endpoint]).api_url, "http://b:3/graphql");
    let api = ("PREFECT__CLOUD__API", "http://${PLACE}:4");
    assert_eq!(home.resolve(&[endpoint, api, ("PLACE", "c")]).api_url, "http://c:4");
    let cloud = [("PREFECT__BACKEND", "cloud"), ("PREFECT__CLOUD__ENDPOINT", "http://d")];
    assert_eq!(home.resolve(&cloud).api_url, "http://d");
}

#[test]
fn paths_of_the_files_may_be_given() {
    let home = Home::new();
    home.write("mine.toml", "[cloud]\napi = \"http://mine\"\n");
    let path = ("PREFECT__USER_CONFIG_PATH", "~/.prefect/mine.toml");
    assert_eq!(home.resolve(&[path]).api_url, "http://mine");
}

#[test]
fn the_key_is_that_of_the_environment_or_of_the_login_for_this_api() {
    let home = Home::new();
    let tenant = "555a0000-0000-4000-8000-000000000001";
    home.write(
        "auth.toml",
        &format!("[\"127.0.0.1-38489\"]\napi_key = \"K1\"\ntenant_id = \"{tenant}\"\n[other]\n"),
    );
    let api = ("PREFECT__CLOUD__API", "http://127.0.0.1:38489/");
    let key = |connection: &Prefect1Connection| {
        connection.key.as_ref().map(|key| key.expose_secret().to_owned())
    };
    let stored = home.resolve(&[api]);
    assert_eq!((key(&stored).as_deref(), stored.tenant.as_deref()), (Some("K1"), Some(tenant)));
    assert_eq!(key(&home.resolve(&[("PREFECT__CLOUD__API", "http://127.0.0.1:1")])), None);
    let own = home.resolve(&[api, ("PREFECT__CLOUD__API_KEY", "K2")]);
    assert_eq!(key(&own).as_deref(), Some("K2"));
    let blank = home.resolve(&[api, ("PREFECT__CLOUD__API_KEY", "")]);
    assert_eq!(key(&blank).as_deref(), Some("K1"));
}

#[test]
fn what_can_not_be_is_told_without_the_value() {
    let home = Home::new();
    for (name, value) in
        [("PREFECT__CLOUD__API", "s3cret"), ("PREFECT__CLOUD__TENANT_ID", "s3cret")]
    {
        let error = home.try_resolve(&[(name, value)]).unwrap_err().to_string();
        assert!(error.contains(name) && !error.contains("s3cret"), "{error}");
    }
    let error = home.try_resolve(&[("PREFECT__CLOUD__API", "http://u:p@h")]).unwrap_err();
    assert!(error.to_string().contains("without credentials"), "{error}");
    home.write("config.toml", "[cloud]\napi = \n");
    let error = home.try_resolve(&[]).unwrap_err().to_string();
    assert!(error.contains("config.toml:2:"), "{error}");
}
