//! The rules of epochs hold as they are, and none of them can be left out.

use quorumkey_model::{
    BASIC, BLAME, Check, Config, DEAD, ENDED, ENDING, ERASED, FORK, KEY, PROGRESS, SPLIT, falls, tell,
};
use stateright::{Checker, HasDiscoveries, Model, Path};

const ALL: [&str; 7] = [KEY, FORK, ERASED, DEAD, PROGRESS, BLAME, ENDED];

fn named(name: &str) -> Config {
    BASIC.iter().find(|config| config.name == name).expect("a configuration of that name").clone()
}

#[test]
fn the_key_is_kept_and_nothing_forks_in_every_configuration() {
    for config in BASIC {
        let checker = Check::new(config.clone()).checker().finish_when(HasDiscoveries::AllFailures).spawn_bfs().join();
        for property in ALL {
            let broken = checker.discovery(property);
            assert!(broken.is_none(), "{}: {property}: {:#?}", config.name, broken.map(Path::into_actions));
        }
        let count = checker.unique_state_count();
        assert!(count > 500, "{}: only {count} states", config.name);
    }
}

#[test]
fn without_any_one_of_the_rules_the_checker_finds_what_falls() {
    for (rule, config, property) in falls() {
        let find = |config: &Config| {
            let found = HasDiscoveries::AnyOf([property].into());
            Check::new(config.clone()).checker().finish_when(found).spawn_bfs().join().discovery(property)
        };
        let path = find(&config.without(rule));
        let path = path.unwrap_or_else(|| panic!("without {rule:?} nothing breaks: {property}"));
        let story: Vec<_> =
            path.into_vec().iter().filter_map(|(state, action)| Some(tell(state, (*action)?))).collect();
        assert!(story.len() >= 4, "without {rule:?}: {story:#?}");
    }
}

#[test]
fn what_falls_without_a_rule_holds_with_it() {
    let mut checked = Vec::new();
    for (rule, config, property) in falls() {
        // Two of one name may differ.
        let contents = (format!("{config:?}"), property);
        if checked.contains(&contents) {
            continue;
        }
        checked.push(contents);
        // To its end: liars that are a threshold break other properties from the beginning.
        let found = HasDiscoveries::AnyOf([property].into());
        let whole = Check::new(config).checker().finish_when(found).spawn_bfs().join();
        let broken = whole.discovery(property).map(Path::into_actions);
        assert!(broken.is_none(), "with {rule:?}: {property}: {broken:#?}");
    }
}

fn reaches(config: Config, example: &'static str) -> bool {
    let checker = Check::new(config).checker().finish_when(HasDiscoveries::AllFailures).spawn_bfs().join();
    checker.discovery(example).is_some()
}

#[test]
fn the_officers_end_a_fork_that_a_liar_made() {
    assert!(reaches(named("2-of-3, one in common, a liar, the fork is ended"), ENDING));
}

/// A fork is detected below n = 3t − 2, and a larger q prevents it.
#[test]
fn a_liar_forks_two_of_three_unless_q_prevents_it_and_never_two_of_four() {
    let forks = |config: Config| reaches(config, SPLIT);
    let in_common = named("2-of-3, one in common, a liar");
    assert!(forks(in_common.clone()));
    assert!(!forks(Config { prevents: true, ..in_common }));
    assert!(!forks(named("2-of-4, other receivers, a liar")));
    assert!(!forks(named("2-of-3, other receivers")));
}
