//! The main job, rehearsed: three members make two keys, sign, are backed up, survive a fire and a theft.
//!
//! `cargo run --release --example recovery_drill`; with `--help` for what it takes.

mod arguments;
mod bitcoin_spend;
mod group;
mod report;
mod safe;
mod solana_transfer;
mod story;
mod thief;

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use arguments::{Arguments, HELP};
use report::Report;
use story::Story;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments) if arguments.help => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("recovery_drill: {error}; see --help");
            return ExitCode::FAILURE;
        }
    };
    let mut report = Report::new(arguments.json);
    let outcome = rehearse(&arguments, &mut report).and_then(|()| save(&arguments, &report));
    if let Err(error) = &outcome {
        report.failed(&error.to_string());
    }
    report.print();
    if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn rehearse(arguments: &Arguments, report: &mut Report) -> Result<(), Box<dyn Error>> {
    let template = bitcoin_spend::load(arguments.psbt.as_deref()).map_err(|error| match &arguments.psbt {
        Some(path) => format!("{}: {error}", path.display()),
        None => error.to_string(),
    })?;
    // Before anything is done, so that nobody waits for a drill whose results can't be kept.
    if let Some(directory) = &arguments.out {
        fs::create_dir_all(directory).map_err(|error| format!("can't make {}: {error}", directory.display()))?;
    }
    // Deleted when the drill ends, whatever its outcome.
    let home = tempfile::tempdir()?;
    Story::begin(home.path(), template, report)?.tell(report)
}

/// Leaves the transactions and the report in the directory that was asked for.
fn save(arguments: &Arguments, report: &Report) -> Result<(), Box<dyn Error>> {
    let Some(directory) = &arguments.out else { return Ok(()) };
    let report_file = ("report.json".to_owned(), report.to_json().into_bytes());
    for (name, bytes) in report.transactions().iter().chain([&report_file]) {
        let path = directory.join(name);
        fs::write(&path, bytes).map_err(|error| format!("can't write {}: {error}", path.display()))?;
    }
    Ok(())
}
