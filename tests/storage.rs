//! What every storage promises, through the public interface.

// Helpers of tests are tests.
#![allow(clippy::unwrap_used)]

use quorumkey::{Change, Entry, FileStorage, MemoryStorage, Storage, StorageError};

fn entry(key: &str, value: &str) -> Entry {
    (key.into(), value.into())
}

fn put(key: &str, value: &str) -> Change {
    Change::Put { key: key.into(), value: value.into() }
}

fn delete(key: &str) -> Change {
    Change::Delete { key: key.into() }
}

fn keys(storage: &dyn Storage, prefix: &str, after: Option<&str>, limit: usize) -> Vec<String> {
    let found = storage.scan(prefix.as_bytes(), after.map(str::as_bytes), limit).unwrap();
    found.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
}

fn each_storage(check: fn(&dyn Storage)) {
    let contents = [entry("b", "2"), entry("a1", "1"), entry("a", "0"), entry("c", "")];
    check(&MemoryStorage::new(&contents));
    let folder = tempfile::tempdir().unwrap();
    check(&FileStorage::create(folder.path().join("store"), &contents).unwrap());
}

#[test]
fn an_empty_value_is_found_and_a_key_that_was_never_put_is_absent() {
    each_storage(|storage| {
        assert_eq!(storage.get(b"c").unwrap(), Some(vec![]));
        assert_eq!(storage.get(b"d").unwrap(), None);
        assert_eq!(storage.get(b"").unwrap(), None);
    });
}

#[test]
fn a_scan_is_ordered_and_stays_below_its_prefix() {
    each_storage(|storage| {
        assert_eq!(keys(storage, "", None, 9), ["a", "a1", "b", "c"]);
        assert_eq!(keys(storage, "a", None, 9), ["a", "a1"]);
        assert_eq!(keys(storage, "", Some("a"), 2), ["a1", "b"]);
        assert_eq!(keys(storage, "b", Some("a"), 9), ["b"]);
        assert_eq!(keys(storage, "a", Some("b"), 9), [""; 0]);
        assert_eq!(keys(storage, "", None, 0), [""; 0]);
    });
}

#[test]
fn the_later_change_of_a_key_counts() {
    each_storage(|storage| {
        storage
            .commit(&[put("x", "1"), delete("x"), put("a", "1"), put("a", "2"), delete("b"), delete("none")])
            .unwrap();
        assert_eq!(keys(storage, "", None, 9), ["a", "a1", "c"]);
        assert_eq!(storage.get(b"a").unwrap().unwrap(), b"2");
    });
}

#[test]
fn a_rewrite_replaces_everything() {
    each_storage(|storage| {
        storage.rewrite(&[entry("z", "9")]).unwrap();
        assert_eq!(keys(storage, "", None, 9), ["z"]);
        storage.commit(&[put("y", "8")]).unwrap();
        assert_eq!(keys(storage, "", None, 9), ["y", "z"]);
    });
}

/// Knows no better way to destroy itself.
#[derive(Debug)]
struct Plain(MemoryStorage);

impl Storage for Plain {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.0.get(key)
    }

    fn scan(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Result<Vec<Entry>, StorageError> {
        self.0.scan(prefix, after, limit)
    }

    fn commit(&self, changes: &[Change]) -> Result<(), StorageError> {
        self.0.commit(changes)
    }

    fn rewrite(&self, contents: &[Entry]) -> Result<(), StorageError> {
        self.0.rewrite(contents)
    }
}

#[test]
fn where_nothing_better_is_known_a_destruction_leaves_no_entry() {
    let storage = Plain(MemoryStorage::new(&[entry("a", "1"), entry("b", "2")]));
    storage.destroy().unwrap();
    assert_eq!(keys(&storage, "", None, 9), [""; 0]);
}

#[test]
fn the_text_of_a_storage_shows_nothing_of_its_contents() {
    let shown = format!("{:?} {:?}", MemoryStorage::new(&[entry("key", "value")]), put("key", "value"));
    assert!(!shown.contains("key") && !shown.contains("value"));
}

/// In the folder that a program runs in.
#[test]
fn a_store_is_made_opened_rewritten_and_destroyed_by_its_bare_name() {
    let folder = tempfile::tempdir().unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    let contents = [entry("a", "1")];
    drop(FileStorage::create("wallet.qk", &contents).unwrap());
    assert!(folder.path().join("wallet.qk").is_file());
    let storage = FileStorage::open("wallet.qk").unwrap();
    storage.rewrite(&contents).unwrap();
    assert_eq!(storage.get(b"a").unwrap().unwrap(), b"1");
    storage.destroy().unwrap();
    drop(storage);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
