//! How far the engine is with a plan, in 2.2's words.
//!
//! Responsible for: the lines between `Running scheme` and `has released connection`. reference §12.7.

use super::super::{Place, Proxy};
use crate::log::{Cause, Level, Module, Trace22};
use crate::request::verdict::Milestone;
use crate::request::{Ask, Plan};

impl Proxy {
    pub(super) fn tell_milestone(&self, ask: &Ask<'_>, plan: &Plan, milestone: Milestone) {
        let (Some(place), Some(member)) = (self.place(plan), self.member(plan)) else {
            return;
        };
        let function = place.scheme.map_or("HTTP", |scheme| scheme.function());
        let host = member.url.host.as_str();
        match milestone {
            Milestone::Acquired if ask.log_enabled(Module::Proxy, Level::Debug) => {
                ask.trace22(&Trace22::Acquired { function, host });
                let port = member.url.port_or_default().unwrap_or(80);
                let path = plan.head.target.raw();
                let url = [place.front.as_bytes(), path].concat();
                ask.trace22(&Trace22::Connecting {
                    url: &url,
                    host,
                    port,
                });
                ask.trace22(&Trace22::Connected { path, host, port });
            }
            Milestone::Acquired => {}
            Milestone::Disconnected => ask.trace22(&Trace22::Disconnected { function }),
            Milestone::SocketCreated(address) => {
                let family = if address.is_ipv4() { 2 } else { 10 };
                ask.trace22(&Trace22::SocketCreated {
                    function,
                    family,
                    host,
                });
            }
            Milestone::Refused(address, error) => {
                let cause = error.map(Cause::Errno);
                ask.trace22_caused(
                    &Trace22::ConnectFailed {
                        function,
                        address,
                        host,
                    },
                    cause,
                );
            }
            Milestone::Connected(address) => {
                ask.trace22(&Trace22::ConnectionComplete {
                    function,
                    address,
                    host,
                });
            }
            Milestone::HeadSent(true) => ask.trace22(&Trace22::StartBodySend),
            Milestone::HeadSent(false) => ask.trace22(&Trace22::HeaderOnly),
            Milestone::BodySent => ask.trace22(&Trace22::EndBodySend),
            Milestone::Released => ask.trace22(&Trace22::Released { function, host }),
        }
    }

    pub(super) fn trace_handlers(
        &self,
        ask: &Ask<'_>,
        plan: &Plan,
        scheme: &str,
        place: &Place,
        url: &[u8],
    ) {
        ask.trace22(&Trace22::RunningHandler {
            scheme,
            attempt: plan.attempt,
        });
        for function in &self.decliners {
            ask.trace22(&Trace22::Declining { function, url });
        }
        let function = place.scheme.map_or("HTTP", |scheme| scheme.function());
        ask.trace22(&Trace22::Serving { function, url });
    }
}
