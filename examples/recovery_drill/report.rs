//! What the drill found out: printed as it goes, and once more at the end.

use std::error::Error;
use std::time::Instant;

use quorumkey::{Signature, VerifyingKey};
use serde_json::{Value, json};

/// One thing that was done, and how it went.
struct Step {
    name: &'static str,
    ok: bool,
    ms: u128,
}

/// The report of a drill.
pub(crate) struct Report {
    quiet: bool,
    steps: Vec<Step>,
    signatures: Vec<Value>,
    transactions: Vec<(String, Vec<u8>)>,
    /// What an operator must know at the end: of each old epoch, whether it is dead, and who may still hold it.
    epochs: Vec<Value>,
    tries: Vec<Value>,
    recovery_ms: Option<u128>,
    finished: bool,
    error: Option<String>,
}

impl Report {
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            quiet,
            steps: Vec::new(),
            signatures: Vec::new(),
            transactions: Vec::new(),
            epochs: Vec::new(),
            tries: Vec::new(),
            recovery_ms: None,
            finished: false,
            error: None,
        }
    }

    /// A heading of the story.
    pub(crate) fn chapter(&self, title: &str) {
        self.say(&format!("\n{title}"));
    }

    /// A line of the story.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            println!("{line}");
        }
    }

    /// Does a step, measures it, and remembers whether it went well.
    pub(crate) fn step<T>(
        &mut self,
        name: &'static str,
        act: impl FnOnce(&mut Self) -> Result<T, Box<dyn Error>>,
    ) -> Result<T, Box<dyn Error>> {
        let start = Instant::now();
        let outcome = act(self);
        let ms = start.elapsed().as_millis();
        self.steps.push(Step { name, ok: outcome.is_ok(), ms });
        match &outcome {
            Ok(_) => self.say(&format!("  ok    {name} ({ms} ms)")),
            Err(error) => self.say(&format!("  FAIL  {name} ({ms} ms): {error}")),
        }
        outcome
    }

    /// A signature that was verified by somebody else's code.
    pub(crate) fn verified(&mut self, key: &VerifyingKey, message: &[u8], signature: &Signature) {
        self.signatures.push(json!({
            "suite": format!("{:?}", key.suite()),
            "public_key": key.to_string(),
            "message": hex(message),
            "signature": signature.to_string(),
        }));
    }

    pub(crate) fn transaction(&mut self, name: &str, bytes: Vec<u8>) {
        self.transactions.push((name.to_owned(), bytes));
    }

    pub(crate) fn transactions(&self) -> &[(String, Vec<u8>)] {
        &self.transactions
    }

    /// What a thief tried, and why it failed.
    pub(crate) fn thwarted(&mut self, attempt: &str, reason: &str) {
        self.say(&format!("        {attempt}: {reason}"));
        self.tries.push(json!({ "attempt": attempt, "failed_because": reason }));
    }

    pub(crate) fn epoch(&mut self, line: &str, facts: Value) {
        self.say(line);
        self.epochs.push(facts);
    }

    /// How long it took from the empty-handed members to their signatures: by those steps, which were just done.
    pub(crate) fn recovered_by(&mut self, names: &[&str]) {
        let steps = self.steps.iter().filter(|step| names.contains(&step.name));
        self.recovery_ms = Some(steps.map(|step| step.ms).sum());
    }

    pub(crate) const fn finish(&mut self) {
        self.finished = true;
    }

    pub(crate) fn failed(&mut self, error: &str) {
        self.error = Some(error.to_owned());
    }

    pub(crate) fn passed(&self) -> bool {
        self.finished && self.error.is_none() && self.steps.iter().all(|step| step.ok)
    }

    pub(crate) fn to_json(&self) -> String {
        let steps: Vec<_> =
            self.steps.iter().map(|step| json!({ "name": step.name, "ok": step.ok, "ms": whole(step.ms) })).collect();
        let report = json!({
            "passed": self.passed(),
            "error": self.error,
            "steps": steps,
            "recovery_ms": self.recovery_ms.map(whole),
            "signatures": self.signatures,
            "signatures_verified": self.signatures.len(),
            "thwarted": self.tries,
            "old_epochs": self.epochs,
        });
        format!("{report:#}")
    }

    pub(crate) fn print(&self) {
        if self.quiet {
            println!("{}", self.to_json());
            return;
        }
        println!("\nReport");
        let (ok, all) = (self.steps.iter().filter(|step| step.ok).count(), self.steps.len());
        println!("  {ok} of {all} steps went well; {} signatures verified independently.", self.signatures.len());
        if let Some(ms) = self.recovery_ms {
            println!("  From two lost devices to signatures by both of their owners: {ms} ms.");
        }
        if !self.tries.is_empty() {
            println!("  A thief with member 3's token, its PIN and all traffic failed {} times.", self.tries.len());
        }
        match &self.error {
            None => println!("  The drill {}.", if self.passed() { "PASSED" } else { "FAILED" }),
            Some(error) => println!("  The drill FAILED: {error}."),
        }
        if let Some(error) = &self.error {
            eprintln!("recovery_drill: {error}");
        }
    }
}

fn whole(ms: u128) -> u64 {
    u64::try_from(ms).unwrap_or(u64::MAX)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
