//! `pinhole audit verify`.

use std::fmt::Write as _;

use pinhole::app::audit;
use pinhole::store::Store;

use crate::print;
use crate::serve::database::Database;
use crate::settings::VerifySettings;

/// Checks the chains and says what is wrong with them.
pub(crate) async fn verify(settings: &VerifySettings) -> anyhow::Result<()> {
    let database = Database::open(&settings.database).await?;
    let store = Store::connect_lazily(database.options.clone());
    let verdicts = audit::verify(&store, settings.tenant).await;
    store.pool().close().await;
    database.close().await;

    let mut flaws = 0;
    let mut text = String::new();
    for verdict in verdicts? {
        let (tenant, entries, head) = (verdict.tenant, verdict.entries, verdict.head);
        let whole = if verdict.flaws.is_empty() { "whole" } else { "broken" };
        writeln!(text, "tenant={tenant} entries={entries} head={head} {whole}")?;
        for flaw in &verdict.flaws {
            writeln!(text, "  {flaw}")?;
        }
        flaws += verdict.flaws.len();
    }
    print(&text)?;
    anyhow::ensure!(flaws == 0, "the audit is not whole");
    Ok(())
}
