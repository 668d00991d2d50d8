//! What the drill is asked for on its command line.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::{Long, Short};

/// What `--help` shows.
pub(crate) const HELP: &str = "\
Rehearse the loss of a device and measure the recovery.

Usage: recovery_drill [--psbt FILE] [--out DIR] [--json]

  --psbt FILE  spend this PSBT (binary or base64) instead of the sample;
               it is a template: the drill's own key takes the place of its owner
  --out DIR    write the report and the transactions into this directory
  --json       print the report as JSON
  -h, --help   show this";

/// The command line, parsed.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Arguments {
    pub(crate) psbt: Option<PathBuf>,
    pub(crate) out: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) help: bool,
}

impl Arguments {
    /// Parses the arguments, the first of which is the first after the program's name.
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, lexopt::Error> {
        let mut parser = lexopt::Parser::from_args(arguments);
        let mut parsed = Self::default();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("psbt") => parsed.psbt = Some(parser.value()?.into()),
                Long("out") => parsed.out = Some(parser.value()?.into()),
                Long("json") => parsed.json = true,
                Long("help") | Short('h') => parsed.help = true,
                other => return Err(other.unexpected()),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, lexopt::Error> {
        Arguments::parse(arguments.iter().map(OsString::from))
    }

    #[test]
    fn every_argument_is_understood() {
        let parsed = parse(&["--psbt", "a.psbt", "--out=there", "--json"]).unwrap();
        let wanted = Arguments { psbt: Some("a.psbt".into()), out: Some("there".into()), json: true, help: false };
        assert_eq!(parsed, wanted);
        assert!(parse(&["-h"]).unwrap().help && parse(&["--help"]).unwrap().help);
        assert_eq!(parse(&[]).unwrap(), Arguments::default());
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for wrong in [&["--psbt"][..], &["--bogus"], &["file"], &["--json=yes"], &["-x"]] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
