//! Takes connections in, and lets them end.

use std::rc::Rc;
use std::time::Duration;

use super::answer;
use super::conn::{self, About};
use super::front::Front;
use super::meter::Rejection;
use crate::rt::net::{Listener, Stream};
use crate::rt::{Lane, sleep, spawn};

/// After a failed accept, which usually means that the process is out of files.
const PAUSE: Duration = Duration::from_millis(50);

/// How often a drain looks whether the last connection has ended.
const DRAIN_LOOK: Duration = Duration::from_millis(10);

/// Runs until the front drains.
pub async fn accept(front: Rc<Front>, listener: Listener) {
    front.set_listener(Some(listener.stopper()));
    while !front.is_draining() {
        match listener.accept().await {
            Ok(stream) if front.is_draining() => drop(stream),
            Ok(stream) => {
                if let Some(stream) = (front.place)(stream) {
                    welcome(&front, stream);
                }
            }
            Err(_) if front.is_draining() => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                sleep(PAUSE).await;
            }
        }
    }
    front.set_listener(None);
}

/// Takes in a connection that another shard has accepted for this one.
pub fn take_in(front: &Rc<Front>, stream: Stream) {
    if !front.is_draining() {
        welcome(front, stream);
    }
    if let Some(load) = front.load() {
        load.arrive();
    }
}

fn welcome(front: &Rc<Front>, stream: Stream) {
    let front = Rc::clone(front);
    match front.enters(&stream) {
        Ok(guest) => spawn(Lane::Serve, conn::serve(front, stream, guest)),
        Err(why) => spawn(Lane::Serve, async move { turn_away(&front, stream, why).await }),
    }
}

async fn turn_away(front: &Front, mut stream: Stream, why: Rejection) {
    front.meters.rejected(why.word());
    if front.door.is_some() {
        // Nobody makes a handshake only to be turned away; there are too many connections already.
        return;
    }
    let frame = About::default().frame_of(front, false);
    let answer = match why {
        Rejection::TooManyOfAddress => answer::too_many_of_address(),
        _ => answer::too_many_connections(),
    };
    let bytes = answer.encode(&frame);
    // Whether it hears it is its own affair.
    if stream.set_write_timeout(Some(PAUSE)).is_ok() && stream.write_all(&bytes).await.is_ok() {
        stream.finish_writing();
    }
}

/// Drains, and waits until the last answer is out, but not longer than the configuration allows. True if
/// nothing was cut off.
pub async fn drained(front: &Front) -> bool {
    front.drain();
    let deadline = front.clock.mono().after(front.settings.get().server.shutdown_timeout);
    while front.open() > 0 {
        if front.clock.mono() >= deadline {
            return false;
        }
        sleep(DRAIN_LOOK).await;
    }
    true
}
