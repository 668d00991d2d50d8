//! The README's example is the example that runs.

#[test]
fn the_first_example_of_the_readme_is_the_quickstart() {
    let readme = include_str!("../README.md");
    let block = readme.split("```rust\n").nth(1).and_then(|rest| rest.split("```").next());
    assert_eq!(block, Some(include_str!("../examples/quickstart.rs")));
}

#[test]
fn every_file_that_is_linked_to_is_there() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = [
        include_str!("../README.md"),
        include_str!("../DESIGN.md"),
        include_str!("../SECURITY.md"),
        include_str!("../CONTRIBUTING.md"),
    ];
    let targets = pages.iter().flat_map(|page| page.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
    let missing: Vec<_> = targets.filter(|target| !root.join(target).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
