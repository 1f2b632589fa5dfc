//! Where a request came from, for the audit. It goes along with the task that handles the request instead of through
//! every signature: an argument can be left out, this cannot.

use std::fmt;
use std::net::IpAddr;

use uuid::Uuid;

tokio::task_local! {
    static CURRENT: Origin;
}

/// Where a request came from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, if there is one.
    pub client: Option<IpAddr>,
    /// The request, as the log and the answer name it.
    pub request: Option<Uuid>,
}

impl Origin {
    /// The origin of what this task does; nothing is known of what no request asked for.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.try_with(|origin| *origin).unwrap_or_default()
    }

    /// Has this origin during what a future does.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }
}

/// `<address or -> <request or ->`: nothing that a statement would have to quote.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.client {
            Some(client) => write!(f, "{client} ")?,
            None => f.write_str("- ")?,
        }
        match self.request {
            Some(request) => write!(f, "{request}"),
            None => f.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_origin_is_that_of_its_task() {
        let origin = Origin { client: Some("2001:db8::1".parse().unwrap()), request: None };
        assert_eq!(Origin::current().to_string(), "- -");
        assert_eq!(origin.scope(async { Origin::current().to_string() }).await, "2001:db8::1 -");
        assert_eq!(Origin::current(), Origin::default());
    }
}
