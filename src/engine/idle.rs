//! Backend connections between exchanges: back to the pool, on to another loop, or closed.

use crate::request::Backend;

use super::backend::UpstreamStage;
use super::core::Core;
use super::dial::Dialing;
use super::pool::Parked;
use super::slab::Key;
use super::timers::Kind;

impl Core {
    /// Closes a backend connection, whatever it is doing.
    pub(super) fn drop_upstream(&mut self, key: Key) {
        let Some(mut up) = self.upstreams.take(key) else {
            return;
        };
        up.input.clear(&mut self.gear.blocks);
        up.output.clear(&mut self.gear.blocks);
        if up.stage == UpstreamStage::Idle {
            self.pool.forget(up.backend, key);
        }
        if up.is_counted {
            self.pool.closed(up.backend);
            self.wake_next(up.backend);
        }
    }

    /// Where the configuration sets no `max`, a child may have as many connections to a backend as it has slots. One that
    /// serves an exchange without a slot is not among those.
    pub(super) fn uncount_upstream(&mut self, key: Key) {
        let Some(up) = self.upstreams.at_mut(key) else {
            return;
        };
        let backend = up.backend;
        if backend.pool.max == 0 && std::mem::replace(&mut up.is_counted, false) {
            self.pool.closed(backend);
            self.wake_next(backend);
        }
    }

    /// Puts a connection whose exchange ended well back into the pool.
    pub(super) fn keep_upstream(&mut self, key: Key) {
        let Some(up) = self.upstreams.at_mut(key) else {
            return;
        };
        let backend = up.backend;
        up.exchange = None;
        up.served += 1;
        up.since_ms = self.gear.now_ms;
        up.stage = UpstreamStage::Idle;
        up.input.rest(&mut self.gear.blocks);
        if self.pool.prefers_parking(backend) {
            self.park_upstream(key);
        } else {
            for surplus in self.pool.put(backend, key) {
                self.drop_upstream(surplus);
            }
            self.file_upstream(key);
        }
        self.wake_next(backend);
    }

    /// Leaves an idle connection to the other loops of the child.
    fn park_upstream(&mut self, key: Key) {
        let Some(mut up) = self.upstreams.take(key) else {
            return;
        };
        if self.wires.unwatch(up.transport.stream_mut()).is_err() {
            self.pool.closed(up.backend);
            return;
        }
        let parked = Parked {
            stream: up.transport.into_stream(),
            codec: up.codec,
            served: up.served,
        };
        self.pool.park(up.backend, parked);
        if self.pool.is_awaited(up.backend) {
            self.wires.wake_siblings();
        }
    }

    /// Somebody may have waited for the connection that just became free.
    fn wake_next(&mut self, backend: &'static Backend) {
        if let Some(client) = self.pool.next_waiting(backend) {
            self.redial(client);
        } else if self.pool.is_awaited(backend) {
            self.wires.wake_siblings();
        }
    }

    /// Another loop of the child has parked or closed a connection.
    pub fn siblings_called(&mut self) {
        for client in self.pool.all_waiting() {
            self.redial(client);
        }
    }

    fn redial(&mut self, client: Key) {
        let Some(exchange) = self.clients.at(client).and_then(|c| c.exchange) else {
            return;
        };
        if let Some(cell) = self.exchanges.get_mut(exchange)
            && cell.dialing == Dialing::Queued
        {
            cell.dialing = Dialing::Start;
            // Not at once: we are in the middle of another exchange's end.
            self.again.push_back(client);
        }
    }

    /// Files the deadline of an idle connection: `ttl` (mod_proxy: unused that long, it is not used again).
    pub(super) fn file_upstream(&mut self, key: Key) {
        let Some(up) = self.upstreams.at(key) else {
            return;
        };
        let (UpstreamStage::Idle, Some(ttl)) = (up.stage, up.backend.pool.ttl) else {
            return;
        };
        let at = up.since_ms + u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX / 2);
        if let Some(filed) = self.upstreams.filed_mut(key.index) {
            self.timers.file(Kind::Backend, key.index, at, filed);
        }
    }

    /// The timer of a backend connection fired.
    pub(super) fn upstream_due(&mut self, key: Key) {
        let Some(up) = self.upstreams.at(key) else {
            return;
        };
        let (UpstreamStage::Idle, Some(ttl)) = (up.stage, up.backend.pool.ttl) else {
            return;
        };
        let idle_ms = u128::from(self.gear.now_ms.saturating_sub(up.since_ms));
        if idle_ms >= ttl.as_millis() {
            self.drop_upstream(key);
        } else {
            self.file_upstream(key);
        }
    }
}
