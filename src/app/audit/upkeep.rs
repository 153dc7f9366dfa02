//! The chain's beginning, what an administrator takes as it is, and the task that keeps the head file
//! close behind the chain.

use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::By;
use super::head::{self, Moved};
use super::verify::{Verdict, verify};
use crate::app::{App, Error};
use crate::model::audit::{Action, Subject};
use crate::store::Change;

/// So many connections are read at once.
const PAGE: usize = 500;

/// Begins the chain of a store that has none: what is there already is adopted.
pub async fn begin(app: &App) -> Result<(), Error> {
    if app.store.audit_head().await?.seq == 0 {
        if let Moved::Refused = head::follow(app).await? {
            tracing::warn!(
                "the audit's head file is not this store's; `calbridge audit verify` says more"
            );
        }
        app.act(By::Bridge, Action::AuditBegun).keep().await?;
        for key in app.store.keys().await? {
            app.act(By::Bridge, Action::RowAdopted).key(&key).keep().await?;
        }
        let mut after = None;
        loop {
            let page = app.store.all_connections(after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            for connection in &page {
                app.act(By::Bridge, Action::RowAdopted).connection(connection).keep().await?;
            }
        }
    }
    app.frozen.look(app).await
}

/// Takes what [`verify`] finds as it is: rows as they are now, and the chain's end for the head file.
/// What is wrong with the chain itself stays, and is found again. Returns what was found before.
pub async fn accept(app: &App, by: impl Into<By>) -> Result<Verdict, Error> {
    let by = by.into();
    let found = verify(app).await?;
    for finding in &found.findings {
        if let Some(subject) = finding.subject {
            adopt(app, &by, subject).await?;
        }
    }
    let codes: Vec<&str> = found.findings.iter().map(|finding| finding.code).collect();
    let act = app.act(by, Action::AuditAccepted).with("findings", codes.join(" "));
    act.keep().await?;
    head::rewrite(app).await?;
    app.frozen.look(app).await?;
    Ok(found)
}

/// Writes down what a row says now.
async fn adopt(app: &App, by: &By, subject: Subject) -> Result<(), Error> {
    let act = app.act(by.clone(), Action::RowAdopted);
    let act = match subject {
        Subject::Key(id) => match app.store.key(id).await? {
            Some(key) => act.key(&key),
            None => act.gone(subject),
        },
        Subject::Connection(id) => match app.store.connection(id).await? {
            Some(connection) => act.connection(&connection),
            None => act.gone(subject),
        },
    };
    act.keep().await.map(drop)
}

/// Moves the head file on after each entry, and minds whether writes are refused, until `stop`.
pub async fn keep_up(app: &App, stop: &CancellationToken) {
    let mut changes = app.store.changes();
    let mut well = true;
    loop {
        well = catch_up(app, well).await;
        let told = loop {
            match stop.run_until_cancelled(changes.recv()).await {
                None | Some(Err(RecvError::Closed)) => break false,
                Some(Ok(Change::Audit) | Err(RecvError::Lagged(_))) => break true,
                Some(Ok(_)) => {}
            }
        };
        if !told {
            break;
        }
    }
    catch_up(app, well).await;
}

/// Moves the head file to where the chain ends. Says once when it does not come about.
pub async fn catch_up(app: &App, well: bool) -> bool {
    let moved = async {
        app.frozen.look(app).await?;
        head::follow(app).await
    };
    match moved.await {
        Ok(Moved::Yes) => true,
        Ok(Moved::Refused) => {
            if well {
                tracing::error!(
                    "the audit's head file does not fit the store, and is left as it is; run `calbridge audit verify`"
                );
            }
            false
        }
        Err(error) => {
            if well {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the audit's head file does not follow the audit"
                );
            }
            false
        }
    }
}
