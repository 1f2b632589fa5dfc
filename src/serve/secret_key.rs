//! The key that secrets in the database are sealed with: a setting, or a file in the data directory, made once.

use std::io::ErrorKind;

use anyhow::Context as _;
use pinhole::access::seal::SecretKey;

use crate::secret_file;
use crate::settings::{DatabaseSettings, SecretKeySettings};

const FILE: &str = "secret-key";

/// Finds the key, or makes one.
pub(super) fn find(settings: &SecretKeySettings, database: &DatabaseSettings) -> anyhow::Result<SecretKey> {
    if let Some(given) = settings.given()? {
        return Ok(given);
    }
    let directory = database.data_dir()?;
    let path = directory.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => text.parse().with_context(|| format!("cannot use {}", path.display())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let key = SecretKey::generate()?;
            std::fs::create_dir_all(&directory)
                .and_then(|()| secret_file::write(&path, &format!("{}\n", key.reveal())))
                .with_context(|| format!("cannot write {}", path.display()))?;
            Ok(key)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}
