//! A client's connection: its requests one after the other, how long it may be silent, and how it is parted from.
//!
//! hyper reads and writes; here are the phases it says nothing of, and the ends it would make too kind: what is not all of a
//! reply must not look like one.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    pin::pin,
    rc::Rc,
    task::{Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    select,
    time::{sleep_until, timeout},
};

use crate::{
    account::Account,
    body::Reply,
    exchange::Exchange,
    front::{Front, Servers},
    heads::{self, Heads},
    watch::{Timed, Watch},
};

/// What a client still sends is read for so long, so that it gets to read why it was refused.
const PARTING: Duration = Duration::from_secs(1);
/// At most so much of it.
const PARTING_BYTES: usize = 256 * 1024;
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A client, counted until it is dropped.
pub(crate) struct Client<S: Servers> {
    front: Rc<Front<S>>,
    address: SocketAddr,
    watch: Rc<Watch>,
}

/// How a connection ended.
enum End {
    /// By itself, or because what it said was no HTTP: hyper has answered.
    Over,
    /// In the middle of a reply.
    Torn,
    /// It was silent for too long.
    Overdue,
}

impl<S: Servers> Client<S> {
    pub(crate) fn enter(front: Rc<Front<S>>, address: SocketAddr) -> Self {
        front.count_clients(|clients| *clients += 1);
        let watch = Rc::new(Watch::new(front.site.clock));
        Self { front, address, watch }
    }

    /// Serves it until its connection ends.
    pub(crate) async fn serve(self, stream: TcpStream) {
        let _ = stream.set_nodelay(true);
        let (stream, end) = self.converse(stream).await;
        let is_owed = matches!(end, End::Torn) || (matches!(end, End::Overdue) && self.watch.is_in_reply());
        if is_owed {
            // A reply without a length ends where the connection does: this one must not seem complete.
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            return;
        }
        let is_slow = matches!(end, End::Overdue) && self.watch.is_in_head();
        if is_slow {
            self.front.counters.slow.bump();
        }
        part(stream, if is_slow { TOO_SLOW } else { b"" }).await;
    }

    async fn converse(&self, stream: TcpStream) -> (TcpStream, End) {
        let (io, heads) = heads::Watched::new(Timed { io: stream, watch: Rc::clone(&self.watch) });
        let service = service_fn(|request| {
            let answer = answer(Rc::clone(&self.front), request, self.address, heads.clone(), &self.watch);
            // hyper's connection is to be taken apart at its end, which a future in place would forbid.
            Box::pin(async { Ok::<_, Infallible>(answer.await) })
        });
        let mut connection = heads::builder()
            .timer(TokioTimer::new())
            // Ours knows idle from slow.
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(io), service);
        let mut leaving = self.front.leaving();
        let mut overdue = pin!(self.overdue());
        let mut is_leaving = false;
        let end = loop {
            let driven = poll_fn(|context| match connection.poll_without_shutdown(context) {
                Poll::Ready(Err(error)) if error.is_user() => Poll::Ready(End::Torn),
                Poll::Ready(_) => Poll::Ready(End::Over),
                // After it was driven, for that is what moves the deadline.
                Poll::Pending => overdue.as_mut().poll(context),
            });
            select! {
                biased;
                end = driven => break end,
                _ = leaving.wait_for(|&is| is), if !is_leaving => {
                    is_leaving = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
        };
        (connection.into_parts().io.into_inner().into_inner().io, end)
    }

    /// Over when the watch is due, which may come nearer with every poll.
    async fn overdue(&self) -> End {
        let (site, watch) = (&self.front.site, &self.watch);
        let (head, idle) = (site.settings.header_timeout, site.settings.keep_alive);
        let mut alarm = pin!(sleep_until(site.clock.deadline(site.now() + head)));
        poll_fn(|context| {
            loop {
                let Some(due) = watch.due(head, idle) else { return Poll::Pending };
                let at = site.clock.deadline(due);
                if alarm.is_elapsed() || alarm.deadline() > at {
                    alarm.as_mut().reset(at);
                }
                ready!(alarm.as_mut().poll(context));
                if site.now() >= due {
                    return Poll::Ready(End::Overdue);
                }
            }
        })
        .await
    }
}

impl<S: Servers> Drop for Client<S> {
    fn drop(&mut self) {
        self.front.count_clients(|clients| *clients -= 1);
    }
}

fn answer<S: Servers>(
    front: Rc<Front<S>>,
    request: Request<Incoming>,
    client: SocketAddr,
    heads: Heads,
    watch: &Rc<Watch>,
) -> impl Future<Output = Response<Reply>> + use<S> {
    let part = watch.begin();
    let mut account = Account::open(&front, client, &request, Rc::clone(&part));
    async move {
        let answer = Exchange::answer(front, client, &heads, request, part).await;
        account.note_answer(&answer);
        answer.map(|source| Reply { source, account })
    }
}

/// Says the last word, and lets the client read it: unread bytes would turn the end into a reset.
async fn part(mut stream: TcpStream, words: &[u8]) {
    if stream.write_all(words).await.is_err() || stream.shutdown().await.is_err() {
        return;
    }
    let mut rest = [0; 4096];
    let reading = async {
        let mut left = PARTING_BYTES;
        while let Ok(length @ 1..) = stream.read(&mut rest).await {
            left = left.saturating_sub(length);
            if left == 0 {
                return;
            }
        }
    };
    // Whoever goes on talking after that is cut off.
    let _ = timeout(PARTING, reading).await;
}
