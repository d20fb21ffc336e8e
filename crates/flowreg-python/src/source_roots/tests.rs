use super::*;

fn roots(paths: &[&str], files: &[(&str, &str)]) -> SourceRoots {
    let layout = Layout::new(paths.iter().copied());
    let files: Vec<(String, String)> =
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    SourceRoots::of_project(&files, &layout, None)
}

/// The source roots for a script at the root: directories, and which modules they have.
fn found(paths: &[&str], file: &str, text: &str) -> Vec<String> {
    let roots = roots(paths, &[(file, text)]);
    let shown = |root: &SourceRoot| match &root.modules {
        None => root.directory.clone(),
        Some(only) => format!("{} [{}]", root.directory, only.join(" ")),
    };
    roots.found("").map(shown).collect()
}

#[test]
fn a_package_of_another_name_than_its_directory_is_not_looked_for() {
    let paths = ["src/a/x.py", "src/b/x.py"];
    for (file, text) in [
        (
            "pyproject.toml",
            "[build-system]\nbuild-backend = \"setuptools.build_meta\"\n[tool.setuptools]\n\
             package-dir = { \"\" = \"src\", \"a\" = \"src/b\" }\n",
        ),
        (
            "pyproject.toml",
            "[build-system]\nbuild-backend = \"hatchling.build\"\n[project]\nname = \"a\"\n\
             [tool.hatch.build.targets.wheel.sources]\n\"src/b\" = \"a\"\n",
        ),
        ("setup.cfg", "[options]\npackage_dir =\n  = src\n  a = src/b\npackages = find:\n"),
        (
            "setup.py",
            "from setuptools import setup\nsetup(package_dir={'': 'src', 'a': 'src/b'})\n",
        ),
    ] {
        assert_eq!(found(&paths, file, text), [""; 0], "{text}");
    }
}

#[test]
fn a_project_that_nothing_installs_has_no_source_root() {
    let paths = ["src/a/x.py"];
    for text in [
        "[tool.black]\nline-length = 100\n",
        "[project]\nname = \"a\"\n",
        "[tool.poetry]\nname = \"a\"\npackage-mode = false\n",
        "[build-system]\nrequires = []\n[project]\nname = \"a\"\n[tool.uv]\npackage = false\n",
        "broken [",
    ] {
        assert_eq!(found(&paths, "pyproject.toml", text), [""; 0], "{text}");
    }
    let text = "[project]\nname = \"a\"\n[tool.uv]\npackage = true\n";
    assert_eq!(found(&paths, "pyproject.toml", text), ["src"]);
    assert_eq!(found(&paths, "setup.cfg", "[flake8]\nmax-line-length = 100\n"), [""; 0]);
    assert_eq!(found(&paths, "setup.py", "print('no call')\n"), [""; 0]);
}

#[test]
fn a_source_root_has_the_packages_that_are_named() {
    let paths = ["libs/a/__init__.py", "libs/b/__init__.py"];
    let text = "[tool.poetry]\nname = \"x\"\npackages = [{ include = \"a/core\", from = \"libs\" }, \
                { include = \"*\", from = \"libs\" }]\n";
    assert_eq!(found(&paths, "pyproject.toml", text), ["libs", "libs [a]"]);
    let text = "[build-system]\nbuild-backend = \"uv_build\"\n[project]\nname = \"A-B\"\n\
                [tool.uv.build-backend]\nmodule-root = \"libs\"\nmodule-name = [\"a\", \"b.c\"]\n";
    assert_eq!(found(&paths, "pyproject.toml", text), ["libs [a b]"]);
}

#[test]
fn python_path_is_read_where_it_is_set() {
    let paths = ["src/a.py", "lib/b.py", "docker/src/c.py"];
    let image = |line: &str| {
        format!("FROM x\nWORKDIR /app\nCOPY --chown=me:me . ./\nCOPY lib /lib\n{line}\n")
    };
    for (line, expected) in [
        ("ENV PYTHONPATH=/app/src", &["src"][..]),
        ("ENV PYTHONPATH /app/src", &["src"]),
        ("ENV PYTHONPATH=\"$PYTHONPATH:src:/lib\"", &["lib", "src"]),
        ("ENV A=1 PYTHONPATH='/lib' B=2", &["lib"]),
        ("ENV MY_PYTHONPATH=/app/src", &[]),
        ("ENV PYTHONPATH=/opt/src", &[]),
        ("ENV PYTHONPATH=$HOME/src", &[]),
        ("ENV PYTHONPATH=/app", &[]),
        ("RUN PYTHONPATH=/app/src python x.py", &[]),
        ("COPY --from=build /x /opt\nENV PYTHONPATH=/opt/src", &[]),
    ] {
        assert_eq!(found(&paths, "Dockerfile", &image(line)), expected, "{line}");
    }
    // Which of the two directories is the build's context is not known.
    assert_eq!(found(&paths, "docker/Dockerfile", &image("ENV PYTHONPATH=/app/src")), [""; 0]);
    for (line, expected) in [
        ("PYTHONPATH: src", &["src"][..]),
        ("\"PYTHONPATH\": \"/clone/src:/clone/lib\"", &["lib", "src"]),
        ("script: export PYTHONPATH=$PWD/src && run", &["src"]),
        ("PYTHONPATH: '{{ prefect.variables.path }}/lib'", &["lib"]),
        ("PYTHONPATH: /opt/docker/src", &[]),
        ("# PYTHONPATH: src", &[]),
        ("OTHER_PYTHONPATH: src", &[]),
    ] {
        assert_eq!(found(&paths, "prefect.yaml", line), expected, "{line}");
    }
}

#[test]
fn what_a_project_asks_for_is_a_package_unless_it_is_of_the_repository() {
    let text = "[project]\nname = \"mine\"\ndependencies = [\"Pandas[sql]>=2\", \"google-cloud-storage\", \
                \"shared\", \"mine[dev]\"]\n[dependency-groups]\ndev = [\"ruff\", { include-group = \"x\" }]\n\
                [tool.uv.sources]\nshared = { path = \"../shared\" }\n";
    let roots =
        roots(&[], &[("apps/a/pyproject.toml", text), ("requirements.txt", "six  # old\n-r x\n")]);
    for name in ["pandas", "ruff", "six", "docker"] {
        assert!(roots.is_dependency(name), "{name}");
    }
    for name in ["mine", "shared", "google"] {
        assert!(!roots.is_dependency(name), "{name}");
    }
    assert!(roots.may_be_installed("google") && !roots.may_be_installed("shared"));
}

#[test]
fn paths_stay_inside() {
    assert_eq!(within("a/b", "../c/./d/").as_deref(), Some("a/c/d"));
    assert_eq!(within("a", "..").as_deref(), Some(""));
    assert_eq!(within("a", "../../x"), None);
    assert_eq!(within("", "/x"), None);
    assert!(is_within("a/b", "a") && is_within("a", "a") && is_within("a", ""));
    assert!(!is_within("ab", "a") && !is_within("", "a"));
}

#[test]
fn the_names_that_prefect_brings_can_be_searched() {
    assert!(INSTALLED_WITH_PREFECT.is_sorted());
}
