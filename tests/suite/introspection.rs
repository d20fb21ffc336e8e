//! What the user's Python is asked, what its files may do to the run, and what is left behind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use flowreg::introspection::{
    Answers, AskError, Failure, IntrospectionContext, Limits, LoadedFile, Question, Unavailable,
    Watch, ask,
};
use flowreg_model::Environment;

use crate::support::TestRepository;
use crate::support::prefect::{programs, wait_for};

/// The interpreter of the environment with Prefect.
pub(crate) fn python() -> String {
    programs().join("python").to_str().unwrap().to_owned()
}

pub(crate) struct Nobody;

impl Watch for Nobody {
    fn progress(&self, _done: usize) {}

    fn is_interrupted(&self) -> bool {
        false
    }
}

fn question(path: &str) -> Question {
    Question {
        path: path.to_owned(),
        is_module: false,
        objects: vec!["job".to_owned()],
        discover: false,
        source_roots: Vec::new(),
        may_be_kept: false,
    }
}

fn ask_with(
    repository: &TestRepository,
    questions: &[Question],
    environment: &Environment,
    limits: Limits,
) -> Result<Answers, AskError> {
    let opened = repository.open();
    let place = IntrospectionContext {
        repository: &opened,
        commit: &repository.commit_id("HEAD"),
        root: "",
        python: Some(&python()),
        directory: repository.root(),
        environment,
        limits,
    };
    ask(&place, questions, &Nobody)
}

/// Commits files and asks about the flow `job` in each; a file may take three seconds and answer
/// with 100 kB.
fn answers(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Vec<Result<LoadedFile, Failure>> {
    let repository = TestRepository::empty();
    for (path, text) in files {
        repository.write(path, text);
    }
    repository.commit("flows");
    let questions: Vec<Question> = files.iter().map(|(path, _)| question(path)).collect();
    let environment = repository.environment(variables);
    let limits =
        Limits { file: Duration::from_secs(3), answer_bytes: 100_000, ..Limits::default() };
    let answers = ask_with(&repository, &questions, &environment, limits).unwrap();
    assert_eq!(answers.prefect, "3.8.8");
    assert_eq!(leftovers(&repository), Vec::<PathBuf>::new());
    answers.files
}

/// What stayed in the temporary directory.
fn leftovers(repository: &TestRepository) -> Vec<PathBuf> {
    std::fs::read_dir(repository.outside())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("flowreg-"))
        .collect()
}

fn flow(more: &str) -> String {
    format!(
        "import os, subprocess, sys, time\nfrom prefect import flow\n{more}\n@flow\ndef job(n: int = N):\n    pass\n"
    )
}

/// The default of `n` in the schema that was told.
fn default(answer: &Result<LoadedFile, Failure>) -> serde_json::Value {
    let loaded = answer.as_ref().unwrap();
    let [(object, told)] = &loaded.flows[..] else { panic!("{loaded:?}") };
    assert_eq!(object, "job");
    told.as_ref().unwrap().schema["properties"]["n"]["default"].clone()
}

#[test]
fn a_file_that_fails_says_why_and_harms_no_other() {
    let files = [
        ("good.py", flow("N = len('four')")),
        ("exits.py", flow("print('usage: exits.py FILE', file=sys.stderr)\nsys.exit(3)\nN = 1")),
        ("exits_with_text.py", flow("sys.exit('no file given')")),
        ("ends.py", flow("print('to  the\\tend')\nsys.stdout.flush()\nos._exit(4)")),
        ("hangs.py", flow("while True:\n    time.sleep(60)")),
        (
            "spins.py",
            flow(
                "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nwhile True:\n    pass",
            ),
        ),
        ("crashes.py", flow("import signal\nos.kill(os.getpid(), signal.SIGSEGV)")),
        ("misses.py", flow("import flowreg_missing.part")),
        ("raises.py", flow("def fail():\n    raise ValueError('line one\\nline two')\nfail()")),
        ("is_large.py", flow("N = 'x' * 200_000")),
        ("asks.py", flow("from prefect.variables import Variable\nN = Variable.get('x')")),
        ("has_none.py", "x = 1\n".to_owned()),
        ("has_other.py", "job = 1\n".to_owned()),
        ("breaks.py", flow("sys.modules.clear()\nsys.path.clear()\nN = 1")),
        ("also_good.py", flow("N = len('seven..')")),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let answers = answers(&files, &[]);
    let failure = |path: &str| {
        let at = files.iter().position(|(file, _)| *file == path).unwrap();
        match &answers[at] {
            Err(failure) => failure.to_string(),
            Ok(loaded) => loaded.flows[0].1.as_ref().unwrap_err().to_string(),
        }
    };
    assert_eq!(default(&answers[0]), 4);
    assert_eq!(default(&answers[files.len() - 1]), 7);
    assert_eq!(failure("exits.py"), "the module exits with code 3");
    assert_eq!(failure("exits_with_text.py"), "the module exits with code 1: no file given");
    assert_eq!(failure("ends.py"), "the module exits with code 4: to the end");
    assert_eq!(failure("hangs.py"), "importing the module takes too long");
    assert_eq!(failure("spins.py"), "importing the module takes too long");
    assert_eq!(failure("crashes.py"), "the process crashed (signal 11)");
    assert_eq!(failure("misses.py"), "there is no module `flowreg_missing` (misses.py:3)");
    assert_eq!(failure("raises.py"), "ValueError: line one line two (raises.py:4)");
    assert!(
        failure("is_large.py").starts_with("the answer is too large: 200"),
        "{}",
        failure("is_large.py")
    );
    let asks = failure("asks.py");
    assert_eq!(asks, "the module asks the Prefect API while it is imported (asks.py:4)");
    assert_eq!(failure("has_none.py"), "the imported module has no such attribute");
    assert_eq!(failure("has_other.py"), "in the imported module it is no flow");
}

#[test]
fn what_a_file_prints_or_closes_does_not_reach_the_answers() {
    let noise = "print('{\"message\": \"done\"}')\nos.write(1, b'x' * 1_000_000)\n\
                 os.write(2, b'y' * 1_000_000)\nsubprocess.run(['echo', 'hello'])\n";
    let files = [
        ("prints.py", flow(&format!("{noise}N = 1"))),
        ("closes.py", flow("os.closerange(0, 256)\nN = 2")),
        ("reads.py", flow("N = len(sys.stdin.read())")),
        ("moves.py", flow("os.chdir('/')\nos.umask(0o777)\nN = 4")),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let answers = answers(&files, &[]);
    let defaults: Vec<_> = answers.iter().map(default).collect();
    assert_eq!(defaults, [1, 2, 0, 4]);
}

#[test]
fn processes_that_a_file_starts_end_with_it() {
    let pids = tempfile::TempDir::new().unwrap();
    let directory = pids.path().to_str().unwrap();
    let start = |name: &str, arguments: &str| {
        flow(&format!(
            "p = subprocess.Popen(['sleep', '600'], {arguments})\n\
             open('{directory}/{name}', 'w').write(str(p.pid))\nN = 1"
        ))
    };
    let files = [
        ("background.py", start("background", "")),
        ("daemon.py", start("daemon", "start_new_session=True")),
        ("hangs.py", start("hangs", "") + "\ntime.sleep(600)\n"),
        // Both go on: the answer is that of the process that was asked.
        ("forks.py", flow("N = 2 if os.fork() else 3")),
    ];
    let files: Vec<_> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let answers = answers(&files, &[]);
    assert_eq!(answers[2], Err(Failure::TimedOut));
    let defaults: Vec<_> = [0, 1, 3].iter().map(|at| default(&answers[*at])).collect();
    assert_eq!(defaults, [1, 1, 2]);
    for name in ["background", "daemon", "hangs"] {
        let pid = std::fs::read_to_string(pids.path().join(name)).unwrap();
        let is_gone = || (!PathBuf::from(format!("/proc/{pid}")).exists()).then_some(());
        wait_for(name, 5, is_gone);
    }
}

#[test]
fn no_secret_reaches_python_or_comes_back_from_it() {
    let text = flow(
        "N = os.environ.get('PREFECT_API_KEY', 'withheld')\n\
         assert 'PREFECT_API_URL' not in os.environ and 'GIT_DIR' not in os.environ\n",
    );
    let raising = flow("raise RuntimeError('can not log in with ' + os.environ['DB_PASSWORD'])");
    let with_url = flow("raise RuntimeError('postgresql://ada:l0ve@db/flows is down')");
    let files = [("asks.py", text.as_str()), ("raises.py", &raising), ("connects.py", &with_url)];
    let variables = [
        ("PREFECT_API_KEY", "pnu_s3cret"),
        ("PREFECT_API_URL", "https://prefect.example.com/api"),
        ("DB_PASSWORD", "correct horse"),
    ];
    let answers = answers(&files, &variables);
    assert_eq!(default(&answers[0]), "withheld");
    let shown = |at: usize| answers[at].as_ref().unwrap_err().to_string();
    assert_eq!(shown(1), "RuntimeError: can not log in with $DB_PASSWORD (raises.py:3)");
    assert_eq!(shown(2), "RuntimeError: postgresql://***@db/flows is down (connects.py:3)");
}

#[test]
fn files_are_loaded_as_prefect_deploy_does_from_a_full_checkout() {
    let repository = TestRepository::empty();
    repository.write(
        "flows/job.py",
        flow(
            "from sibling import A\nfrom lib.tools import B\nfrom .sibling import A as A2\n\
         from linked import C\nassert __name__ == 'job' and sys.argv[1] == 'deploy'\n\
         D = int(subprocess.check_output(['./tool.sh']))\n\
         E = len(open('data/table.txt').read())\nN = [A, A2, B, C, D, E]",
        ),
    );
    repository.write("flows/sibling.py", "A = 1\n");
    repository.write("lib/tools.py", "B = 2\n");
    repository.write("lib/original.py", "C = 3\n");
    repository.write("tool.sh", "#!/bin/sh\necho 4\n");
    repository.write("data/table.txt", "five\n");
    std::os::unix::fs::symlink("../lib/original.py", repository.root().join("flows/linked.py"))
        .unwrap();
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--chmod=+x", "tool.sh"]);
    repository.git(&["commit", "-q", "-m", "flows"]);
    let index = std::fs::read(repository.root().join(".git/index")).unwrap();
    // What is in the work tree and not in the commit does not count.
    repository.write("flows/sibling.py", "A = 100\n");
    let bare = repository.clone_beside("bare.git", &["--bare", "work"]);
    let environment = repository.environment(&[]);
    for directory in [repository.root(), &bare] {
        let opened = repository.open_in(directory, &[]).unwrap();
        let place = IntrospectionContext {
            repository: &opened,
            commit: &repository.commit_id("HEAD"),
            root: "",
            python: Some(&python()),
            directory,
            environment: &environment,
            limits: Limits::default(),
        };
        let answers = ask(&place, &[question("flows/job.py")], &Nobody).unwrap();
        assert_eq!(default(&answers.files[0]), serde_json::json!([1, 1, 2, 3, 4, 5]));
    }
    assert_eq!(std::fs::read(repository.root().join(".git/index")).unwrap(), index);
    assert_eq!(leftovers(&repository), Vec::<PathBuf>::new());
}

#[test]
fn modules_of_the_repository_come_from_the_commit_whatever_the_path_says() {
    let repository = TestRepository::empty();
    repository.write("one/relative.py", "A = 1\n");
    repository.write("two/absolute.py", "B = 2\n");
    repository.write("three/outside.py", "C = 0\n");
    repository.write(
        "flows/job.py",
        flow(
            "from relative import A\nfrom absolute import B\nfrom outside import C\nN = [A, B, C]",
        ),
    );
    repository.commit("flows");
    let outside = repository.outside().join("three");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("outside.py"), "C = 3\n").unwrap();
    repository.write("one/relative.py", "A = 100\n");
    repository.write("two/absolute.py", "B = 100\n");
    let path = format!("one:{}:{}", repository.root().join("two").display(), outside.display());
    let environment = repository.environment(&[("PYTHONPATH", &path)]);
    let questions = [question("flows/job.py")];
    let answers = ask_with(&repository, &questions, &environment, Limits::default()).unwrap();
    assert_eq!(default(&answers.files[0]), serde_json::json!([1, 2, 3]));
}

#[test]
fn a_path_in_an_answer_is_one_of_the_work_tree() {
    let repository = TestRepository::empty();
    repository.write("job.py", flow("N = os.path.abspath('data')"));
    repository.commit("flows");
    let environment = repository.environment(&[]);
    let questions = [question("job.py")];
    let answers = ask_with(&repository, &questions, &environment, Limits::default()).unwrap();
    let root = repository.root().canonicalize().unwrap();
    assert_eq!(default(&answers.files[0]), root.join("data").to_str().unwrap());
    assert!(answers.files[0].as_ref().unwrap().names_paths);
}

#[test]
fn flows_that_nobody_named_are_found_where_they_are_made() {
    let repository = TestRepository::empty();
    repository.write("library.py", "from prefect import flow\n@flow\ndef shared():\n    pass\n");
    repository.write(
        "job.py",
        "from prefect import flow\nfrom library import shared\nimport library\n\
         def make(name):\n    @flow(name=name)\n    def inner():\n        pass\n    return inner\n\
         globals()['made'] = make('made here')\nalias = made\n\
         class Team:\n    class Inner:\n        deep = make('deep')\n    @flow\n    def method(self):\n        pass\n\
         Alias = Team\n",
    );
    repository.commit("flows");
    let questions = [Question {
        path: "job.py".to_owned(),
        is_module: false,
        objects: Vec::new(),
        discover: true,
        source_roots: Vec::new(),
        may_be_kept: false,
    }];
    let environment = repository.environment(&[]);
    let answers = ask_with(&repository, &questions, &environment, Limits::default()).unwrap();
    let flows = &answers.files[0].as_ref().unwrap().flows;
    let found: Vec<_> = flows
        .iter()
        .map(|(object, told)| {
            let told = told.as_ref().unwrap();
            (object.as_str(), told.name.as_str(), told.line)
        })
        .collect();
    assert_eq!(
        found,
        [
            ("made", "made here", Some(5)),
            ("Team.Inner.deep", "deep", Some(5)),
            ("Team.method", "method", Some(14))
        ]
    );
}

#[test]
fn the_time_for_all_files_is_bounded_and_what_was_answered_counts() {
    let repository = TestRepository::empty();
    repository.write("good.py", flow("N = 1"));
    repository.write("hangs.py", flow("time.sleep(600)"));
    repository.commit("flows");
    let limits = Limits { run: Duration::from_secs(3), ..Limits::default() };
    let questions = [question("good.py"), question("hangs.py")];
    let started = Instant::now();
    let environment = repository.environment(&[]);
    let answers = ask_with(&repository, &questions, &environment, limits).unwrap();
    assert_eq!(default(&answers.files[0]), 1);
    assert_eq!(answers.files[1], Err(Failure::Unanswered));
    assert!(started.elapsed() < Duration::from_secs(50), "it was not ended");
    assert_eq!(leftovers(&repository), Vec::<PathBuf>::new());
}

/// Asks about these files with an interpreter that is a script of these lines.
fn ask_script(script: &str, files: &[(&str, String)]) -> Result<Answers, AskError> {
    use std::os::unix::fs::PermissionsExt;

    let repository = TestRepository::empty();
    for (path, text) in files {
        repository.write(path, text);
    }
    repository.commit("flows");
    repository.write("python", format!("#!/bin/sh\n{script}\n"));
    let path = repository.root().join("python");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let opened = repository.open();
    let place = IntrospectionContext {
        repository: &opened,
        commit: &repository.commit_id("HEAD"),
        root: "",
        python: Some("./python"),
        directory: repository.root(),
        environment: &repository.environment(&[]),
        limits: Limits { start: Duration::from_secs(10), ..Limits::default() },
    };
    let questions: Vec<_> = files.iter().map(|(path, _)| question(path)).collect();
    let answers = ask(&place, &questions, &Nobody);
    assert_eq!(leftovers(&repository), Vec::<PathBuf>::new());
    answers
}

fn unavailable(script: &str) -> Unavailable {
    match ask_script(script, &[("job.py", flow("N = 1"))]).unwrap_err() {
        AskError::Unavailable(why) => why,
        AskError::Interrupted => panic!("interrupted"),
    }
}

#[test]
fn where_there_is_no_fork_files_are_loaded_one_after_the_other() {
    let script = format!(
        "exec {} -c \"import os, runpy, sys; del os.fork; sys.argv = sys.argv[1:]; \
         runpy.run_path(sys.argv[0], run_name='__main__')\" \"$@\"",
        python()
    );
    let files = [
        ("first/job.py", flow("print('hello')\nN = 1")),
        ("exits.py", flow("sys.exit(3)")),
        ("second/job.py", flow("os.chdir('/')\nN = 2")),
    ];
    let answers = ask_script(&script, &files).unwrap().files;
    assert_eq!((default(&answers[0]), default(&answers[2])), (1.into(), 2.into()));
    assert_eq!(answers[1], Err(Failure::Exited { code: 3, last: None }));
}

#[test]
fn an_interpreter_that_can_not_answer_is_told_apart() {
    // Without its `site` module a Python of a virtual environment has no packages.
    let no_prefect = unavailable(&format!("exec {} -S \"$@\"", python()));
    assert!(matches!(no_prefect, Unavailable::NoPrefect { .. }), "{no_prefect}");
    assert!(no_prefect.hint().unwrap().contains("-m pip install prefect"));
    let old = unavailable("echo '{\"message\": \"found\", \"prefect\": \"1.4.1\"}'; cat");
    assert!(matches!(&old, Unavailable::OldPrefect { version, .. } if version == "1.4.1"));
    let found = "echo '{\"message\": \"found\", \"prefect\": \"3.8.8\"}'";
    let broken =
        unavailable(&format!("{found}; echo '{{\"message\": \"broken\", \"reason\": \"x\"}}'"));
    assert!(matches!(&broken, Unavailable::BrokenPrefect { reason, .. } if reason == "x"));
    let ended = unavailable("echo first >&2; echo 'no python here' >&2; exit 3");
    assert!(ended.to_string().ends_with("ended before it answered: no python here"), "{ended}");
    let slow = unavailable(&format!("{found}; exec sleep 600"));
    assert!(matches!(slow, Unavailable::Slow { seconds: 10, .. }), "{slow}");
    let noise = unavailable("exec head -c 100000000 /dev/zero");
    assert!(matches!(noise, Unavailable::Ended { .. }), "{noise}");
}
