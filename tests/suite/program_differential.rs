//! Random programs against the real Prefect 3.8.8: whatever shares and changes objects, what is claimed
//! as exact is what Prefect registers.
//!
//! `FLOWREG_DIFFERENTIAL_SEED` repeats a run, `FLOWREG_DIFFERENTIAL_PROGRAMS` makes it longer,
//! `FLOWREG_DIFFERENTIAL_KEEP` names a directory that gets the programs.

use std::path::PathBuf;

use flowreg_python::analyse;

use crate::flow_differential::{Score, number, registered_together, score_file, seed};
use crate::support::random_flows::{FlowFile, Random};
use crate::support::random_programs::{Program, program};

/// Programs of a run, if nobody wants another number.
const PROGRAMS: usize = 2000;

/// Of a hundred flows of programs without unknown input so many are exact at least; measured: 85 to 95.
const EXACT_FLOOR: usize = 60;

fn compare(programs: &[Program], seed: u64) -> Score {
    let directory = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("FLOWREG_DIFFERENTIAL_KEEP").map(PathBuf::from);
    let name = |at: usize| format!("program_{at}.py");
    for folder in std::iter::once(directory.path()).chain(kept.as_deref()) {
        for (at, program) in programs.iter().enumerate() {
            std::fs::write(folder.join(name(at)), &program.source).unwrap();
        }
    }
    let real = registered_together(directory.path(), seed);
    let mut score = Score::default();
    for (at, program) in programs.iter().enumerate() {
        let analysis = analyse(&name(at), program.source.as_bytes());
        let file = FlowFile { name: name(at), header: program.source.clone(), units: Vec::new() };
        score_file(&file, &real[&file.name], &analysis, &mut score);
    }
    score
}

#[test]
fn what_random_programs_share_and_change_is_exact_or_declined() {
    let seed = seed();
    let count = number("FLOWREG_DIFFERENTIAL_PROGRAMS")
        .map_or(PROGRAMS, |count| usize::try_from(count).unwrap());
    let mut random = Random::new(seed);
    let programs: Vec<Program> = (0..count).map(|at| program(&mut random, at % 3 == 0)).collect();
    let (known, others): (Vec<_>, Vec<_>) =
        programs.into_iter().partition(|program| program.is_known);
    for (kind, programs) in [("known", &known), ("with unknown input", &others)] {
        let score = compare(programs, seed);
        println!("{} programs {kind}: {score}", programs.len());
        for wrong in score.wrong.iter().take(5) {
            println!("--- FLOWREG_DIFFERENTIAL_SEED={seed} {wrong}");
        }
        assert!(score.wrong.is_empty(), "{} wrong answers with seed {seed}", score.wrong.len());
        let answered = score.exact + score.declined;
        assert!(answered > programs.len(), "Prefect loads only {answered} flows");
        if kind == "known" {
            assert!(score.exact * 100 >= answered * EXACT_FLOOR, "{score}");
        }
    }
}
