//! Gathers what many streams ask of the database: while one statement runs, those who come meanwhile wait together for
//! the next, so that ten thousand answers are some dozens of transactions, and a single one waits for nobody.

use std::fmt;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{Core, limits, took_too_long};
use crate::error::{Error, Result};

/// Something that is done for many at once.
pub(super) trait Statement: 'static {
    /// What one asks.
    type Input: Clone + Send + Sync + 'static;
    /// What one is answered.
    type Output: Send + 'static;

    /// Does it for all, and answers them in their order.
    fn execute(core: &Core, inputs: &[Self::Input])
    -> impl Future<Output = Result<Vec<Self::Output>>> + Send;
}

/// One who waits.
pub(super) struct Entry<S: Statement> {
    input: S::Input,
    answer: oneshot::Sender<Result<S::Output>>,
}

/// Where those who ask wait.
pub(super) struct Queue<S: Statement>(mpsc::Sender<Entry<S>>);

impl<S: Statement> Clone for Queue<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Statement> fmt::Debug for Queue<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Queue(..)")
    }
}

/// The other end of a queue.
pub(super) type Asked<S> = mpsc::Receiver<Entry<S>>;

/// A queue and its other end.
pub(super) fn queue<S: Statement>() -> (Queue<S>, Asked<S>) {
    let (sender, receiver) = mpsc::channel(limits::QUEUE);
    (Queue(sender), receiver)
}

impl<S: Statement> Queue<S> {
    /// Asks, and waits for the answer.
    pub(super) async fn ask(&self, input: S::Input) -> Result<S::Output> {
        let (answer, answered) = oneshot::channel();
        let asked = async {
            let entry = Entry { input, answer };
            self.0.send(entry).await.map_err(|_| gone())?;
            answered.await.map_err(|_| gone())?
        };
        timeout(limits::DATABASE_TIMEOUT, asked).await.unwrap_or_else(|_| Err(took_too_long()))
    }
}

/// Answers a queue as long as the controller runs.
pub(super) async fn serve<S: Statement>(core: Core, mut asked: Asked<S>) {
    let mut waiting = Vec::with_capacity(limits::MAX_BATCH);
    while asked.recv_many(&mut waiting, limits::MAX_BATCH).await > 0 {
        // Whoever has given up would not learn what was done for it.
        let there = waiting.drain(..).filter(|entry: &Entry<S>| !entry.answer.is_closed());
        let (inputs, answers): (Vec<S::Input>, Vec<_>) =
            there.map(|entry| (entry.input, entry.answer)).unzip();
        if inputs.is_empty() {
            continue;
        }
        match execute::<S>(&core, &inputs).await {
            Ok(outputs) => {
                for (answer, output) in answers.into_iter().zip(outputs) {
                    // As above.
                    let _ = answer.send(Ok(output));
                }
            }
            Err(Error::Unavailable(reason)) => {
                for answer in answers {
                    let _ = answer.send(Err(Error::Unavailable(reason.clone())));
                }
            }
            // What is wrong with one is no reason to refuse the others.
            Err(_) => {
                for (input, answer) in inputs.into_iter().zip(answers) {
                    let alone = execute::<S>(&core, &[input]).await;
                    let output = alone.and_then(|outputs| outputs.into_iter().next().ok_or_else(gone));
                    let _ = answer.send(output);
                }
            }
        }
    }
}

async fn execute<S: Statement>(core: &Core, inputs: &[S::Input]) -> Result<Vec<S::Output>> {
    let executed = timeout(limits::DATABASE_TIMEOUT, S::execute(core, inputs)).await;
    executed.unwrap_or_else(|_| Err(took_too_long()))
}

fn gone() -> Error {
    Error::Unavailable("the controller ends".to_owned())
}
