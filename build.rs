//! Names the analyser by its source, so that cached answers of another one are never used.

use std::path::{Path, PathBuf};

/// What decides about the answers.
const SOURCES: &[&str] =
    &["crates/flowreg-python/src", "crates/flowreg-model/src", "src/scan", "Cargo.lock"];

fn main() {
    let mut files = Vec::new();
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
        collect(Path::new(source), &mut files);
    }
    files.sort();
    let mut hash = crc32fast::Hasher::new();
    let mut size = 0;
    for file in files {
        let content = std::fs::read(&file).unwrap_or_default();
        size += content.len();
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(&content);
    }
    println!("cargo::rustc-env=FLOWREG_ANALYSER={:08x}-{size}", hash.finalize());
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(path) else {
        files.push(path.to_owned());
        return;
    };
    for entry in entries.flatten() {
        collect(&entry.path(), files);
    }
}
