//! Takes connections in, and lets them end.

use std::rc::Rc;
use std::time::Duration;

use super::answer;
use super::conn::{self, About};
use super::gateway::Gateway;
use crate::rt::net::{Listener, Stream};
use crate::rt::{Lane, sleep, spawn};

/// After a failed accept, which usually means that the process is out of files.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a drain looks whether the last connection has ended.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// Runs until the gateway drains.
pub async fn accept(gateway: Rc<Gateway>, listener: Listener) {
    gateway.set_listener(Some(listener.stopper()));
    while !gateway.is_draining() {
        match listener.accept().await {
            Ok(stream) if gateway.is_draining() => drop(stream),
            Ok(stream) => {
                if let Some(stream) = (gateway.place)(stream) {
                    welcome(&gateway, stream);
                }
            }
            Err(_) if gateway.is_draining() => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
    gateway.set_listener(None);
}

/// Takes in a connection that another shard has accepted for this one.
pub fn take_in(gateway: &Rc<Gateway>, stream: Stream) {
    if !gateway.is_draining() {
        welcome(gateway, stream);
    }
    gateway.load().arrive();
}

fn welcome(gateway: &Rc<Gateway>, stream: Stream) {
    if !gateway.enters() {
        let gateway = Rc::clone(gateway);
        spawn(Lane::Serve, async move { turn_away(&gateway, stream).await });
        return;
    }
    spawn(Lane::Serve, conn::serve(Rc::clone(gateway), stream));
}

async fn turn_away(gateway: &Gateway, mut stream: Stream) {
    let frame = About::default().frame_of(gateway, false);
    let bytes = answer::too_many_connections().encode(&frame);
    // Whether it hears it is its own affair.
    if stream.set_write_timeout(Some(PAUSE)).is_ok() && stream.write_all(&bytes).await.is_ok() {
        stream.finish_writing();
    }
}

/// Drains, and waits until the last answer is out, but not longer than the configuration allows. True if
/// nothing was cut off.
pub async fn drained(gateway: &Gateway) -> bool {
    gateway.drain();
    let deadline = gateway.clock.mono().after(gateway.settings.server.shutdown_timeout);
    while gateway.open() > 0 {
        if gateway.clock.mono() >= deadline {
            return false;
        }
        sleep(DRAIN_LOOK).await;
    }
    true
}
