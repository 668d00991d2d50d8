//! Explores every configuration within the minutes that are given, and prints what was found.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use quorumkey_model::{BASIC, Check, Config, LONG, Rule, falls, tell};
use stateright::{Checker, DiscoveryClassification, HasDiscoveries, Model};

/// What was found of a configuration.
struct Explored {
    states: usize,
    holds: bool,
    whole: bool,
}

fn main() -> ExitCode {
    let told = std::env::args().nth(1).map_or(Ok(10), |text| text.parse::<u32>());
    let Ok(minutes @ 1..) = told else {
        eprintln!("how many minutes is a number above 0");
        return ExitCode::FAILURE;
    };
    let count = u32::try_from(BASIC.len() + LONG.len()).expect("a list that fits on a screen");
    let limit = Duration::from_secs(60) * minutes / count;
    let explored: Vec<_> = BASIC.iter().chain(LONG).map(|config| explore(config, limit)).collect();
    let falls = falls();
    let is_missed = |(rule, config, property): &(Rule, Config, &'static str)| {
        println!("without {rule:?}");
        tells(&config.without(*rule), property)
    };
    let missed = falls.iter().filter(|fall| is_missed(fall)).count();
    let states: usize = explored.iter().map(|config| config.states).sum();
    let broken = explored.iter().filter(|config| !config.holds).count();
    let whole = explored.iter().filter(|config| config.whole).count();
    println!(
        "model: {count} configurations, {whole} explored whole, {states} states, {broken} broken; {missed} of {} falls found \
         where a rule is left out",
        falls.len()
    );
    if broken == 0 && missed == falls.len() && missed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Whether everything holds, as far as the time goes.
fn explore(config: &Config, limit: Duration) -> Explored {
    let begun = Instant::now();
    let found = HasDiscoveries::AnyFailures;
    let checker = Check::new(config.clone()).checker().threads(2).finish_when(found).timeout(limit).spawn_bfs().join();
    let whole = begun.elapsed() < limit;
    let end = if whole { "all" } else { "as far as the time went" };
    let states = checker.unique_state_count();
    println!("{}: {states} states, {} steps deep, {end}", config.name, checker.max_depth());
    let is_failure = |name| matches!(checker.discovery_classification(name), DiscoveryClassification::Counterexample);
    let broken: Vec<_> = checker.discoveries().into_keys().filter(|name| is_failure(name)).collect();
    for name in &broken {
        tells(config, name);
    }
    Explored { states, holds: broken.is_empty(), whole }
}

/// Whether the property is broken, and how.
fn tells(config: &Config, property: &'static str) -> bool {
    let found = HasDiscoveries::AnyOf([property].into());
    let checker = Check::new(config.clone()).checker().finish_when(found).spawn_bfs().join();
    println!("{}: {} states", config.name, checker.unique_state_count());
    let Some(path) = checker.discovery(property) else {
        println!("  not broken: {property}");
        return false;
    };
    println!("  broken: {property}");
    for (state, action) in path.into_vec() {
        if let Some(action) = action {
            println!("    {}", tell(&state, action));
        }
    }
    true
}
