use super::*;

fn config() -> v1::Config {
    v1::Config {
        version: 7,
        nonce: String::new(),
        revision_id: "r7".to_owned(),
        config: vec![1, 2, 3, 4, 5],
        hash: vec![9; 32],
    }
}

#[test]
fn what_is_saved_is_loaded() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(&directory.path().join("state")).unwrap();
    assert_eq!(store.load().unwrap(), Stored::Absent);
    store.save(&config()).unwrap();
    assert_eq!(store.load().unwrap(), Stored::Config(Box::new(config())));
    let newer = v1::Config { version: 8, ..config() };
    store.save(&newer).unwrap();
    assert_eq!(store.load().unwrap(), Stored::Config(Box::new(newer)));
}

#[test]
fn a_change_of_any_bit_is_found() {
    let good = encode(&config());
    assert_eq!(decode(&good), Ok(config()));
    for position in 0..good.len() {
        for bit in 0..8 {
            let mut bad = good.clone();
            bad[position] ^= 1 << bit;
            assert!(decode(&bad).is_err(), "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn every_truncation_and_extension_is_found() {
    let good = encode(&config());
    for length in 0..good.len() {
        assert_eq!(decode(&good[..length]), Err(Damage::Truncated), "{length} bytes");
    }
    let longer = [good, vec![0]].concat();
    assert_eq!(decode(&longer), Err(Damage::Length));
}

#[test]
fn a_damaged_file_is_set_aside_and_not_seen_again() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.save(&config()).unwrap();
    let mut bytes = std::fs::read(store.path()).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 0xff;
    std::fs::write(store.path(), &bytes).unwrap();
    let Stored::Damaged { damage, aside } = store.load().unwrap() else { panic!("not found") };
    assert_eq!(damage, Damage::Checksum);
    assert_eq!(std::fs::read(aside).unwrap(), bytes);
    assert_eq!(store.load().unwrap(), Stored::Absent);
}

#[test]
fn half_written_temporary_files_do_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    store.save(&config()).unwrap();
    std::fs::write(store.path().with_extension("new"), b"PINH").unwrap();
    assert_eq!(store.load().unwrap(), Stored::Config(Box::new(config())));
    store.save(&config()).unwrap();
    assert_eq!(store.load().unwrap(), Stored::Config(Box::new(config())));
}
