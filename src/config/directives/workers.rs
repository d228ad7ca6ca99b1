//! Plain workers: those that a mapping or a `<Proxy>` section makes, and the ids that 2.2 would give them.
//!
//! Know first: workers are looked up in the server at hand only; virtual hosts inherit at the end. 2.2 numbers every worker and member in
//! the order in which it meets them, and enters a member's URL among the plain workers too; its traces print these ids.

use crate::config::model::{MemberParams, Slot22, Worker, WorkerUrl};
use crate::config::scope::Scope;

/// The worker that a new URL would share: the longest one that is a prefix of it.
pub(super) fn shared_worker(
    scope: &Scope<'_>,
    url: &WorkerUrl,
    is_template: bool,
) -> Option<String> {
    scope
        .server
        .proxy
        .workers
        .iter()
        .filter(|worker| {
            if is_template {
                worker.url.name == url.name
            } else {
                !worker.is_template && url.name.starts_with(&worker.url.name)
            }
        })
        .max_by_key(|worker| worker.url.name.len())
        .map(|worker| worker.url.name.clone())
}

/// Adds a plain worker; returns its name.
pub(super) fn add_worker(
    scope: &mut Scope<'_>,
    url: WorkerUrl,
    params: MemberParams,
    is_template: bool,
) -> String {
    let id22 = plain_id22(scope, &url);
    let name = url.name.clone();
    let place = scope.place().clone();
    scope.server.proxy.workers.push(Worker {
        url,
        id22,
        params,
        is_template,
        inherited: false,
        place,
    });
    name
}

/// The 2.2 id of the plain worker with this URL; a URL met for the first time takes the next one.
pub(super) fn plain_id22(scope: &mut Scope<'_>, url: &WorkerUrl) -> u32 {
    if let Some(known) = scope
        .server
        .proxy
        .slots22
        .iter()
        .find(|slot| slot.name == url.name)
    {
        return known.id;
    }
    let id = next_id22(scope);
    scope.server.proxy.slots22.push(Slot22 {
        id,
        name: url.name.clone(),
        host: url.host.clone(),
        inherited: false,
    });
    id
}

/// The next 2.2 id.
pub(super) fn next_id22(scope: &mut Scope<'_>) -> u32 {
    let id = scope.build.config.next_id22;
    scope.build.config.next_id22 += 1;
    id
}
